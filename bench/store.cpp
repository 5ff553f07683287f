// A store of many records: how long until the first read, with the files in the page cache and
// without; how fast points are read and tables walked, with the records in memory and without; how
// much memory they take. The limit is raw LMDB with the same records under the same keys, and, of
// what is in memory, a flat hash table.
// Lines: open/records: open-cold/records: read-cold/records: scan-cold/records:
// Lines: scan-cold/cursor/records: read-hot/records: scan-hot/records: memory/records:
// Lines: memory-bounded
#include <xxhash.h>

#include "skeleton.hpp"
#include "stored.hpp"

namespace {

using namespace bench;

/// Milliseconds to the first record.
sample open(std::uint32_t records, bool cold) {
  const auto& s = stored_of(records);
  if (cold) drop_from_page_cache(s.folder), drop_from_page_cache(s.raw_folder);
  const auto& key = s.w.keys[records / 2];
  const auto ours = seconds([&] {
    auto e = open_on_disk(s.folder, {});
    check(xp_of(e.names(), e.record(fitness_table, key).value()) == s.w.xp[records / 2],
          "the record's XP");
  });
  const auto raw = seconds([&] {
    raw_lmdb db{s.raw_folder, MDB_RDONLY};
    db.read([&](auto& tx) { check(!tx.get(key).empty(), "the record is there"); });
  });
  return {ours, ours * 1e3, raw * 1e3};
}

/// Keys in random order, each as often as another.
std::vector<bytes> shuffled(const fitness_workload& w, std::size_t count) {
  xorshift32 random{7};
  std::vector<bytes> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(w.keys[random.below(w.records)]);
  return out;
}

joinery::replica_options cached(bool all) {
  auto options = without_snapshots();
  options.cache_bytes = all ? std::size_t{1} << 36 : 1;
  return options;
}
void warm_up(lmdb_engine& e, const fitness_workload& w) {
  for (const auto& key : w.keys) check(!e.record(fitness_table, key).value().empty(), "a record");
}
/// The engine that is read from: one is open at a time, and a store opens once.
std::optional<lmdb_engine>& the_reading_engine() {
  static std::optional<lmdb_engine> e;
  return e;
}
/// An engine for reading whose records are all in memory, or none.
lmdb_engine& reading_engine(const stored& s, bool hot) {
  static std::pair<const stored*, bool> open_for;
  auto& e = the_reading_engine();
  if (e && open_for == std::pair{&s, hot}) return *e;
  e.reset();
  open_for = {&s, hot};
  e.emplace(open_on_disk(s.settled_folder, cached(hot)));
  if (hot) warm_up(*e, s.w);
  return *e;
}

sample point_reads(std::uint32_t records, bool hot) {
  const auto& s = stored_of(records);
  auto& e = reading_engine(s, hot);
  const std::size_t count = hot ? 400'000 : 100'000;
  const auto keys = shuffled(s.w, count);
  std::size_t ours = 0, limits = 0;
  sample out;
  out.seconds = seconds_of_core([&] {
    for (const auto& key : keys) ours += bytes_view{e.record(fitness_table, key).value()}.size();
  });
  double raw = 0;
  raw_lmdb db{s.raw_folder, MDB_RDONLY};
  const auto get = [&] {
    db.read([&](auto& tx) {
      for (const auto& key : keys) limits += tx.get(key).size();
    });
  };
  if (hot) {
    const skeleton table{records};
    std::uint64_t xp = 0;
    raw = seconds_of_core([&] {
      for (const auto& key : keys) xp += table.contains(key) ? 1 : 0;
    });
    check(xp == count, "every key is in the table");
    get();
  } else {
    get();  // as warm as ours
    limits = 0;
    raw = seconds_of_core(get);
  }
  check(ours == limits, "the same records are read");
  out.joinery = static_cast<double>(count) / out.seconds;
  out.limit = static_cast<double>(count) / raw;
  return out;
}

/// What a walk is held against: LMDB's get of each key in order, a cursor that does what anyone
/// does who wants the values, which is to read them once, or one that does not look at them.
enum class raw_walk { gets, reading, bare };

double seconds_of_raw(const raw_lmdb& db, raw_walk how, const std::vector<bytes>& in_order,
                      std::size_t& size) {
  std::uint64_t sums = 0;
  const auto took = seconds_of_core([&] {
    db.read([&](auto& tx) {
      if (how == raw_walk::gets)
        for (const auto& key : in_order) size += key.size() + tx.get(key).size();
      else if (how == raw_walk::bare)
        tx.scan([&](auto key, auto value) { size += key.size() + value.size(); });
      else
        tx.scan([&](auto key, auto value) {
          size += key.size() + value.size();
          sums += XXH3_64bits(value.data(), value.size());
        });
    });
  });
  check(how != raw_walk::reading || sums != 0, "the values are read");
  return took;
}

sample scan(std::uint32_t records, bool hot, raw_walk how) {
  const auto& s = stored_of(records);
  auto& e = reading_engine(s, hot);
  std::size_t ours = 0, limits = 0, count = 0;
  sample out;
  out.seconds = seconds_of_core([&] {
    e.for_each(fitness_table, {}, [&](bytes_view key, bytes_view packed) {
       ours += key.size() + packed.size();
       ++count;
       return true;
     }).value();
  });
  auto in_order = s.w.keys;
  if (how == raw_walk::gets) std::sort(in_order.begin(), in_order.end());
  raw_lmdb db{s.raw_folder, MDB_RDONLY};
  const auto raw = seconds_of_raw(db, how, in_order, limits);
  check(count == records && ours == limits, "the same records are read");
  out.joinery = records / out.seconds;
  out.limit = records / raw;
  if (how == raw_walk::reading)
    out.more["ratio_to_bare"] = seconds_of_raw(db, raw_walk::bare, in_order, limits) / out.seconds;
  return out;
}

/// Memory for each record that is in the working set, against its canonical bytes. What an open
/// store takes without any record is told beside it.
sample memory(std::uint32_t records) {
  const auto& s = stored_of(records);
  the_reading_engine().reset();
  sample out;
  const auto closed = anonymous_memory();
  auto e = open_on_disk(s.settled_folder, cached(true));
  const auto before = anonymous_memory();
  out.seconds = seconds([&] { warm_up(e, s.w); });
  out.joinery = (anonymous_memory() - before) / records;
  out.limit = s.canonical_bytes;
  out.more["told"] = static_cast<double>(e.status().memory_bytes) / records;
  out.more["opened"] = before - closed;
  return out;
}

/// Memory after every record was read, with a cache for a part of them.
sample memory_bounded() {
  constexpr std::size_t bound = 64u << 20;
  const auto& s = stored_of(1'000'000);
  sample out;
  joinery::replica_options options;
  options.cache_bytes = bound;
  const auto before = anonymous_memory();
  auto e = open_on_disk(s.folder, options);
  double most = 0;
  out.seconds = seconds([&] {
    std::size_t n = 0;
    for (const auto& key : s.w.keys) {
      check(!e.record(fitness_table, key).value().empty(), "a record");
      if (++n % 100'000 == 0) most = std::max(most, anonymous_memory() - before);
    }
  });
  out.joinery = most / (1u << 20);
  out.limit = bound >> 20;
  out.more["told"] = static_cast<double>(e.status().memory_bytes) / (1u << 20);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::uint32_t records : {10'000u, 100'000u, 1'000'000u}) {
    const bool large = records == 1'000'000;
    const auto add = [&](const std::string& name, const std::string& unit, measure::judge by,
                         double target, auto once) {
      line(name + "/records:" + std::to_string(records), {unit, by, target}, once);
    };
    const auto when_small = records == 10'000 ? measure::at_least : measure::nothing;
    const auto when_large = large ? measure::at_most : measure::nothing;
    add("open", "ms", when_large, 10, [=] { return open(records, false); });
    add("open-cold", "ms", when_large, 40, [=] { return open(records, true); });
    add("read-cold", "op/s", measure::ratio_at_least, 0.5,
        [=] { return point_reads(records, false); });
    add("scan-cold", "record/s", measure::ratio_at_least, 0.5,
        [=] { return scan(records, false, raw_walk::gets); });
    add("scan-cold/cursor", "record/s", measure::nothing, 0,
        [=] { return scan(records, false, raw_walk::reading); });
    add("read-hot", "op/s", when_small, 5e6, [=] { return point_reads(records, true); });
    add("scan-hot", "record/s", when_small, 5e6,
        [=] { return scan(records, true, raw_walk::bare); });
    add("memory", "B/record", measure::ratio_at_most, 2, [=] { return memory(records); });
  }
  line("memory-bounded", {"MiB", measure::ratio_at_most, 1}, memory_bounded);
  return run(argc, argv);
}
