// directory: what the indexes inside records stand for.
//
// Purpose: names and ids of one moment, for readers of records from then.
// Invariants: never changes once it is shared.
// Thread-safety: any number of threads may read it.
#pragma once

#include "joinery/causal/roster.hpp"
#include "joinery/state/names.hpp"

namespace joinery::detail {

/// What the indexes in records stand for.
struct directory {
  state::name_table names;
  causal::roster replicas;
};

}  // namespace joinery::detail
