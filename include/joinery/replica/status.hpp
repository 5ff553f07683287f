// status: how a replica is doing.
//
// Purpose: the figures that a program shows its user or its operator.
// Invariants: a copy, taken at one moment.
// Thread-safety: values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "joinery/base/error.hpp"
#include "joinery/replica/fork_report.hpp"
#include "joinery/replica/members.hpp"
#include "joinery/replica/write_block.hpp"

namespace joinery {

/// An entry of the store that was found damaged, and is not there again yet.
struct damaged_entry {
  std::string place;
  std::uint64_t when_ms = 0;  ///< found, by the replica's clock
};

struct replica_status {
  space_id space;
  replica_id self;
  std::uint64_t changesets = 0;  ///< integrated, whether the log still has them or not
  std::uint64_t durable = 0;     ///< log position up to which all is synced to the device
  std::uint64_t log_floor = 0;   ///< log position up to which entries were dropped
  std::uint64_t log_bytes = 0;   ///< of changesets in the log
  std::uint64_t snapshot = 0;    ///< log position that the last snapshot covers
  std::size_t replicas = 0;      ///< that have written to the space
  std::size_t held = 0;          ///< changesets that wait for predecessors or their time
  std::size_t records_in_memory = 0;
  std::size_t memory_bytes = 0;      ///< of these, of origins' versions, and of what is held; about
  std::size_t dirty_records = 0;     ///< newer than the snapshot
  std::uint64_t watch_failures = 0;  ///< how often a callback of `watch` threw
  std::size_t readers = 0;           ///< that live
  std::uint64_t oldest_reader_ms = 0;  ///< the age of the oldest
  bool read_only = false;
  /// What the space, or a peer's change to it, says of a field otherwise than this program.
  std::vector<error> schema_conflicts;
  std::vector<fork_report> forks;      ///< origins with two changesets under one dot
  std::vector<replica_id> former_ids;  ///< that this store wrote under before, oldest first
  bool migration_due = false;          ///< `replica::migrate` has, or may have, something to do
  std::optional<error> last_migration_error;
  membership_status membership;
  std::optional<error> last_index_error;      ///< why an index is not used or not complete, if so
  std::optional<error> last_snapshot_error;   ///< why the last snapshot step failed, if it did
  std::optional<error> last_retention_error;  ///< why the log could not be trimmed, if so
  std::optional<write_block> blocked;         ///< the device is full: no writes at present
  bool poisoned = false;                      ///< a commit or sync failed: open the store again
  /// Damaged entries: how many, some of them, and how many were mended since opening.
  std::size_t damaged = 0;
  std::vector<damaged_entry> damaged_entries;
  std::uint64_t repaired = 0;
  /// The log position of a damaged changeset at which opening had to stop: reading shows the state
  /// before it, and nothing is written until it is there again.
  std::optional<std::uint64_t> stopped_at;
  std::uint64_t last_scrub_ms = 0;  ///< when all entries were examined last
};

}  // namespace joinery
