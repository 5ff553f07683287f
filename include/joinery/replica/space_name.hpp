// Space ids derived from names.
//
// Purpose: every device that is told the same name of a space works out the same space id.
// Invariants: the derivation is part of the format.
// Thread-safety: pure functions.
#pragma once

#include "joinery/causal/replica_id.hpp"
#include "joinery/crypto/hash.hpp"

namespace joinery {

/// The id of the space called `name`: the first 16 bytes of BLAKE2b-256("joinery space\0" ‖ name).
inline space_id space_named(std::string_view name) {
  const auto full = crypto::hasher{}.add(bytes_view{"joinery space\0", 14}).add(name).finish();
  return *space_id::from_bytes(full.view().substr(0, 16));
}

}  // namespace joinery
