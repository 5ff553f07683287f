// survivor: a store opened after a crash, and all that must hold of it.
//
// Purpose: the one list of what "nothing is lost" means, for every way in which these tests stop a
// replica.
// Thread-safety: none.
#pragma once

#include "joinery/transport/pipe.hpp"
#include "tests/crash/archive.hpp"

namespace crash_tests {

/// What somebody was told before the crash, and may rely on.
struct promise {
  replica_id self;                            ///< none: nobody knows its id yet
  versions durable;                           ///< what the replica showed as durable
  std::map<replica_id, history::head> heads;  ///< the same, with the chains' digests
  versions told;                              ///< what its peers have, or were told it has
  std::int64_t edits = 0;                     ///< of the draft in the local table
};

template <class Db>
void note_durable(promise& p, Db& db) {
  p.self = db.status().self;
  for (const auto& h : db.endpoint().heads()) {
    p.durable[h.origin] = h.seq;
    p.heads[h.origin] = h;
  }
}

/// Bytes in an area.
template <class Storage>
std::size_t entries_in(Storage& storage, history::area where) {
  std::size_t out = 0;
  storage
      .read([&](auto& view) -> result<> {
        view.scan(where, {}, [&](bytes_view, bytes_view) { return ++out > 0; });
        return {};
      })
      .value();
  return out;
}

class survivor {
 public:
  survivor(std::string path, durability mode, std::uint64_t seed, std::uint64_t now_ms)
      : path_(std::move(path)), mode_(mode), time(now_ms), dice(seed) {}

  /// As the program would: LMDB examines every page, the replica replays its log.
  void open() {
    db.reset();
    auto options = small_options(time, dice);
    options.acknowledge_after_ms = ~std::uint64_t{0};  // it writes when it is told to
    auto opened = open_on_disk(path_, mode_, options);
    INFO((opened ? std::string{} : opened.error().text()));
    REQUIRE(opened.has_value());
    db.emplace(std::move(*opened));
  }

  /// Everything promised is there, and the state is that of the log alone.
  void keeps(const promise& p, archive& all) {
    const auto status = db->status();
    if (!p.self.is_none()) CHECK(status.self == p.self);
    CHECK(status.former_ids.empty());
    CHECK(status.forks.empty());
    const auto version = version_of(*db);
    CHECK(covers(version, p.durable));
    CHECK(covers(version, p.told));
    for (const auto& [origin, h] : p.heads)
      if (const auto there = db->endpoint().chain_at(origin, h.seq).value())
        CHECK(*there == h.chain);
    CHECK(edits(*db) >= p.edits);
    all.learn(*db, db->endpoint().log_floor().first());
    is_sound(all);
  }

  void is_sound(archive& all) {
    auto& e = db->endpoint();
    while (!e.scrub(1000).value()) {}
    const auto status = db->status();
    CHECK(status.damaged == 0);
    CHECK(status.repaired == 0);
    CHECK_FALSE(status.stopped_at);
    CHECK_FALSE(status.last_index_error);
    CHECK_FALSE(status.blocked);
    const auto digest = db->digest().value().hex();
    CHECK(digest == all.digest(version_of(*db)));
    index_agrees();
  }

  /// A snapshot that was being joined is joined, and nothing shows of it.
  void finishes() {
    const auto digest = db->digest().value().hex();
    for (int n = 0; n < 300 && entries_in(db->endpoint().storage(), history::area::staged) > 1; ++n)
      db->tend().value();
    CHECK(db->digest().value().hex() == digest);
  }

  /// It writes, takes a snapshot, and is the same after it was closed and opened.
  void goes_on(archive& all, int changes) {
    const auto own = db->status().self;
    const auto before = version_of(*db)[own];
    for (int n = 0; n < changes; ++n) {
      time.now += 10;
      change(*db, dice).value();
    }
    db->checkpoint().value();
    CHECK(version_of(*db)[own] >= before);
    all.learn(*db, db->endpoint().log_floor().first());
    const auto digest = db->digest().value().hex();
    open();
    CHECK(db->digest().value().hex() == digest);
    CHECK(db->status().self == own);
    is_sound(all);
  }

  /// A peer that has what the promise says syncs with it, and both are equal afterwards.
  template <class Db>
  void meets(Db& peer) {
    const auto own = db->status().self;
    const auto met = transport::sync_once(db->endpoint(), peer.endpoint());
    INFO((met ? std::string{} : met.error().text()));
    CHECK(met.has_value());
    CHECK(db->digest().value() == peer.digest().value());
    CHECK(db->status().self == own);
    CHECK(db->status().former_ids.empty());
    CHECK(db->status().forks.empty());
    CHECK(peer.status().forks.empty());
  }

 private:
  /// The index lists what the records say.
  void index_agrees() {
    std::vector<std::pair<std::string, std::string>> stored, listed;
    db->template for_each<workout>([&](std::string_view key, const workout& w) {
      if (std::string title = *w.title; !title.empty()) stored.emplace_back(title, key);
    });
    db->template query<workout>().template by<&workout::title>().for_each(
        [&](std::string_view key, const workout& w) { listed.emplace_back(*w.title, key); });
    std::sort(stored.begin(), stored.end());
    std::sort(listed.begin(), listed.end());
    CHECK(stored == listed);
  }

  std::string path_;
  durability mode_;

 public:
  manual_clock time;
  prng dice;
  std::optional<disk_replica> db;
};

}  // namespace crash_tests
