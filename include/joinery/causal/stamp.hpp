// stamp: who made a change, when, and having seen what.
//
// Purpose: everything a CRDT needs to know of the changeset that a delta comes in.
// Invariants: `context` covers `at`: an operation sees the earlier operations of its own changeset.
// Thread-safety: a view; the context must outlive it.
#pragma once

#include "joinery/causal/hlc.hpp"
#include "joinery/causal/version.hpp"

namespace joinery::causal {

struct stamp {
  dot at;
  hlc time = 0;
  const version& context;
};

}  // namespace joinery::causal
