// The hybrid logical clock.
#include <catch2/catch.hpp>

#include "joinery/causal/hlc.hpp"
#include "joinery/testing/prng.hpp"

namespace {

using namespace joinery::causal;

TEST_CASE("a stamp is the wall clock's time while that moves") {
  const hybrid_clock c;
  CHECK(c.next(1'700'000'000'000) == hlc{1'700'000'000'000} << 16);
  CHECK(hlc_ms(c.next(1'700'000'000'000)) == 1'700'000'000'000);
}

TEST_CASE(
    "a stamp is above everything observed, when the clock stands still and when it steps back") {
  hybrid_clock c;
  c.observe(hlc_from_ms(1000));
  CHECK(c.next(1000) == hlc_from_ms(1000) + 1);
  CHECK(c.next(7) == hlc_from_ms(1000) + 1);
  CHECK(c.next(1001) == hlc_from_ms(1001));
}

TEST_CASE("observing the past changes nothing") {
  hybrid_clock c;
  c.observe(hlc_from_ms(1000));
  c.observe(hlc_from_ms(999));
  CHECK(c.highest() == hlc_from_ms(1000));
}

TEST_CASE("counting past 16 bits carries into the milliseconds") {
  hybrid_clock c;
  c.observe(hlc_from_ms(1000) | 0xFFFF);
  CHECK(c.next(1000) == hlc_from_ms(1001));
  for (int i = 0; i < 70'000; ++i) c.observe(c.next(1000));
  CHECK(hlc_ms(c.highest()) == 1002);
}

TEST_CASE("stamps rise whatever the wall clock does") {
  joinery::testing::prng random(3);
  hybrid_clock c;
  for (int i = 0; i < 10'000; ++i) {
    const auto stamp = c.next(random.next() >> random.below(64));
    if (c.highest() == ~hlc{0}) break;
    REQUIRE(stamp > c.highest());
    c.observe(stamp);
  }
}

// `highest + 1` began again at 0 here: one stamp from a broken clock made every later one the
// oldest.
TEST_CASE("at the end of 64 bits the clock stands still instead of starting over") {
  hybrid_clock c;
  c.observe(~hlc{0} - 1);
  CHECK(c.next(5) == ~hlc{0});
  c.observe(~hlc{0});
  CHECK(c.next(5) == ~hlc{0});
}

TEST_CASE("a wall clock beyond 48 bits of milliseconds counts as their end") {
  CHECK(hlc_from_ms(~std::uint64_t{0}) == ((hlc{1} << 48) - 1) << 16);
}

}  // namespace
