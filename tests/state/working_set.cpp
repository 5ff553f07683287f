// The working set over a snapshot that counts how often it is asked.
#include <catch2/catch.hpp>

#include "joinery/testing/prng.hpp"
#include "tests/state/heap.hpp"
#include "tests/state/shelf.hpp"

using namespace joinery;
using namespace joinery::state;
using state_tests::heap;
using state_tests::shelf;

namespace {

bytes name(std::uint64_t n) { return "key " + std::to_string(1000 + n); }

struct nothing_stored {
  static result<std::optional<stored_record>> load(name_index /*table*/, bytes_view /*key*/) {
    return std::optional<stored_record>{};
  }
  static result<stored_batch> load_from(name_index /*table*/, bytes_view /*key*/,
                                        batch_limits /*limits*/, const stored_batch& /*spare*/) {
    return stored_batch{};
  }
};

}  // namespace

TEST_CASE("what was used last is dropped last, and what is absent first") {
  shelf cold;
  for (std::uint64_t n = 0; n < 100; ++n) cold.records[{0, name(n)}] = {bytes(500, 'x'), 1};
  working_set set;
  const std::size_t limit = 20'000;
  for (std::uint64_t n = 0; n < 1000; ++n) {
    set.load(cold, 0, name(n % 7)).value();          // hot
    set.load(cold, 0, name(7 + n % 93)).value();     // each of them long unused
    set.load(cold, 0, "absent " + name(n)).value();  // never again
    set.shrink(limit);
    CHECK(set.memory() <= limit);
  }
  for (std::uint64_t n = 0; n < 7; ++n) CHECK(cold.asked[name(n)] == 1);
  CHECK(cold.asked[name(50)] >= 10);
  CHECK(set.size() < 40);
  set.shrink(0);
  CHECK(set.memory() == 0);
  CHECK(set.size() == 0);
}

TEST_CASE("what records take in memory is counted as the heap has it") {
  testing::prng dice{5};
  nothing_stored cold;
  working_set set;
  const auto before = heap();
  for (std::uint64_t n = 0; n < 3000; ++n) {
    auto* s = set.load(cold, 0, name(n) + bytes(n % 30, 'k')).value();
    s->packed = bytes(dice.below(400), 'x');
    set.changed(*s, n);
  }
  set.begin_writing();
  set.written(2000);
  if (const auto took = heap() - before; before > 0) {
    CHECK(set.memory() >= took);
    CHECK(set.memory() <= took + took / 10);
  }
  set.written(1000);
  const auto all = set.memory();
  set.shrink(all / 20);
  CHECK(set.memory() <= all / 20);
  CHECK(set.memory() > all / 40);  // its table has become smaller, too
}

TEST_CASE("a dirty record stays, whatever the limit, until it is written") {
  shelf cold;
  working_set set;
  for (std::uint64_t n = 0; n < 20; ++n) {
    auto* s = set.load(cold, 0, name(n)).value();
    s->packed = "new " + std::to_string(n);
    set.changed(*s, n);
  }
  set.shrink(0);
  CHECK(set.size() == 20);
  CHECK(set.dirty_count() == 20);
  set.begin_writing();
  cold.store(set, 5);
  set.find(0, name(7))->packed = bytes{"changed while others are written"};
  set.changed(*set.find(0, name(7)), 30);
  set.shrink(0);
  CHECK(set.size() == 15);
  CHECK(set.to_write() == 15);
  set.give_up_writing();
  CHECK(set.to_write() == 0);
  CHECK(set.dirty_count() == 15);
  set.begin_writing();
  cold.store(set, 15);
  set.shrink(0);
  CHECK(set.size() == 0);
  CHECK(set.memory() == 0);
  CHECK(cold.records[{0, name(7)}].packed == "changed while others are written");
}

TEST_CASE("random loads, changes, writes and droppings show what a plain map shows") {
  testing::prng dice{7};
  for (int round = 0; round < 30; ++round) {
    shelf cold;
    working_set set;
    std::map<std::pair<name_index, bytes>, bytes> wanted;
    const std::uint64_t keys = 1 + dice.below(600);
    bool writing = false;
    for (std::uint64_t n = 1; n < 900; ++n) {
      const auto table = static_cast<name_index>(dice.below(2));
      const auto key = name(dice.below(keys));
      auto* s = set.load(cold, table, key).value();
      CHECK(bytes{s->packed} == wanted[{table, key}]);
      if (dice.chance(40)) {
        s->packed = wanted[{table, key}] = std::to_string(n);
        set.changed(*s, n);
      }
      if (dice.chance(10)) {
        if (!writing) set.begin_writing();
        cold.store(set, dice.below(set.to_write() + 1));
        writing = set.to_write() > 0;
        if (writing && dice.chance(20)) {
          set.give_up_writing();
          writing = false;
        }
      }
      if (dice.chance(20)) set.put_in_order(dice.below(100));
      if (dice.chance(20)) set.shrink(dice.below(5000));
    }
    for (const name_index table : {0U, 1U}) {
      const auto from = dice.chance(50) ? bytes{} : name(dice.below(keys));
      std::vector<std::pair<bytes, bytes>> shown, all;
      set.for_each(cold, table, from,
                   [&](bytes_view k, bytes_view packed) {
                     shown.emplace_back(k, packed);
                     return true;
                   })
          .value();
      for (const auto& [where, packed] : wanted)
        if (where.first == table && where.second >= from && !packed.empty())
          all.emplace_back(where.second, packed);
      CHECK(shown == all);
    }
  }
}

TEST_CASE("a record is read in once, and nothing is kept of one that cannot be read") {
  shelf cold;
  cold.records[{1, "a"}] = {bytes_view{"cold a"}, 3};
  cold.records[{1, "b"}] = {bytes_view{"cold b"}, 4};
  working_set set;
  auto* a = set.load(cold, 1, "a").value();
  CHECK(a->packed == "cold a");
  CHECK(a->position == 3);
  CHECK(set.load(cold, 1, "zz").value()->packed.empty());
  CHECK(set.find(1, "b") == nullptr);
  CHECK(set.load(cold, 1, "a").value() == a);
  CHECK(cold.asked["a"] == 1);
  set.shrink(0);
  cold.broken = true;
  CHECK_FALSE(set.load(cold, 1, "b"));
  CHECK(set.size() == 0);
  CHECK_FALSE(set.for_each(cold, 1, {}, [](bytes_view, bytes_view) { return true; }));
}

TEST_CASE("a record that somebody else holds stays as it was for them") {
  shelf cold;
  cold.records[{0, "k"}] = {bytes(1000, 'a'), 1};
  working_set set;
  auto* s = set.load(cold, 0, "k").value();
  s->packed.replace(0, 1, "A");  // no longer the shelf's
  const auto* in_place = s->packed.view().data();
  s->packed.replace(0, 1, "b");
  CHECK(s->packed.view().data() == in_place);
  const shared_bytes held = s->packed;
  s->packed.replace(0, 1, "c");
  set.changed(*s, 2);
  CHECK(held.view()[0] == 'b');
  CHECK(s->packed.view()[0] == 'c');
  CHECK(held.view().data() == in_place);
}
