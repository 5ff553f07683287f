// The laws of CRDTs, to hold any type against.
//
// Purpose: `broken_law<C>()` runs a thousand small executions of replicas of `C` and looks for a
// law that one of them breaks. joinery's own types are held to it, and so should be a CRDT that
// you write:
//
//     CHECK(joinery::testing::broken_law<my_crdt>() == "");  // any test framework will do
//
// Invariants: the same options find the same breach on every machine.
// Thread-safety: pure functions.
#pragma once

#include "joinery/testing/form_laws.hpp"
#include "joinery/testing/merge_laws.hpp"

namespace joinery::testing {

namespace laws {

struct law {
  std::string_view name;
  breach (*broken_by)(const execution&, prng&);
};

inline constexpr law all[] = {
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
  unsigned steps = 16;   ///< of one execution: a changeset made, delivered, or a state joined
  unsigned samples = 1;  ///< how many states each law is tried on in an execution
};

/// The first law that some execution breaks, with its seed; empty when none does.
inline std::string broken_law(const law_subject& type, const law_options& options = {}) {
  for (auto seed = options.first_seed; seed < options.first_seed + options.executions; ++seed) {
    const execution run(type, seed, options.steps);
    prng random(~seed);
    for (unsigned i = 0; i < options.samples; ++i)
      for (const auto& law : laws::all)
        if (const auto wrong = law.broken_by(run, random))
          return std::string{law.name} + " (seed " + std::to_string(seed) + "): " + *wrong;
  }
  return {};
}

template <generated C>
std::string broken_law(const law_options& options = {}) {
  return broken_law(law_subject_of<C>, options);
}

}  // namespace joinery::testing
