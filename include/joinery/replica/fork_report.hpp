// fork_report: where the history of one origin parts.
//
// Purpose: what a program shows its operator; the changesets themselves are in the store.
// Invariants: `ours` and `theirs` are BLAKE2b-256 of two changesets under the dot (origin, seq);
// `theirs` is the hash of nothing when the other one was too large to be fetched, `ours` when the
// log no longer has it.
// Thread-safety: values.
#pragma once

#include "joinery/causal/replica_id.hpp"
#include "joinery/crypto/hash.hpp"

namespace joinery {

struct fork_report {
  replica_id origin;
  std::uint64_t seq = 0;
  crypto::digest ours;
  crypto::digest theirs;
};

}  // namespace joinery
