// Comparing in place: the same answers as of the strings' own comparisons.
#include <catch2/catch.hpp>

#include <random>
#include <vector>

#include "joinery/base/comparing.hpp"

using joinery::bytes;

TEST_CASE("strings compare in place as they do by themselves") {
  std::mt19937 random{1};
  std::vector<bytes> all;
  for (std::size_t size = 0; size <= 40; ++size)
    for (int n = 0; n < 6; ++n) {
      // Few letters, zeros and high bytes among them, so that beginnings and ends are often equal.
      auto& s = all.emplace_back();
      while (s.size() < size) s += "\0a\xFF"[random() % 8 < 6 ? 1 : random() % 3];
    }
  for (const auto& a : all)
    for (const auto& b : all) {
      REQUIRE(joinery::comes_before(a, b) == (a < b));
      REQUIRE(joinery::same_bytes(a, b) == (a == b));
      const auto x = joinery::first_bytes(a), y = joinery::first_bytes(b);
      if (x != y) REQUIRE((x < y) == (a < b));
    }
}

TEST_CASE("a string that differs in one byte is another") {
  for (std::size_t size = 1; size <= 24; ++size)
    for (std::size_t at = 0; at < size; ++at) {
      const bytes a(size, 'x');
      auto b = a;
      b[at] = 'y';
      CHECK(joinery::same_bytes(a, bytes{a}));
      CHECK_FALSE(joinery::same_bytes(a, b));
      CHECK(joinery::comes_before(a, b));
      CHECK_FALSE(joinery::comes_before(b, a));
      if (size <= joinery::told_by_ends)
        CHECK_FALSE(joinery::string_ends{a} == joinery::string_ends{b});
    }
}
