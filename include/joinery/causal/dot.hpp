// dot: the name of one changeset inside a replica's memory.
//
// Purpose: (replica, seq), with the replica as an index into a `roster`, so that dots are small and
// versions are arrays. Wherever bytes leave the replica, the 128-bit id stands in its place.
// Invariants: seq counts from 1; 0 means "none".
// Thread-safety: values.
#pragma once

#include <compare>
#include <cstdint>

namespace joinery::causal {

using replica_index = std::uint32_t;
using seq_number = std::uint64_t;

struct dot {
  replica_index replica = 0;
  seq_number seq = 0;
  friend constexpr auto operator<=>(const dot&, const dot&) = default;
};

}  // namespace joinery::causal
