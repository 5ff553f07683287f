// A small sports app with every way to store something: records, large fields, an index, a table
// that stays on the device; and random changes to it.
//
// Purpose: what the crash tests keep on LMDB, with limits so small that snapshots, trimming and
// clean-up are always under way.
// Thread-safety: values.
#pragma once

#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/replica.hpp"
#include "joinery/store/lmdb.hpp"
#include "joinery/testing/prng.hpp"

namespace crash_tests {

using namespace joinery;
using history::durability;
using history::memory_storage;
using store::lmdb;
using testing::prng;

struct workout {
  BOOST_HANA_DEFINE_STRUCT(workout, (lww<std::string>, title), (pn_counter, xp),
                           (or_set<std::string>, tags), (map<std::string, lww<std::string>>, notes),
                           (tally<std::string>, grants));
};
struct post {
  BOOST_HANA_DEFINE_STRUCT(post, (lww<std::string>, text), (g_counter, likes));
};
struct draft {
  BOOST_HANA_DEFINE_STRUCT(draft, (lww<std::string>, text), (pn_counter, edits));
};
using app = tables<table<"workouts", workout, joinery::index<&workout::title>>,
                   table<"posts", post, delete_wins>, table<"drafts", draft, local_only>>;

using disk_replica = replica<app, lmdb>;
using memory_replica = replica<app, memory_storage>;

inline replica_options small_options(manual_clock& time, prng& dice) {
  replica_options o;
  o.space = space_named("crash tests");
  o.time = &time;
  o.random = &dice;
  o.cache_bytes = 6000;
  o.large_field_bytes = 150;
  o.snapshot_records = 6;
  o.snapshot_log_bytes = 3000;
  o.snapshot_step_records = 3;
  o.snapshot_step_bytes = 3000;
  o.retain_log_bytes = 6000;
  o.acknowledge_after_ms = 1000;
  o.clean_up_records = 8;
  o.sync_interval_ms = 400;
  o.scrub_every_ms = 5000;
  o.scrub_step_entries = 64;
  o.full_retry_ms = 0;
  o.max_clock_drift_ms = ~std::uint64_t{0};
  return o;
}

inline result<disk_replica> open_on_disk(const std::string& path, durability mode,
                                         const replica_options& options) {
  auto storage = lmdb::open({.path = path, .mode = mode, .initial_map_bytes = 1});
  if (!storage) return storage.error();
  return disk_replica::open(std::move(*storage), options);
}

inline std::string text_of(prng& dice, std::size_t most) {
  return std::string(1 + dice.below(most), static_cast<char>('a' + dice.below(26)));
}

template <class Record>
void touch(Record& r, prng& dice) {
  if constexpr (requires { r.likes; }) {
    r.text = text_of(dice, 300);
    r.likes += 1;
  } else {
    const auto element = "element " + std::to_string(dice.below(30));
    switch (dice.below(7)) {
      case 0: r.title = text_of(dice, 12); break;
      case 1: r.xp += static_cast<int>(dice.below(50)); break;
      case 2: r.tags.insert(element); break;
      case 3: r.tags.erase(element); break;
      case 4: r.notes[element] = text_of(dice, 40); break;
      case 5: r.notes.erase(element); break;
      default: r.grants.grant(element, dice.below(20));
    }
  }
}

/// A few random operations on one record, in `tx`.
template <class Record, class Tx>
void change_one(Tx& tx, prng& dice) {
  const auto key = "key " + std::to_string(dice.below(9));
  auto there = tx.template find<Record>(key);
  if (there && dice.chance(12)) {
    tx.template erase<Record>(key);
    return;
  }
  auto r = there ? std::move(*there) : tx.template create<Record>(key);
  for (auto n = 1 + dice.below(4); n > 0; --n) touch(r, dice);
}

/// One transaction of random operations.
template <class Db>
result<std::optional<causal::dot>> change(Db& db, prng& dice) {
  return db.write([&](auto& tx) {
    for (auto n = 1 + dice.below(2); n > 0; --n)
      dice.chance(75) ? change_one<workout>(tx, dice) : change_one<post>(tx, dice);
  });
}

/// Counts up in the table that stays on the device.
template <class Db>
result<std::optional<causal::dot>> edit_draft(Db& db) {
  return db.write([](auto& tx) {
    auto there = tx.template find<draft>("draft");
    auto r = there ? std::move(*there) : tx.template create<draft>("draft");
    r.edits += 1;
  });
}
template <class Db>
std::int64_t edits(Db& db) {
  const auto there = db.template find<draft>("draft");
  return there ? *there->edits : 0;
}

}  // namespace crash_tests
