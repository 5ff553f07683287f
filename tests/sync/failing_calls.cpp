// One call of a replica's storage fails, any one, in whatever it is doing: the error says so,
// nothing is half done, and what was acknowledged is there when all is over.
#include <catch2/catch.hpp>

#include <set>

#include "joinery/replica/rejoin.hpp"
#include "joinery/transport/pipe.hpp"
#include "tests/replica/sport_like.hpp"
#include "tests/replica/stored.hpp"

using namespace replica_tests;

namespace {

struct device {
  memory_storage disk;
  manual_clock time{1'000'000};
  prng dice;
  replica_options options;
  std::optional<replica_type> db;
  std::set<std::string> acknowledged;  // records that it was told are durable

  explicit device(std::uint64_t seed) : dice(seed) {
    options.space = space_named("failing calls");
    options.time = &time;
    options.random = &dice;
    options.full_retry_ms = 0;
    options.cache_bytes = 300;
    options.snapshot_records = 4;
    options.snapshot_step_records = 3;
    options.snapshot_log_bytes = 400;
    options.retain_log_bytes = 1500;
    options.clean_up_records = 8;
    options.large_field_bytes = 20;
    options.acknowledge_after_ms = 500;
  }
  device(const device& other, std::uint64_t seed) : device(seed) {
    options = other.options;
    options.time = &time;
    options.random = &dice;
    time = other.time;
    disk = other.disk.clone();
  }
  result<> open() {
    if (db) return {};
    auto opened = replica_type::open(disk.share(), options);
    if (!opened) return opened.error();
    db.emplace(std::move(*opened));
    return {};
  }
  void close() { db.reset(); }
  auto& engine() { return db->endpoint(); }
};

/// Two devices; what they do is told of every call that failed.
struct scene {
  device a, b;
  bool rotten = false;  // readers, which cannot mend what they meet, may tell of it

  scene() : a(1), b(2) {}
  scene(const scene& prepared, std::uint64_t seed)
      : a(prepared.a, seed), b(prepared.b, seed + 1), rotten(prepared.rotten) {}

  template <class R>
  bool note(const R& done) {
    if (done) return true;
    switch (done.error().code) {
      case errc::checksum:
        if (rotten) break;
        [[fallthrough]];
      case errc::malformed:
      case errc::fork:
      case errc::diverged: FAIL_CHECK("told of " << done.error().text()); break;
      default: break;
    }
    return false;
  }
  /// Opens what is not open.
  bool up() {
    const bool one = note(a.open()), two = note(b.open());
    return one && two;
  }
  void write(device& d, int transactions, int keys = 6) {
    if (!note(d.open())) return;
    for (int n = 0; n < transactions; ++n) {
      const auto mark = "mark " + std::to_string(d.dice.next());
      const auto done = d.db->write([&](tx_type& tx) {
        for (auto left = 1 + d.dice.below(4); left > 0; --left)
          perform(tx, random_operation(d.dice, keys));
        tx.create<entry>(mark).likes += 1;
      });
      if (note(done)) d.acknowledged.insert(mark);
    }
  }
  void read(device& d) {
    if (!note(d.open())) return;
    try {
      int walked = d.db->find<athlete>(key_of(1)) ? 1 : 0;
      walked += d.db->find<entry>(key_of(2)) ? 1 : 0;
      d.db->for_each<athlete>([&](auto, const athlete& r) { walked += *r.xp > 0 ? 1 : 0; });
      auto kept = d.db->reader();
      if (note(kept)) {
        walked += kept->find<athlete>(key_of(1)) ? 1 : 0;
        kept->for_each<entry>([&](auto, const entry& r) { walked += *r.likes > 0 ? 1 : 0; });
        note(kept->digest());
        note(kept->conflicts());
      }
    } catch (const failure& f) {
      note(result<>{f.error()});
    }
    note(d.engine().conflicts());
    note(d.db->digest());
  }
  void meet() {
    if (up()) note(transport::sync_once(a.engine(), b.engine()));
  }
  void tend(device& d, int times) {
    if (!note(d.open())) return;
    d.time.now += 1000;
    for (int n = 0; n < times; ++n) note(d.engine().tend());
  }

  /// Nothing fails any more: whoever is poisoned starts again, and both come to agree.
  void end_well() {
    for (auto* d : {&a, &b}) {
      d->disk.clear_faults();
      if (d->disk.poisoned()) d->close(), d->disk.crash(0);
      d->open().value();
    }
    std::string failed;
    for (int round = 0; round < 12; ++round) {
      const auto before = a.engine().log_size() + b.engine().log_size();
      for (auto* d : {&a, &b}) {
        tend(*d, 20);
        while (!d->engine().scrub(100).value()) {}
      }
      const auto met = transport::sync_once(a.engine(), b.engine());
      failed = met ? "" : met.error().text();
      const auto damaged = a.engine().status().damaged + b.engine().status().damaged;
      if (met && damaged == 0 && before == a.engine().log_size() + b.engine().log_size()) break;
    }
    CHECK(failed == "");
    REQUIRE(a.db->digest().value() == b.db->digest().value());
    for (auto* d : {&a, &b})
      for (const auto& mark : d->acknowledged) {
        CAPTURE(mark);
        REQUIRE(a.db->find<entry>(mark));
        REQUIRE(b.db->find<entry>(mark));
      }
  }
};

/// Lets each call in turn fail in each life of the scene, on either device.
template <class Prepare, class Life>
void at_every_call(Prepare&& prepare, Life&& life) {
  scene prepared;
  REQUIRE(prepared.up());
  prepare(prepared);
  prepared.a.close();
  prepared.b.close();
  {
    scene undisturbed{prepared, 7};
    life(undisturbed);
    undisturbed.end_well();
  }
  std::uint64_t trial = 0;
  for (const bool first : {true, false})
    for (const auto what : {memory_operation::read, memory_operation::put, memory_operation::erase,
                            memory_operation::commit, memory_operation::sync}) {
      // Each of the first, and then ever fewer.
      constexpr std::uint64_t dense = JOINERY_SANITIZED ? 4 : 60;
      for (std::uint64_t nth = 1;; nth += 1 + nth / dense) {
        const auto why = ++trial % 2 == 0 ? errc::full : errc::io;
        CAPTURE(first, static_cast<int>(what), nth, name_of(why));
        scene s{prepared, 7};
        auto& victim = first ? s.a : s.b;
        victim.disk.fail_nth(what, nth, why, trial % 3 == 0);
        life(s);
        const bool reached = !victim.disk.has_faults();
        s.end_well();
        if (!reached) break;
      }
    }
}

std::vector<std::pair<area, bytes>> entries_of(device& d) {
  std::vector<std::pair<area, bytes>> all;
  d.disk
      .read([&](auto& view) -> result<> {
        for (std::size_t n = 0; n < history::area_count; ++n)
          view.scan(static_cast<area>(n), {}, [&](bytes_view key, bytes_view) {
            all.emplace_back(static_cast<area>(n), key);
            return true;
          });
        return {};
      })
      .value();
  return all;
}
void damage(device& d, std::size_t every) {
  auto all = entries_of(d);
  std::erase_if(all,
                [](const auto& e) { return e.first != area::records && e.first != area::log; });
  for (std::size_t n = 0; n < all.size(); n += every) flip(d.disk, all[n].first, all[n].second);
}

void own_log_forgotten(device& d) {
  d.engine().acknowledged(d.engine().heads());
  d.options.retain_log_bytes = 0;
  d.close();
  d.open().value();
  d.engine().acknowledged(d.engine().heads());
  d.engine().checkpoint().value();
  REQUIRE(d.engine().log_floor().position > 0);
}

/// A store with something in nearly every area: a fork, what is held, a snapshot half come in.
scene rich() {
  scene s;
  REQUIRE(s.up());
  s.write(s.a, 6), s.write(s.b, 6), s.meet();
  s.a.engine().close_membership().value();
  s.meet();
  s.write(s.b, 10);
  own_log_forgotten(s.b);
  s.write(s.a, 2);
  replica_id stranger;
  stranger.data.fill(0x66);
  s.a.engine().admit(stranger).value();
  const auto by_stranger = [&](std::uint64_t seq, int value) {
    codec::changeset_writer w;
    w.add("entries", "strange",
          {crdt::cell_action::update, 1, "text", crdt::kind::lww, crdt::lww<int>::set(value)});
    return w.encode(stranger, seq, causal::hlc_from_ms(1'000'000) + seq, {});
  };
  const auto first = by_stranger(1, 1), other = by_stranger(1, 2), early = by_stranger(9, 3);
  const bytes_view good[] = {first, early};
  s.a.engine().ingest(good).value();
  const bytes_view fork[] = {other};
  CHECK_FALSE(s.a.engine().ingest(fork));
  s.a.engine().checkpoint().value();
  s.a.engine().request_snapshot({}).value();
  auto serving = s.b.engine().serve_snapshot(joinery::detail::write_request({}), 200).value();
  for (int n = 0; n < 3; ++n)
    static_cast<void>(s.a.engine().take_chunk(*s.b.engine().next_chunk(serving, 200).value()));
  s.a.close();
  s.b.close();
  return s;
}

}  // namespace

TEST_CASE("any call fails while replicas write, read, tidy and meet") {
  at_every_call([](scene& s) { s.write(s.a, 4), s.write(s.b, 4), s.meet(); },
                [](scene& s) {
                  s.write(s.a, 6);
                  s.write(s.b, 2);
                  if (s.up()) s.note(s.a.engine().checkpoint());
                  s.read(s.a);
                  s.meet();
                  s.tend(s.a, 6);
                  s.write(s.a, 1);
                  s.read(s.b);
                });
}

TEST_CASE("any call fails while a store that was put back finds out and goes on") {
  at_every_call(
      [](scene& s) {
        s.write(s.a, 3), s.write(s.b, 3), s.meet();
        const auto image = s.a.disk.clone();
        s.write(s.a, 2);
        s.meet();
        s.a.close();
        s.a.disk.put_back(image);
        s.a.acknowledged.clear();
        REQUIRE(s.up());
        s.write(s.a, 3);
      },
      [](scene& s) {
        s.meet();
        s.write(s.a, 2);
        s.meet();
        s.read(s.a);
      });
}

TEST_CASE("any call fails while damage is found and mended") {
  at_every_call(
      [](scene& s) {
        s.write(s.a, 8), s.write(s.b, 4), s.meet();
        s.a.engine().checkpoint().value();
        s.a.close();
        damage(s.a, 5);
        s.rotten = true;
      },
      [](scene& s) {
        s.read(s.a);
        if (s.up())
          for (int n = 0; n < 12; ++n) s.note(s.a.engine().scrub(16));
        s.write(s.a, 1);
        s.meet();
        s.tend(s.a, 4);
      });
}

TEST_CASE("any call fails while members are admitted and evicted, and the dead are cleaned") {
  at_every_call(
      [](scene& s) {
        s.write(s.a, 4), s.write(s.b, 4), s.meet();
        s.a.engine().close_membership().value();
        s.meet();
      },
      [](scene& s) {
        replica_id stranger;
        stranger.data.fill(0x55);
        s.write(s.a, 2);
        if (s.up()) {
          s.note(s.a.engine().admit(stranger, "a watch"));
          s.note(s.a.engine().members());
        }
        s.meet();
        s.tend(s.b, 6);
        s.meet();
        if (s.up()) s.note(s.b.engine().evict(stranger));
        s.meet();
        s.tend(s.a, 12);
      });
}

TEST_CASE("any call fails while a snapshot is served and joined over changes of one's own") {
  at_every_call(
      [](scene& s) {
        s.write(s.a, 30, 12);
        own_log_forgotten(s.a);
        s.write(s.b, 3, 12);
      },
      [](scene& s) {
        s.meet();
        s.write(s.b, 1);
        s.read(s.b);
        s.tend(s.b, 8);
        s.meet();
      });
}

TEST_CASE("any entry of a store is damaged, forged or gone: it is told of, or nothing is wrong") {
  auto prepared = rich();
  const auto all = entries_of(prepared.a);
  std::set<area> areas;
  for (const auto& [where, key] : all) areas.insert(where);
  CHECK(areas.size() > 8);
  const auto typed = [](const auto& done) {
    if (!done) CHECK(name_of(done.error().code) != "unknown");
    return done.has_value();
  };
  for (std::size_t n = 0; n < all.size(); n += JOINERY_SANITIZED ? 5 : 1)
    for (const int how : {0, 1, 2, 3}) {
      const auto& [where, key] = all[n];
      CAPTURE(name_of(where), to_hex(key), how);
      scene s{prepared, 7};
      if (how == 0) flip(s.a.disk, where, key);
      s.a.disk
          .write([&, &area_of = where, &key_of_it = key](auto& w) -> result<> {
            if (how == 1) w.erase(area_of, key_of_it);
            if (how == 2) history::put_sealed(w, area_of, key_of_it, "");
            if (how == 3) history::put_sealed(w, area_of, key_of_it, "\x7F\xFF\x01 forged");
            return {};
          })
          .value();
      for (int life = 0; life < 2; ++life) {
        if (!typed(s.a.open()) || !typed(s.b.open())) break;
        auto& e = s.a.engine();
        typed(e.conflicts());
        typed(e.for_each("athletes", {}, [](auto, const auto&) { return true; }));
        for (int round = 0; round < 20; ++round) typed(e.scrub(16));
        typed(e.members());
        typed(s.a.db->write([](tx_type& tx) { tx.create<entry>("more").likes += 1; }));
        typed(e.tend());
        typed(transport::sync_once(s.b.engine(), e));
        typed(e.checkpoint());
        typed(transport::sync_once(e, s.b.engine()));
        // Damage shows; what is given as the digest is that of what was there.
        const auto ours = s.a.db->digest(), theirs = s.b.db->digest();
        if (how == 0 && typed(ours) && e.seen().total() == s.b.engine().seen().total())
          CHECK(*ours == theirs.value());
        s.a.close();
      }
    }
}
