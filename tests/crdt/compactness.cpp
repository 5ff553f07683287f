// States hold no more than the contract needs.
#include <catch2/catch.hpp>

#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/testing/execution.hpp"
#include "tests/crdt/cell_of.hpp"

namespace {

using namespace joinery::crdt;
using joinery::bytes;
using joinery::bytes_view;

/// Three replicas write one delta after another, each having seen all before: what is left of 99
/// changesets.
template <class C, class Write>
C after_many(Write write) {
  joinery::testing::moment m{&joinery::testing::law_subject_of<C>};
  for (unsigned i = 0; i < 99; ++i) {
    const auto r = static_cast<replica_index>(i % 3);
    auto c = m.next(r, i);
    c.deltas.push_back(write(C{m.state}, i));
    m.integrate(c);
  }
  return C{m.state};
}

std::size_t dots_in(bytes_view packed) { return detail::read_dots(packed).size(); }

TEST_CASE("an element inserted again and again by all holds the last insertion's dot alone") {
  const auto s =
      after_many<or_set<int>>([](const auto&, unsigned) { return or_set<int>::insert(1); });
  CHECK(dots_in(detail::find_entry(s.state(), encode_value(1)).payload) == 1);
}

TEST_CASE("a flag enabled again and again by all holds one dot") {
  const auto f = after_many<flag>([](const auto&, unsigned) { return flag::set(true); });
  CHECK(dots_in(f.state()) == 1);
}

TEST_CASE("a cell touched again and again by all holds the last touch alone") {
  using cell = crdt_tests::cell_of<pn_counter>;
  const auto c = after_many<cell>([](const cell& now, unsigned) {
    return now.alive() ? *now.update(pn_counter::add(1)) : now.create();
  });
  CHECK(dots_in(c.view().presence) == 1);
  CHECK(c.value().get().value == 98);
}

TEST_CASE("a register written again and again by all holds the last write alone") {
  const auto r =
      after_many<lww<unsigned>>([](const auto&, unsigned i) { return lww<unsigned>::set(i); });
  CHECK(detail::read_writes(r.state()).size() == 1);
}

TEST_CASE("an emptied set and a flag that is off take no bytes") {
  const auto s = after_many<or_set<int>>([](const auto&, unsigned i) {
    const auto v = static_cast<int>(i % 7);
    return i < 50 ? or_set<int>::insert(v) : or_set<int>::erase(v);
  });
  CHECK(s.state().empty());
  CHECK(
      after_many<flag>([](const auto&, unsigned i) { return flag::set(i < 98); }).state().empty());
}

TEST_CASE("the canonical form of a dead entry is its incarnation and its mark") {
  using texts = map<int, lww<std::string>>;
  const auto m = after_many<texts>([](const texts& now, unsigned i) {
    if (i == 98) return *now.erase(1);
    return now.update(1, lww<std::string>::set("a long text that has been deleted"));
  });
  CHECK(m.state().size() > 30);  // it stays under the dead entry: an update may still bring it back
  const auto clean = m.reindexed({{0, 1, 2}, true});
  CHECK(joinery::to_hex(detail::find_entry(clean, encode_value(1)).payload) == "010000");
  CHECK(texts{clean}.size() == 0);
}

TEST_CASE("the canonical form keeps the mark of a killed record") {
  using cell = crdt_tests::cell_of<pn_counter>;
  const auto c = after_many<cell>([](const cell& now, unsigned i) {
    if (!now.alive()) return now.create();
    return i == 98 ? *now.erase(true) : *now.update(pn_counter::add(1));
  });
  CHECK(joinery::to_hex(c.reindexed({{0, 1, 2}, true})) == "010100");
}

}  // namespace
