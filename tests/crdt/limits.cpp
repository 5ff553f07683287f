// The ends of numbers and shapes.
#include <catch2/catch.hpp>

#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"

namespace {

using namespace joinery::crdt;
using limits = std::numeric_limits<std::int64_t>;
using joinery::errc;

/// Applies deltas as changesets of one replica after another.
template <class C>
struct writer {
  C state;
  version seen;
  void write(replica_index replica, joinery::bytes_view delta) {
    const dot at{replica, seen.at(replica) + 1};
    seen.raise(at);
    state.apply(delta, {at, 1, seen});
  }
};

TEST_CASE("an increment that would overflow its replica's total is known before") {
  writer<pn_counter> c;
  c.write(0, pn_counter::add(limits::max() - 1));
  CHECK(c.state.can_add(0, 1));
  CHECK_FALSE(c.state.can_add(0, 2));
  CHECK(c.state.can_add(0, limits::min()));
  CHECK(c.state.can_add(1, limits::max()));  // another replica's total is another
  c.write(1, pn_counter::add(limits::min()));
  CHECK(c.state.can_add(1, 0));
  CHECK_FALSE(c.state.can_add(1, -1));
}

TEST_CASE("a total that overflows all the same stops at the end, on every replica") {
  writer<pn_counter> c;
  c.write(0, pn_counter::add(limits::max()));
  c.write(0, pn_counter::add(limits::max()));
  CHECK(c.state.get().value == limits::max());
  CHECK_FALSE(c.state.get().clamped);  // the total is at the end, not beyond
  c.write(0, pn_counter::add(-1));
  CHECK(c.state.get().value == limits::max() - 1);
  writer<pn_counter> down;
  down.write(0, pn_counter::add(limits::min()));
  down.write(0, pn_counter::add(-1));
  CHECK(down.state.get().value == limits::min());
}

TEST_CASE("a sum is taken wide and clamped once, and says so") {
  writer<pn_counter> c;
  c.write(0, pn_counter::add(limits::max()));
  c.write(1, pn_counter::add(limits::max()));
  CHECK(c.state.get().value == limits::max());
  CHECK(c.state.get().clamped);
  c.write(2, pn_counter::add(limits::min()));
  CHECK(c.state.get().value == limits::max() - 1);  // exact again: nothing was lost on the way
  CHECK_FALSE(c.state.get().clamped);
  c.write(3, pn_counter::add(limits::min()));
  c.write(4, pn_counter::add(limits::min()));
  CHECK(c.state.get().value == limits::min());
  CHECK(c.state.get().clamped);
}

TEST_CASE("a tally's amounts use all 64 bits and its sum is clamped") {
  writer<tally<int>> t;
  t.write(0, t.state.grant(1, ~std::uint64_t{0}));
  CHECK(t.state.at(1) == ~std::uint64_t{0});
  CHECK(t.state.get().value == limits::max());
  CHECK(t.state.get().clamped);
  CHECK(t.state.at(2) == std::nullopt);
}

TEST_CASE("a tally keeps a key's greatest amount, and a grant of nothing is a grant") {
  writer<tally<int>> t;
  t.write(0, t.state.grant(1, 5));
  t.write(0, t.state.grant(1, 3));
  t.write(1, t.state.grant(2, 0));
  CHECK(t.state.get().value == 5);
  CHECK(t.state.at(1) == 5);
  CHECK(t.state.at(2) == 0);
}

TEST_CASE("a g_counter refuses to shrink, at the API and from outside") {
  try {
    (void)g_counter::add(-1);
    FAIL("it shrank");
  } catch (const joinery::failure& f) {
    CHECK(f.error().code == errc::invalid_argument);
  }
  CHECK_FALSE(valid_delta(kind::g_counter, pn_counter::add(-1)));
  CHECK(valid_delta(kind::pn_counter, pn_counter::add(-1)));
  writer<pn_counter> negative;
  negative.write(0, pn_counter::add(-1));
  CHECK_FALSE(unpack<g_counter>(negative.state.state(), 1).has_value());
}

TEST_CASE("a value of another type than the program's reads as none, and stays") {
  writer<lww<std::string>> w;
  w.write(0, lww<int>::set(7));
  const joinery::causal::roster one = [] {
    joinery::causal::roster r;
    r.add({{1}});
    return r;
  }();
  CHECK(w.state.get(one) == std::nullopt);
  CHECK(lww<int>{joinery::bytes{w.state.state()}}.get(one) == 7);
}

TEST_CASE("only shapes that can be merged are valid") {
  const auto code = [](std::uint32_t c) { return shape::from_code(c).valid(); };
  for (std::uint32_t k = 1; k <= 9; ++k) {
    CHECK(code(k));
    CHECK(code(k << 8 | 10));
    CHECK(code(k << 24 | 0x0A0A0A));
    CHECK_FALSE(code(k << 8 | k));    // something inside what is no map
    CHECK_FALSE(code(k << 16 | 10));  // a map of nothing, and more behind it
    CHECK_FALSE(code(k << 8));
  }
  CHECK_FALSE(code(0));
  CHECK_FALSE(code(10));          // a map of nothing
  CHECK_FALSE(code(0x0A0A0A0A));  // all the way down
  CHECK_FALSE(code(11));
  CHECK_FALSE(code(0xFF));
  CHECK_FALSE(code(11 << 8 | 10));
  CHECK_FALSE(code(0xFFFFFFFF));
  CHECK_FALSE(shape{}.valid());
}

TEST_CASE("a shape tells its levels from the outside in") {
  constexpr auto s = map<int, map<int, or_set<int>>>::type();
  STATIC_REQUIRE(s.outer() == kind::map);
  STATIC_REQUIRE(s.inner().outer() == kind::map);
  STATIC_REQUIRE(s.inner().inner() == shape{kind::or_set});
  STATIC_REQUIRE(s.levels() == 3);
  STATIC_REQUIRE(shape::from_code(s.code()) == s);
  CHECK(name_of(s.outer()) == "map");
  CHECK(name_of(kind::pn_counter) == "pn_counter");
  CHECK(name_of(kind{99}) == "?");
}

}  // namespace
