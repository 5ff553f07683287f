// Versions and rosters.
#include <catch2/catch.hpp>

#include "joinery/causal/roster.hpp"
#include "joinery/causal/version.hpp"
#include "joinery/testing/prng.hpp"

namespace {

using namespace joinery::causal;

version of(std::initializer_list<seq_number> seqs) {
  version v;
  replica_index r = 0;
  for (const auto seq : seqs) v.set(r++, seq);
  return v;
}

TEST_CASE("a version has seen every dot up to its number, and none beyond") {
  const auto v = of({3, 0, 1});
  CHECK(v.seen({0, 1}));
  CHECK(v.seen({0, 3}));
  CHECK_FALSE(v.seen({0, 4}));
  CHECK_FALSE(v.seen({1, 1}));
  CHECK(v.seen({2, 1}));
  CHECK_FALSE(v.seen({1'000'000, 1}));
  CHECK(v.at(1'000'000) == 0);
  CHECK(v.total() == 4);
}

TEST_CASE("raising a version never lowers it") {
  auto v = of({3});
  v.raise({0, 2});
  CHECK(v.at(0) == 3);
  v.raise({0, 4});
  v.raise({5, 1});
  CHECK(v.at(0) == 4);
  CHECK(v.at(5) == 1);
  CHECK(v.at(4) == 0);
}

TEST_CASE("merging takes the greater of each, and covers both") {
  auto a = of({3, 1});
  const auto b = of({1, 2, 5});
  CHECK_FALSE(a.covers(b));
  CHECK_FALSE(b.covers(a));
  a.merge(b);
  CHECK(a == of({3, 2, 5}));
  CHECK(a.covers(b));
  CHECK(a.covers(of({})));
  CHECK(of({}).covers(of({})));
}

TEST_CASE("trailing replicas that wrote nothing do not make versions differ") {
  auto longer = of({1});
  longer.set(9, 4);
  longer.set(9, 0);
  CHECK(longer == of({1}));
  CHECK(of({1}) == longer);
  CHECK_FALSE(longer == of({2}));
  version empty;
  empty.set(1000, 0);
  CHECK(empty.size() == 0);
}

TEST_CASE("covering is a partial order, and merging its least upper bound") {
  joinery::testing::prng random(4);
  const auto some = [&] { return of({random.below(3), random.below(3), random.below(3)}); };
  for (int i = 0; i < 2'000; ++i) {
    const auto a = some(), b = some(), c = some();
    if (a.covers(b) && b.covers(a)) CHECK(a == b);
    if (a.covers(b) && b.covers(c)) CHECK(a.covers(c));
    auto both = a;
    both.merge(b);
    if (c.covers(a) && c.covers(b)) CHECK(c.covers(both));
  }
}

joinery::replica_id id(unsigned char n) { return {{n}}; }

TEST_CASE("a roster gives each id one index for good, dense from 0") {
  roster r;
  CHECK(r.add(id(9)) == 0);
  CHECK(r.add(id(3)) == 1);
  CHECK(r.add(id(9)) == 0);
  CHECK(r.size() == 2);
  CHECK(r[1] == id(3));
  CHECK(r.find(id(3)) == 1u);
  CHECK_FALSE(r.find(id(4)).has_value());
}

TEST_CASE("a roster forgets what was added last, and gives the index anew") {
  roster r;
  r.add(id(1));
  r.add(id(2));
  r.add(id(3));
  r.shrink(1);
  CHECK(r.size() == 1);
  CHECK_FALSE(r.find(id(2)).has_value());
  CHECK(r.add(id(3)) == 1);
  CHECK(r[1] == id(3));
  r.shrink(5);
  CHECK(r.size() == 2);
}

}  // namespace
