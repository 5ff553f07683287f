// The laws of merging: join, changesets, and that the two agree.
//
// Purpose: each law takes an execution and tries moments of it at random. Shapiro et al. 2011
// give the laws of join; the others say that changesets and states are two views of one thing.
// Invariants: a law that holds gives nothing.
// Thread-safety: pure functions.
#pragma once

#include <map>

#include "joinery/testing/moments.hpp"

namespace joinery::testing::laws {

inline breach join_is_associative(const execution& run, prng& random) {
  const auto& a = random.pick(run.moments());
  const auto& b = random.pick(run.moments());
  const auto& c = random.pick(run.moments());
  return expect_equal(joined(joined(a, b), c), joined(a, joined(b, c)));
}

inline breach join_is_commutative(const execution& run, prng& random) {
  const auto& a = random.pick(run.moments());
  const auto& b = random.pick(run.moments());
  return expect_equal(joined(a, b), joined(b, a));
}

inline breach join_is_idempotent(const execution& run, prng& random) {
  const auto& a = random.pick(run.moments());
  return expect_equal(joined(a, a), a);
}

/// A join holds both sides: joining either again, or any state that was already in, changes
/// nothing.
inline breach join_only_grows(const execution& run, prng& random) {
  const auto& a = random.pick(run.moments());
  const auto& b = random.pick(run.moments());
  const auto both = joined(a, b);
  for (const auto* part : {&a, &b})
    if (auto wrong = expect_equal(joined(both, *part), both)) return wrong;
  return a.seen.covers(b.seen) ? expect_equal(both, a) : std::nullopt;
}

/// Changesets in any causal order do what a join does.
inline breach deltas_and_states_agree(const execution& run, prng& random) {
  const auto& a = random.pick(run.moments());
  const auto& b = random.pick(run.moments());
  auto caught_up = a;
  run.catch_up(caught_up, b.seen, random);
  return expect_equal(caught_up, joined(a, b));
}

/// Whatever came by which way: who has seen the same holds the same bytes.
inline breach equal_versions_have_equal_bytes(const execution& run, prng&) {
  std::map<std::vector<causal::seq_number>, const moment*> first;
  for (const auto& m : run.moments()) {
    std::vector<causal::seq_number> seen;
    for (causal::replica_index r = 0; r < run.replicas().size(); ++r) seen.push_back(m.seen.at(r));
    const auto [at, fresh] = first.try_emplace(seen, &m);
    if (fresh) continue;
    if (auto wrong = expect_equal(m, *at->second)) return wrong;
  }
  return std::nullopt;
}

/// A replica that begins with nothing, joins states and integrates changesets as they come, ends
/// where one that integrates all changesets in the order of their making ends.
inline breach every_way_ends_equal(const execution& run, prng& random) {
  moment in_order{&run.type()}, mixed{&run.type()};
  for (const auto& c : run.changesets()) in_order.integrate(c);
  for (int i = 0; i < 4; ++i) {
    run.catch_up(mixed, random.pick(run.moments()).seen, random);
    mixed = random.chance(50) ? joined(mixed, random.pick(run.moments()))
                              : joined(random.pick(run.moments()), mixed);
  }
  run.catch_up(mixed, in_order.seen, random);
  return expect_equal(mixed, in_order);
}

}  // namespace joinery::testing::laws
