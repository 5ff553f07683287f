// Options of a replica, each with its default and what it bounds.
//
// Purpose: what the program that opens a replica may decide.
// Invariants: defaults are safe for a phone.
// Thread-safety: values; the clock and the random source must outlive the replica.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>

#include "joinery/base/clock.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/schema/descriptor.hpp"
#include "joinery/schema/index.hpp"

namespace joinery {

struct replica_options {
  /// The space; checked against the store's when that exists already. `none` takes the store's.
  space_id space{};
  /// What the program knows of the space. Filled in by `replica`.
  schema::descriptor descriptor{};
  /// Opens although the space knows a field otherwise than the program. Values stay apart by kind;
  /// one of another type is a `type_mismatch` when it is read.
  bool accept_schema_conflicts = false;
  /// Whether opening for writing runs the migrations that the schema declares.
  bool migrate_at_open = true;

  /// Takes a new replica id by itself when the store turns out to be a copy, or put back from an
  /// older image. When false, that is errc::fork until the program calls `renew`.
  bool renew = true;
  /// The indexes that are kept here. Filled in by `replica`.
  std::vector<schema::index_descriptor> indexes{};
  /// The program's tables that never leave the device, and the indexes on them. Filled in by
  /// `replica`.
  schema::descriptor local_descriptor{};
  std::vector<schema::index_descriptor> local_indexes{};

  clock* time = nullptr;            ///< the system's when null
  random_source* random = nullptr;  ///< the system's when null

  /// A changeset stamped further ahead of this device's clock than this is held until its time is
  /// near.
  std::uint64_t max_clock_drift_ms = 24ull * 60 * 60 * 1000;
  /// What may wait for predecessors, in bytes and changesets; more is refused as `flooded`.
  std::size_t max_held_bytes = 64u << 20;
  std::size_t max_held_changesets = 20'000;
  /// The size of a local changeset above which a commit is refused.
  std::size_t max_changeset_bytes = 4u << 20;

  /// In a closed space: how old a change may become before a member that writes nothing says that
  /// it has it.
  std::uint64_t acknowledge_after_ms = 60'000;
  /// For a new device of a closed space: until its admission has reached it, it does not write.
  bool await_admission = false;
  /// How many records one step of clean-up looks at.
  std::size_t clean_up_records = 256;

  /// Records in memory beyond this many bytes are dropped once the snapshot has them. While
  /// somebody watches, up to 1 MiB for copies of records that change comes on top.
  std::size_t cache_bytes = 64u << 20;
  /// A set, tally or map that takes more bytes than this in its record is taken apart: its entries
  /// stand beside the record, each for itself. Fields that an index lists stay whole.
  std::size_t large_field_bytes = 16u << 10;
  /// A snapshot step runs when this many records or log bytes are newer than the last snapshot.
  std::size_t snapshot_records = 16'384;
  std::size_t snapshot_log_bytes = 4u << 20;
  /// What one transaction of a snapshot writes at most, in records, and about, in bytes.
  std::size_t snapshot_step_records = 512;
  std::size_t snapshot_step_bytes = 1u << 20;
  /// A reader ends when it is older: the storage cannot use again what was freed since it was made.
  std::uint64_t max_reader_age_ms = 60'000;
  /// The log is kept until it is larger than this, or its oldest changeset older; below, peers are
  /// served by snapshot.
  std::uint64_t retain_log_bytes = 64u << 20;
  std::uint64_t retain_log_ms = 30ull * 24 * 60 * 60 * 1000;
  /// On a device, entries of the log below the snapshot are merged until their changesets have this
  /// many bytes, or a sixteenth of what is retained. With a cache below 8 MiB, which packing a
  /// large one may take, they become frames of 64 KiB at most. 0: they are left alone.
  std::size_t log_entry_bytes = 4u << 20;
  /// What a snapshot from a peer may take in the storage until it is joined.
  std::uint64_t max_staged_bytes = std::uint64_t{4} << 30;
  /// With `durability::interval`: how long a change may stay unsynced.
  std::uint64_t sync_interval_ms = 1000;

  /// Told what a callback of `watch` threw: the change that it was called for is stored whatever it
  /// does, so it fails no call. Must not throw.
  std::function<void(std::exception_ptr)> watch_failed{};

  /// After a write that found the device full: how long the space refuses writes before one is
  /// tried again.
  std::uint64_t full_retry_ms = 1000;

  /// `tend` examines every entry of the store once in this time, a few at each call; 0: never.
  std::uint64_t scrub_every_ms = 7ull * 24 * 60 * 60 * 1000;
  std::size_t scrub_step_entries = 256;
};

}  // namespace joinery
