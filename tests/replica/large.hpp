// What the tests of large fields share: a schema, devices, a model of what its fields show.
//
// Purpose: the same profile, filled and asked in all ways, with fields that are taken apart early.
// Thread-safety: none.
#pragma once

#include <map>
#include <set>

#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/replica.hpp"
#include "joinery/store/lmdb.hpp"
#include "joinery/testing/prng.hpp"
#include "tests/replica/stored.hpp"
#include "tests/state/heap.hpp"
#include "tests/store/support.hpp"

namespace large_tests {

using namespace joinery;
using history::area;
using history::memory_storage;
using replica_tests::flip;
using state_tests::heap;

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (lww<std::string>, name), (or_set<std::string>, badges),
                           (tally<std::string>, grants), (map<std::string, pn_counter>, laps),
                           (map<std::string, lww<std::string>>, notes));
};
using app = tables<table<"profiles", profile>>;
using indexed_app = tables<table<"profiles", profile, joinery::index<&profile::badges>,
                                 joinery::index<&profile::laps>, joinery::index<&profile::grants>>>;

template <std::integral T>
std::string element(T n) {
  return "element " + std::to_string(1'000'000 + n);
}

struct device {
  explicit device(std::uint64_t seed) : dice(seed) {
    options.space = space_named("large fields");
    options.time = &time;
    options.random = &dice;
    reopen();
  }
  memory_storage disk;
  manual_clock time{1'000'000};
  testing::prng dice;
  replica_options options;
  std::optional<replica<app, memory_storage>> db;

  void reopen() {
    db.reset();
    db.emplace(replica<app, memory_storage>::open(disk.share(), options).value());
  }
  void crash() {
    db.reset();
    disk.crash(0);
    reopen();
  }
  template <class F>
  void write(F&& body) {
    db->write(body).value();
  }
};

template <class Db>
void fill_some(Db& db, std::uint64_t from, std::uint64_t to) {
  db.write([&](auto& tx) {
      auto p = tx.template create<profile>("p");
      for (auto n = from; n < to; ++n) {
        p.badges.insert(element(n));
        p.grants.grant(element(n), n);
        p.laps[element(n)] += static_cast<int>(n % 1000);
      }
    }).value();
}
/// The entries `from` … `to` − 1 of three fields.
inline void fill(device& d, std::uint64_t from, std::uint64_t to) {
  for (; from < to; from += 50) fill_some(*d.db, from, std::min(from + 50, to));
}

inline void hear(device& to, device& from) {
  std::vector<bytes> log;
  from.db->endpoint()
      .read_log(
          1, [&](auto, const auto&, auto, bytes_view data) { return log.emplace_back(data), true; })
      .value();
  const std::vector<bytes_view> views(log.begin(), log.end());
  to.db->endpoint().ingest(views).value();
}

inline std::size_t parts_stored(device& d) {
  std::size_t n = 0;
  d.disk
      .read([&](auto& view) -> result<> {
        view.scan(area::records, history::index_key(state::parts_of(0)),
                  [&](auto, auto) { return ++n > 0; });
        return {};
      })
      .value();
  return n;
}

/// Damages the stored part of an element of the record "p".
inline void flip_part(device& d, std::string_view field, const std::string& element) {
  bytes found;
  const auto name = d.db->endpoint().names().find(field).value();
  d.disk
      .read([&](auto& view) -> result<> {
        view.scan(
            area::records, history::index_key(state::parts_of(0)), [&](bytes_view key, bytes_view) {
              const auto part = state::read_part_key(history::index_of(key), key.substr(4));
              if (part->first.field.name == name && part->second == crdt::encode_value(element))
                found.assign(key);
              return true;
            });
        return {};
      })
      .value();
  flip(d.disk, area::records, found);
}
/// Hands over what `d` wants from `from`, as two sessions would.
inline bool fetch(device& d, device& from) {
  bool mended = false;
  auto& engine = d.db->endpoint();
  for (const auto& what : engine.list_wanted().value()) {
    if (!what.is_record()) continue;
    const auto given = from.db->endpoint().give(what).value();
    if (given) mended = engine.take_back(what, *given).value() || mended;
  }
  return mended;
}

/// What a profile's fields must show.
struct model {
  std::set<std::string> badges;
  std::map<std::string, std::uint64_t> grants;
  std::map<std::string, std::int64_t> laps;

  [[nodiscard]] bool empty() const { return badges.empty() && grants.empty() && laps.empty(); }

  template <class P>
  void change(P&& p, testing::prng& dice) {
    const auto e = element(dice.below(60));
    const auto amount = dice.below(100);
    switch (dice.below(6)) {
      case 0:
      case 1: p.badges.insert(e), badges.insert(e); break;
      case 2: p.badges.erase(e), badges.erase(e); break;
      case 3: p.grants.grant(e, amount), grants[e] = std::max(grants[e], amount); break;
      case 4: p.laps[e] += 3, laps[e] += 3; break;
      default: p.laps.erase(e), laps.erase(e);
    }
  }
  /// About one element.
  bool agrees(const profile& p, const std::string& e) const {
    const auto granted = grants.find(e);
    const auto ran = laps.find(e);
    return p.badges.contains(e) == badges.contains(e) &&
           p.grants.at(e).has_value() == (granted != grants.end()) &&
           (granted == grants.end() || *p.grants.at(e) == granted->second) &&
           p.laps.contains(e) == (ran != laps.end()) &&
           p.laps[e].get() == (ran == laps.end() ? 0 : ran->second);
  }
  /// About everything, in order.
  bool agrees(const profile& p) const {
    std::int64_t sum = 0;
    for (const auto& [key, amount] : grants) sum += static_cast<std::int64_t>(amount);
    std::vector<std::string> keys;
    for (const auto& [key, count] : laps) keys.push_back(key);
    return p.badges.get() == std::vector<std::string>(badges.begin(), badges.end()) &&
           p.badges.size() == badges.size() && p.badges.empty() == badges.empty() &&
           *p.grants == sum && p.laps.keys() == keys && p.laps.size() == keys.size();
  }
};

/// Fills three fields with `count` entries each, in transactions of `each`, changes, asks, walks,
/// digests, deletes and makes them anew, all within a cache of `cache` bytes; `compare`: beside a
/// replica that keeps them in one string.
inline void bounded(std::uint64_t count, std::uint64_t each, std::size_t cache, bool compare) {
  store_tests::temporary_directory folder;
  manual_clock time{1'000'000};
  testing::prng dice{3};
  replica_options options;
  options.space = space_named("large fields");
  options.time = &time;
  options.random = &dice;
  options.cache_bytes = cache;
  options.snapshot_step_records = 64;  // LMDB keeps the pages that a step changes
  const auto before = heap();
  const auto open = [&] {
    return replica<app, store::lmdb>::open(
               store::lmdb::open(
                   {.path = folder.path("small"), .mode = history::durability::interval})
                   .value(),
               options)
        .value();
  };
  std::optional small{open()};
  std::size_t most = 0, most_on_heap = 0;
  const auto look = [&] {
    most = std::max(most, small->status().memory_bytes);
    most_on_heap = std::max(most_on_heap, heap() - std::min(before, heap()));
  };
  // In strides, so that each transaction touches all of the fields.
  const auto strides = count / each;
  for (std::uint64_t n = 0; n < strides; ++n) {
    small
        ->write([&](auto& tx) {
          auto p = tx.template create<profile>("p");
          for (auto e = n; e < count; e += strides) {
            p.badges.insert(element(e));
            p.grants.grant(element(e), e);
            p.laps[element(e)] += static_cast<int>(e % 1000);
          }
        })
        .value();
    look();
  }
  const auto shows_all = [&](const profile& p) {
    std::uint64_t badges = 0, laps = 0;
    std::string last;
    bool in_order = true;
    p.badges.for_each([&](std::string e) {
      in_order = in_order && last < e;
      last = std::move(e);
      if (++badges % 1000 == 0) look();
    });
    p.laps.for_each_key([&](const std::string&) { ++laps; });
    CHECK(in_order);
    CHECK(badges == count);
    CHECK(laps == count);
    const auto sum = count * (count - 1) / 2;
    CHECK(*p.grants == static_cast<std::int64_t>(sum));
  };
  shows_all(*small->find<profile>("p"));
  for (int n = 0; n < 200; ++n) {
    const auto e = dice.below(count);
    const auto row = small->find<profile>("p");
    CHECK(row->badges.contains(element(e)));
    CHECK(row->grants.at(element(e)) == e);
    CHECK(row->laps[element(e)].get() == static_cast<std::int64_t>(e % 1000));
    small
        ->write([&](auto& tx) {
          auto p = tx.template edit<profile>("p");
          p.badges.erase(element(e));
          p.badges.insert(element(e));
          p.laps[element(e)] += 1;
          p.laps[element(e)] += -1;
        })
        .value();
    look();
  }
  auto digest = small->digest().value();
  look();
  small.reset();
  small.emplace(open());
  look();
  CHECK(small->digest().value() == digest);
  shows_all(*small->find<profile>("p"));
  if (compare) {
    replica_options whole = options;
    whole.cache_bytes = whole.large_field_bytes = ~std::size_t{0};
    auto other = replica<app, memory_storage>::open(memory_storage{}, whole).value();
    small->flush().value();
    std::vector<bytes> log;
    small->endpoint()
        .read_log(1, [&](auto, const auto&, auto,
                         bytes_view data) { return log.emplace_back(data), true; })
        .value();
    for (const auto& data : log) {
      const bytes_view view{data};
      other.endpoint().ingest({&view, 1}).value();
    }
    CHECK(other.digest().value() == digest);
  } else {
    CHECK(most_on_heap <= cache + (4u << 20));  // a transaction, and the pages that a write changes
  }
  small->write([](auto& tx) { tx.template erase<profile>("p"); }).value();
  CHECK_FALSE(small->find<profile>("p"));
  small->write([](auto& tx) { tx.template create<profile>("p").badges.insert("new"); }).value();
  CHECK(small->find<profile>("p")->badges.get() == std::vector<std::string>{"new"});
  look();
  small->checkpoint().value();
  for (std::uint64_t n = 0; n < count / 20; ++n) small->tend().value();
  look();
  std::size_t left = 0;
  small->endpoint()
      .storage()
      .read([&](auto& view) -> result<> {
        view.scan(area::records, history::index_key(state::parts_of(0)),
                  [&](auto, auto) { return ++left > 0; });
        return {};
      })
      .value();
  CHECK(left == 0);
  CHECK(most <= cache + each * 3 * 600);  // and one transaction
}

}  // namespace large_tests
