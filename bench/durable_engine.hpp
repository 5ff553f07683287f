// Engines over LMDB for the benchmarks, and stores that have the base.
#pragma once

#include "fitness_engine.hpp"
#include "joinery/store/lmdb.hpp"
#include "raw_lmdb.hpp"

namespace bench {

using lmdb_engine = joinery::engine<joinery::store::lmdb>;

inline lmdb_engine open_on_disk(
    const std::string& folder, joinery::replica_options options,
    joinery::history::durability mode = joinery::history::durability::commit) {
  joinery::store::lmdb_options how;
  how.path = folder;
  how.mode = mode;
  how.initial_map_bytes = std::size_t{1} << 33;  // takes addresses, and growing is not measured
  return lmdb_engine::open(joinery::store::lmdb::open(how).value(), std::move(options)).value();
}

/// A store in `folder` that has the base, as log and as snapshot, and is closed again. It has no
/// free pages that what comes later could fill.
inline void store_base(const std::string& folder, const fitness_workload& w) {
  auto options = with_snapshots();
  options.snapshot_records = std::size_t{1} << 16;
  options.snapshot_log_bytes = std::size_t{1} << 28;
  options.snapshot_step_records = std::size_t{1} << 16;
  options.snapshot_step_bytes = std::size_t{1} << 26;
  const auto made = data_folder("made");
  auto e = open_on_disk(made, options, joinery::history::durability::interval);
  feed(e, w.base_changesets, 10);
  e.checkpoint().value();
  std::filesystem::remove_all(folder);
  e.storage().copy_to(folder, true).value();
}

}  // namespace bench
