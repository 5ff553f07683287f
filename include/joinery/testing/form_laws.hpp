// The laws of form: packed states from outside, other rosters, and the canonical form.
//
// Purpose: a state may be sent, stored, carried to another roster and cleaned up, and stays what
// it is.
// Invariants: a law that holds gives nothing.
// Thread-safety: pure functions.
#pragma once

#include "joinery/testing/moments.hpp"

namespace joinery::testing::laws {

/// What replicas come to is accepted from outside, unchanged; so is what they send.
inline breach packing_is_lossless(const execution& run, prng& random) {
  const auto replicas = static_cast<causal::replica_index>(run.replicas().size());
  for (const auto& c : run.changesets())
    for (const auto& d : c.deltas)
      if (!run.type().valid_delta(d)) return "delta refused: " + to_hex(d);
  const auto& m = random.pick(run.moments());
  if (!run.type().valid(m.state, replicas)) return "state refused or changed: " + show(m);
  return std::nullopt;
}

/// Another roster names the same replicas by other numbers; nothing else changes.
inline breach reindexing_is_lossless(const execution& run, prng& random) {
  crdt::reindexing there, back;
  const auto wider = run.replicas().size() + static_cast<std::size_t>(random.below(4));
  std::vector<causal::replica_index> places(wider);
  for (std::size_t i = 0; i < wider; ++i) places[i] = static_cast<causal::replica_index>(i);
  random.shuffle(places);
  back.to.resize(wider);
  causal::roster names;
  std::vector<replica_id> by_place(wider);
  for (auto& id : by_place) id = new_replica_id(random);
  for (causal::replica_index r = 0; r < run.replicas().size(); ++r) {
    there.to.push_back(places[r]);
    back.to[places[r]] = r;
    by_place[places[r]] = run.replicas()[r];
  }
  for (const auto& id : by_place) names.add(id);

  const auto& a = random.pick(run.moments());
  const auto& b = random.pick(run.moments());
  const auto moved = reindexed(a, there);
  if (auto wrong = expect_equal(reindexed(moved, back), a)) return wrong;
  if (!run.type().valid(moved.state, static_cast<causal::replica_index>(wider)))
    return "reindexed state refused: " + show(moved);
  if (run.type().read(moved.state, names) != run.type().read(a.state, run.replicas()))
    return "reindexed state reads differently: " + show(moved);
  return expect_equal(joined(moved, reindexed(b, there)), reindexed(joined(a, b), there));
}

/// The canonical form shows all that the state shows, and is the same when taken twice.
inline breach canonical_form_drops_only_the_dead(const execution& run, prng& random) {
  const auto& m = random.pick(run.moments());
  const auto clean = canonical(m, run);
  const auto replicas = static_cast<causal::replica_index>(run.replicas().size());
  if (!run.type().valid(clean.state, replicas)) return "refused: " + show(clean);
  if (run.type().read(clean.state, run.replicas()) != run.type().read(m.state, run.replicas()))
    return "reads differently: " + show(clean) + " than " + show(m);
  return expect_equal(canonical(clean, run), clean);
}

/// Where every replica has seen all, the canonical form can take the state's place: what comes
/// later merges the same.
inline breach canonical_form_goes_on_the_same(const execution& run, prng& random) {
  moment full{&run.type()};
  for (const auto& c : run.changesets()) full.integrate(c);
  const auto clean = canonical(full, run);
  // Two replicas go on, apart: one cleaned up, one not; and what both would be without any
  // clean-up.
  auto cleaned = clean, kept = full, never_cleaned = full;
  auto same = random;
  for (causal::replica_index r = 0; r < 2; ++r) {
    auto& me = r == 0 ? cleaned : kept;
    auto c = full.next(r, ~causal::hlc{0} >> 1);
    c.deltas.push_back(run.type().delta(random, me.state, r));
    if (c.deltas.back() != run.type().delta(same, full.state, r))
      return "a program would write another delta on " + show(me);
    me.integrate(c);
    never_cleaned.integrate(c);
  }
  const auto expected = canonical(never_cleaned, run);
  if (auto wrong = expect_equal(canonical(joined(cleaned, kept), run), expected)) return wrong;
  return expect_equal(canonical(joined(kept, cleaned), run), expected);
}

}  // namespace joinery::testing::laws
