// The laws of CRDTs, to hold any type against.
//
// Purpose: `broken_law<C>()` runs thousands of small executions of replicas of `C` and looks for a law that one of them
// breaks. joinery's own types are held to it, and so should be a CRDT that you write:
//
//     CHECK(joinery::testing::broken_law<my_crdt>() == "");   // any test framework will do
//
// Invariants: the same options find the same breach on every machine. Shapiro et al. 2011 give the laws of join;
// the others say that changesets and states are two views of one thing.
// Thread-safety: pure functions.
#pragma once

#include <map>
#include <optional>

#include "joinery/testing/execution.hpp"

namespace joinery::testing {

namespace laws {

/// What is wrong; nothing when the law holds of this execution.
using breach = std::optional<std::string>;

template <class C>
std::string show(const moment<C>& m) {
  std::string out = to_hex(m.state.state()) + " at";
  for (causal::replica_index r = 0; r < m.seen.size(); ++r)
    out += " " + std::to_string(m.seen.at(r));
  return out;
}
template <class C>
breach expect_equal(const moment<C>& got, const moment<C>& expected) {
  if (got.state == expected.state && got.seen == expected.seen) return std::nullopt;
  return "got " + show(got) + ", expected " + show(expected);
}

template <class C>
moment<C> joined(moment<C> a, const moment<C>& b) {
  a.join(b);
  return a;
}

/// The moment as a replica with another roster has it.
template <class C>
moment<C> reindexed(const moment<C>& m, const crdt::reindexing& map) {
  moment<C> out{C{m.state.reindexed(map)}, {}};
  for (causal::replica_index r = 0; r < m.seen.size(); ++r)
    if (m.seen.at(r) != 0) out.seen.set(map[r], m.seen.at(r));
  return out;
}
/// All replicas keep their indexes; what is dead is left out.
template <class C>
moment<C> canonical(const moment<C>& m, const execution<C>& run) {
  crdt::reindexing map;
  for (causal::replica_index r = 0; r < run.replicas().size(); ++r) map.to.push_back(r);
  map.canonical = true;
  return reindexed(m, map);
}

template <class C>
breach join_is_associative(const execution<C>& run, prng& random) {
  const auto& a = random.pick(run.moments());
  const auto& b = random.pick(run.moments());
  const auto& c = random.pick(run.moments());
  return expect_equal(joined(joined(a, b), c), joined(a, joined(b, c)));
}

template <class C>
breach join_is_commutative(const execution<C>& run, prng& random) {
  const auto& a = random.pick(run.moments());
  const auto& b = random.pick(run.moments());
  return expect_equal(joined(a, b), joined(b, a));
}

template <class C>
breach join_is_idempotent(const execution<C>& run, prng& random) {
  const auto& a = random.pick(run.moments());
  return expect_equal(joined(a, a), a);
}

/// A join holds both sides: joining either again, or any state that was already in, changes nothing.
template <class C>
breach join_only_grows(const execution<C>& run, prng& random) {
  const auto& a = random.pick(run.moments());
  const auto& b = random.pick(run.moments());
  const auto both = joined(a, b);
  for (const auto* part : {&a, &b})
    if (auto wrong = expect_equal(joined(both, *part), both)) return wrong;
  return a.seen.covers(b.seen) ? expect_equal(both, a) : std::nullopt;
}

/// Changesets in any causal order do what a join does.
template <class C>
breach deltas_and_states_agree(const execution<C>& run, prng& random) {
  const auto& a = random.pick(run.moments());
  const auto& b = random.pick(run.moments());
  auto caught_up = a;
  run.catch_up(caught_up, b.seen, random);
  return expect_equal(caught_up, joined(a, b));
}

/// Whatever came by which way: who has seen the same holds the same bytes.
template <class C>
breach equal_versions_have_equal_bytes(const execution<C>& run, prng&) {
  std::map<std::vector<causal::seq_number>, const moment<C>*> first;
  for (const auto& m : run.moments()) {
    std::vector<causal::seq_number> seen;
    for (causal::replica_index r = 0; r < run.replicas().size(); ++r) seen.push_back(m.seen.at(r));
    const auto [at, fresh] = first.try_emplace(seen, &m);
    if (fresh) continue;
    if (auto wrong = expect_equal(m, *at->second)) return wrong;
  }
  return std::nullopt;
}

/// A replica that begins with nothing, joins states and integrates changesets as they come, ends where one that
/// integrates all changesets in the order of their making ends.
template <class C>
breach every_way_ends_equal(const execution<C>& run, prng& random) {
  moment<C> in_order, mixed;
  for (const auto& c : run.changesets()) in_order.integrate(c);
  for (int i = 0; i < 4; ++i) {
    run.catch_up(mixed, random.pick(run.moments()).seen, random);
    mixed = random.chance(50) ? joined(mixed, random.pick(run.moments()))
                              : joined(random.pick(run.moments()), mixed);
  }
  run.catch_up(mixed, in_order.seen, random);
  return expect_equal(mixed, in_order);
}

/// What replicas come to is accepted from outside, unchanged; so is what they send.
template <class C>
breach packing_is_lossless(const execution<C>& run, prng& random) {
  const auto replicas = static_cast<causal::replica_index>(run.replicas().size());
  for (const auto& c : run.changesets())
    for (const auto& d : c.deltas)
      if (!C::rules_type::valid_delta(d)) return "delta refused: " + to_hex(d);
  const auto& m = random.pick(run.moments());
  const auto unpacked = crdt::unpack<C>(m.state.state(), replicas);
  if (!unpacked) return "state refused: " + show(m);
  return expect_equal({*unpacked, m.seen}, m);
}

/// Another roster names the same replicas by other numbers; nothing else changes.
template <class C>
breach reindexing_is_lossless(const execution<C>& run, prng& random) {
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
  if (!crdt::unpack<C>(moved.state.state(), static_cast<causal::replica_index>(wider)))
    return "reindexed state refused: " + show(moved);
  if (generator<C>::read(moved.state, names) != generator<C>::read(a.state, run.replicas()))
    return "reindexed state reads differently: " + show(moved);
  return expect_equal(joined(moved, reindexed(b, there)), reindexed(joined(a, b), there));
}

/// The canonical form shows all that the state shows, and is the same when taken twice.
template <class C>
breach canonical_form_drops_only_the_dead(const execution<C>& run, prng& random) {
  const auto& m = random.pick(run.moments());
  const auto clean = canonical(m, run);
  const auto replicas = static_cast<causal::replica_index>(run.replicas().size());
  if (!crdt::unpack<C>(clean.state.state(), replicas)) return "refused: " + show(clean);
  if (generator<C>::read(clean.state, run.replicas()) !=
      generator<C>::read(m.state, run.replicas()))
    return "reads differently: " + show(clean) + " than " + show(m);
  return expect_equal(canonical(clean, run), clean);
}

/// Where every replica has seen all, the canonical form can take the state's place: what comes later merges the same.
template <class C>
breach canonical_form_goes_on_the_same(const execution<C>& run, prng& random) {
  moment<C> full;
  for (const auto& c : run.changesets()) full.integrate(c);
  const auto clean = canonical(full, run);
  // Two replicas go on, apart: one cleaned up, one not; and what both would be without any clean-up.
  auto cleaned = clean, kept = full, never_cleaned = full;
  auto same = random;
  for (causal::replica_index r = 0; r < 2; ++r) {
    auto& me = r == 0 ? cleaned : kept;
    changeset c{{r, full.seen.at(r) + 1}, ~std::uint64_t{0} >> 1, full.seen, {}};
    c.context.raise(c.at);
    c.deltas.push_back(generator<C>::delta(random, me.state, r));
    if (c.deltas.back() != generator<C>::delta(same, full.state, r))
      return "a program would write another delta on " + show(me);
    me.integrate(c);
    never_cleaned.integrate(c);
  }
  const auto expected = canonical(never_cleaned, run);
  if (auto wrong = expect_equal(canonical(joined(cleaned, kept), run), expected)) return wrong;
  return expect_equal(canonical(joined(kept, cleaned), run), expected);
}

template <class C>
struct law {
  std::string_view name;
  breach (*broken_by)(const execution<C>&, prng&);
};

template <class C>
inline constexpr law<C> all[] = {
    {"join is associative", join_is_associative},
    {"join is commutative", join_is_commutative},
    {"join is idempotent", join_is_idempotent},
    {"join only grows", join_only_grows},
    {"deltas and states agree", deltas_and_states_agree},
    {"equal versions have equal bytes", equal_versions_have_equal_bytes},
    {"every way ends equal", every_way_ends_equal},
    {"packing is lossless", packing_is_lossless},
    {"reindexing is lossless", reindexing_is_lossless},
    {"the canonical form drops only the dead", canonical_form_drops_only_the_dead},
    {"the canonical form goes on the same", canonical_form_goes_on_the_same},
};

}  // namespace laws

struct law_options {
  std::uint64_t first_seed = 1;
  unsigned executions = 1000;
  unsigned steps = 16;  ///< of one execution: a changeset made, delivered, or a state joined
  unsigned samples = 1;  ///< how many states each law is tried on in an execution
};

/// The first law that some execution breaks, with its seed; empty when none does.
template <generated C>
std::string broken_law(const law_options& options = {}) {
  for (auto seed = options.first_seed; seed < options.first_seed + options.executions; ++seed) {
    const execution<C> run(seed, options.steps);
    prng random(~seed);
    for (unsigned i = 0; i < options.samples; ++i)
      for (const auto& law : laws::all<C>)
        if (const auto wrong = law.broken_by(run, random))
          return std::string{law.name} + " (seed " + std::to_string(seed) + "): " + *wrong;
  }
  return {};
}

}  // namespace joinery::testing
