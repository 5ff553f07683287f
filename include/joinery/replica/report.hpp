// Reports: what an operation on a replica did.
//
// Purpose: the small values that the replica gives back and a session passes on.
// Invariants: counts are of this one operation.
// Thread-safety: values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace joinery {

/// What `ingest` did with a batch of changesets from a peer.
struct ingest_report {
  std::size_t integrated = 0;  ///< new here, now in the log and the state
  std::size_t duplicates = 0;  ///< known already
  std::size_t held = 0;        ///< kept until their predecessors, or their time, have come
  std::size_t dropped = 0;     ///< held before, and found at fault when their turn came; or too
                               ///< early, while another waits under the same dot
  std::size_t operations = 0;  ///< in the integrated ones
  std::size_t records = 0;     ///< that the integrated ones touched

  ingest_report& operator+=(const ingest_report& other) {
    integrated += other.integrated;
    duplicates += other.duplicates;
    held += other.held;
    dropped += other.dropped;
    operations += other.operations;
    records += other.records;
    return *this;
  }
};

}  // namespace joinery
