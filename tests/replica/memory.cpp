// A bounded working set: the same state in a small memory, and walks while others write.
#include <catch2/catch.hpp>

#include <set>

#include "joinery/store/lmdb.hpp"
#include "tests/replica/peer.hpp"
#include "tests/state/heap.hpp"
#include "tests/store/support.hpp"

using namespace replica_tests;
using state_tests::heap;
using store_tests::temporary_directory;

namespace {

std::string key(std::uint64_t n) { return "key " + std::to_string(1'000'000 + n); }

using disk_engine = engine<store::lmdb>;

disk_engine on_disk(const std::string& path, replica_options options) {
  return disk_engine::open(store::lmdb::open({.path = path, .mode = durability::interval}).value(),
                           std::move(options))
      .value();
}

/// A changeset with one number in each of `count` records, from `first` on, `stride` apart.
changeset_writer numbers(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                         std::uint64_t all, int value) {
  changeset_writer w;
  for (std::uint64_t n = 0; n < count; ++n)
    w.add("table", key((first + n * stride) % all),
          {cell_action::update, 1, "number", crdt::kind::lww, lww_delta(value)});
  return w;
}

/// The keys of the living records.
std::vector<std::string> walk_all(peer& p) {
  std::vector<std::string> out;
  p.e->for_each("table", {},
                [&](bytes_view k, bytes_view packed) {
                  if (crdt::read_cell(packed).alive()) out.emplace_back(k);
                  return true;
                })
      .value();
  return out;
}

/// A replica with a cache of `cache` bytes over `records` records, and one that keeps everything.
void same_in_small(std::uint64_t records, std::uint64_t each, std::size_t cache) {
  temporary_directory folder;
  manual_clock time{1'000'000};
  testing::prng dice{3};
  replica_options options;
  options.space = space_named("memory");
  options.time = &time;
  options.random = &dice;
  auto small_options = options;
  small_options.cache_bytes = cache;
  small_options.snapshot_step_records = 64;  // LMDB keeps the pages that a step changes
  auto small = on_disk(folder.path("small"), small_options);
  const auto before = heap();
  std::size_t most = 0, most_on_heap = 0;
  const auto look = [&] {
    most = std::max(most, small.status().memory_bytes);
    most_on_heap = std::max(most_on_heap, heap() - std::min(before, heap()));
  };
  // In strides, so that each changeset touches the whole table; then some of it again.
  for (std::uint64_t n = 0; n < records / each; ++n) {
    small.commit(numbers(n, each, records / each, records, static_cast<int>(n))).value();
    look();
  }
  for (std::uint64_t n = 0; n < 20; ++n) {
    small.commit(numbers(dice.below(records), 100, 7919, records, -1)).value();
    look();
    for (int i = 0; i < 100; ++i) small.record("table", key(dice.below(records))).value();
    look();
  }
  CHECK(small.status().changesets == records / each + 20);
  CHECK(most <= cache + each * 400);          // and one transaction
  CHECK(most_on_heap <= cache + (1u << 20));  // a changeset, and the pages that a write changes
  const auto digest = small.digest().value();
  look();
  CHECK(most_on_heap <= cache + (1u << 20));

  auto large_options = options;
  large_options.cache_bytes = ~std::size_t{0};
  large_options.snapshot_records = ~std::size_t{0};
  large_options.snapshot_log_bytes = ~std::size_t{0};
  auto large = on_disk(folder.path("large"), large_options);
  std::vector<bytes> log;
  small.flush().value();
  small
      .read_log(1,
                [&](auto, const auto&, auto, bytes_view data) {
                  log.emplace_back(data);
                  return true;
                })
      .value();
  for (const auto& data : log) {
    const bytes_view view{data};
    large.ingest({&view, 1}).value();
  }
  CHECK(large.status().records_in_memory == records);
  CHECK(large.digest().value() == digest);
}

}  // namespace

TEST_CASE("a cache that holds little of the records: the same digest, and no more memory") {
  same_in_small(20'000, 100, 100'000);
}
TEST_CASE("a cache of 1 MB over 200 000 records", "[.][large]") {
  same_in_small(200'000, 500, 1u << 20);
}

TEST_CASE("opening a long tail of the log takes no more memory than writing it") {
  peer a{1};
  a.options.snapshot_records = a.options.snapshot_log_bytes = ~std::size_t{0};
  a.options.cache_bytes = ~std::size_t{0};
  a.reopen();
  for (std::uint64_t n = 0; n < 60; ++n) a.e->commit(numbers(n, 50, 60, 3000, 1)).value();
  const auto digest = a.digest();
  CHECK(a.e->status().snapshot == 0);
  CHECK(a.e->status().memory_bytes > 300'000);
  a.options.cache_bytes = 40'000;
  a.reopen();
  CHECK(a.e->status().memory_bytes <= 42'000);
  CHECK(a.digest() == digest);
  a.crash();
  CHECK(a.digest() == digest);
}

TEST_CASE("records that were looked up and are not there do not stay") {
  peer a{1};
  a.options.cache_bytes = 20'000;
  a.reopen();
  a.set(key(1), 1).value();
  for (std::uint64_t n = 0; n < 2000; ++n) CHECK(a.get(key(5000 + n)) == 0);
  CHECK(a.e->status().memory_bytes < 22'000);
  CHECK(a.e->status().records_in_memory < 170);
}

TEST_CASE("a walk goes on in order while its callback writes before, at and behind the cursor") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    peer a{seed};
    testing::prng dice{seed};
    a.options.cache_bytes = dice.chance(50) ? 0 : 200'000;
    a.options.snapshot_records = 1 + dice.below(100);
    a.reopen();
    constexpr std::uint64_t keys = 1600;
    std::vector<int> value(keys, 0);  // 0: none
    for (int round = 1; round <= 8; ++round) {
      changeset_writer w;
      for (std::uint64_t n = dice.below(3); n < keys; n += 1 + dice.below(4)) {
        a.put(w, key(n), round);
        value[n] = round;
      }
      a.e->commit(w).value();
    }
    const auto before = value;
    std::vector<std::set<int>> had(keys);
    for (std::uint64_t n = 0; n < keys; ++n) had[n].insert(value[n]);
    std::vector<int> shown(keys, 0);
    std::set<std::uint64_t> certain;  // changed so far ahead that the walk must see it
    std::string last;
    bool in_order = true;
    a.e->for_each("table", {},
                  [&](bytes_view k, bytes_view packed) {
                    in_order = in_order && bytes{k} > last;
                    last = k;
                    const auto here = std::stoull(last.substr(4)) - 1'000'000;
                    if (!crdt::read_cell(packed).alive()) return true;
                    shown[here] = a.number_in(packed);
                    if (!dice.chance(4)) return true;
                    const auto n = dice.chance(30) ? here : dice.below(keys);
                    if (value[n] != 0 && dice.chance(40)) {
                      a.erase(key(n)).value();
                      value[n] = 0;
                    } else {
                      value[n] = 100 + static_cast<int>(dice.below(1000));
                      a.set(key(n), value[n]).value();
                    }
                    had[n].insert(value[n]);
                    if (n > here + 600) certain.insert(n);
                    return true;
                  })
        .value();
    CAPTURE(seed);
    CHECK(in_order);
    int wrong = 0;
    for (std::uint64_t n = 0; n < keys; ++n) {
      if (!had[n].contains(shown[n])) ++wrong;
      if (had[n].size() == 1 && shown[n] != before[n]) ++wrong;
    }
    CHECK(wrong == 0);
    CHECK(certain.size() > 1);
    for (const auto n : certain)
      if (shown[n] != value[n]) CHECK(had[n].size() > 2);  // changed again, later
    CHECK(walk_all(a).size() == static_cast<std::size_t>(std::count_if(
                                    value.begin(), value.end(), [](int v) { return v != 0; })));
  }
}
