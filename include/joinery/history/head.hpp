// head: the last changeset of one origin, and the digest of all its changesets up to it.
//
// Purpose: what replicas compare, so that two different changesets under one dot are found wherever
// they meet.
// Invariants: chain(o, 0) = H(space ‖ o); chain(o, n) = H(chain(o, n-1) ‖ bytes of changeset n), H
// = BLAKE2b-256.
// Thread-safety: values.
#pragma once

#include "joinery/causal/replica_id.hpp"
#include "joinery/crypto/hash.hpp"

namespace joinery::history {

struct head {
  replica_id origin;
  std::uint64_t seq = 0;
  crypto::digest chain;
  friend bool operator==(const head&, const head&) = default;
};

inline crypto::digest chain_start(const space_id& space, const replica_id& origin) {
  return crypto::hasher{}.add(space.view()).add(origin.view()).finish();
}
inline crypto::digest chain_next(const crypto::digest& before, bytes_view changeset) {
  return crypto::hasher{}.add(before.view()).add(changeset).finish();
}

}  // namespace joinery::history
