// status: how a replica is doing.
//
// Purpose: the figures that a program shows its user or its operator.
// Invariants: a copy, taken at one moment.
// Thread-safety: values.
#pragma once

#include <optional>
#include <vector>

#include "joinery/base/error.hpp"
#include "joinery/causal/replica_id.hpp"

namespace joinery {

struct replica_status {
  space_id space;
  replica_id self;
  std::uint64_t changesets = 0;  ///< in the log
  std::uint64_t durable = 0;     ///< of these, synced to the device
  std::uint64_t snapshot = 0;    ///< log position that the last snapshot covers
  std::size_t replicas = 0;      ///< that have written to the space
  std::size_t held = 0;          ///< changesets that wait for predecessors or their time
  std::size_t records_in_memory = 0;
  std::size_t memory_bytes = 0;      ///< of these, of origins' versions, and of what is held; about
  std::size_t dirty_records = 0;     ///< newer than the snapshot
  std::uint64_t watch_failures = 0;  ///< how often a callback of `watch` threw
  bool read_only = false;
  /// What the space, or a peer's change to it, says of a field otherwise than this program.
  std::vector<error> schema_conflicts;
  std::optional<error> last_snapshot_error;  ///< why the last snapshot step failed, if it did
};

}  // namespace joinery
