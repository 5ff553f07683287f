// Two operations of one changeset sent as one.
#include <catch2/catch.hpp>

#include "joinery/crdt/coalesce.hpp"
#include "joinery/testing/execution.hpp"

namespace {

using namespace joinery::crdt;
using joinery::bytes;
using joinery::testing::execution;
using joinery::testing::law_subject;
using joinery::testing::law_subject_of;
using joinery::testing::prng;

/// What goes wrong where two deltas in a row are coalesced; counts how often they were.
std::string wrong_in(const law_subject& type, shape kinds, std::uint64_t seed,
                     std::size_t& coalesced) {
  const execution run(type, seed, 10);
  prng random(seed);
  for (const auto& m : run.moments()) {
    const auto r = static_cast<replica_index>(random.below(run.replicas().size()));
    const auto c = m.next(r, 9);
    auto both = m.state, one = m.state;
    const auto older = type.delta(random, both, r);
    type.apply(both, older, c.by());
    const auto newer = type.delta(random, both, r);
    type.apply(both, newer, c.by());
    if (coalescing_key(kinds, older) != coalescing_key(kinds, newer)) continue;
    const auto delta = coalesce(kinds, older, newer);
    if (!delta) continue;
    ++coalesced;
    if (!valid_delta(kinds, *delta)) return "refused: " + joinery::to_hex(*delta);
    type.apply(one, *delta, c.by());
    if (one != both)
      return joinery::to_hex(older) + " and " + joinery::to_hex(newer) + " are not " +
             joinery::to_hex(*delta) + " on " + joinery::to_hex(m.state);
  }
  return {};
}

template <class C>
void check_coalescing() {
  std::size_t coalesced = 0;
  std::string wrong;
  for (std::uint64_t seed = 1; seed <= 200 && wrong.empty(); ++seed)
    wrong = wrong_in(law_subject_of<C>, C::type(), seed, coalesced);
  CHECK(wrong == "");
  CHECK(coalesced > 20);
}

TEST_CASE("a coalesced delta does what the two did, for every type") {
  check_coalescing<lww<int>>();
  check_coalescing<mv<std::string>>();
  check_coalescing<or_set<int>>();
  check_coalescing<pn_counter>();
  check_coalescing<g_counter>();
  check_coalescing<tally<int>>();
  check_coalescing<max_of<int>>();
  check_coalescing<min_of<std::string>>();
  check_coalescing<flag>();
}

TEST_CASE("a coalesced delta does what the two did, inside maps") {
  check_coalescing<map<bool, lww<int>>>();
  check_coalescing<map<bool, or_set<bool>>>();
  check_coalescing<map<bool, pn_counter>>();
  check_coalescing<map<bool, map<bool, tally<bool>>>>();
}

TEST_CASE("increments whose sum leaves 64 bits stay two") {
  const auto most = pn_counter::add(std::numeric_limits<std::int64_t>::max());
  CHECK(coalesce(kind::pn_counter, most, most) == std::nullopt);
  CHECK(coalesce(kind::pn_counter, most, pn_counter::add(-1)).has_value());
}

TEST_CASE("an erasure and what follows it are never one") {
  map<int, flag> m;
  version seen;
  seen.set(0, 1);
  const stamp by{{0, 1}, 1, seen};
  const auto on = m.update(1, flag::set(true));
  m.apply(on, by);
  const auto gone = m.erase(1).value();
  CHECK(coalesce(m.type(), on, gone) == std::nullopt);
  m.apply(gone, by);
  CHECK(coalesce(m.type(), gone, m.update(1, flag::set(true))) == std::nullopt);
}

}  // namespace
