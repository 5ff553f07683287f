// lmdb_options, lmdb_status: how an LMDB store is opened, and what it tells about itself.
//
// Purpose: what a program may choose, with defaults that suit a phone, and what it may ask.
// Invariants: a status is a copy, taken at one moment.
// Thread-safety: values.
#pragma once

#include <string>

#include "joinery/history/storage.hpp"

namespace joinery::store {

struct lmdb_options {
  /// The store's directory. It holds LMDB's `data.mdb` and `lock.mdb`, and `joinery.lock`, and
  /// belongs to the store alone. Never copy it while it is open: `lmdb::copy_to` does that.
  std::string path;
  history::durability mode = history::durability::commit;
  /// Sees one image of the store, until `refresh`, also while another process writes to it.
  bool read_only = false;
  /// Makes the directory and an empty store when there is none.
  bool create_if_missing = true;
  /// The memory map doubles from `initial` to `most` as the store grows. It takes addresses, not
  /// memory or disk.
  std::size_t initial_map_bytes = std::size_t{64} << 20;
  std::size_t most_map_bytes =
      sizeof(std::size_t) > 4 ? std::size_t{1} << 36 : std::size_t{1} << 29;
  /// A store that is no larger has every page examined when it is opened (about 1 s for 2 GiB, when
  /// cached). Above, that happens only after a crash and when the file is shorter than it says.
  std::uint64_t check_up_to_bytes = std::uint64_t{16} << 20;
  /// How long a write waits for running reads when the map must grow.
  unsigned growth_patience_ms = 10'000;
  bool allow_network_fs = false;
};

struct lmdb_status {
  std::string path;
  history::durability mode = history::durability::commit;
  bool read_only = false;
  bool poisoned = false;        ///< an earlier commit or sync failed: reopen
  std::uint64_t map_bytes = 0;  ///< how far it may grow before the map must
  std::uint64_t most_map_bytes = 0;
  std::uint64_t used_bytes = 0;  ///< up to the last page in use, free pages below it included
  std::uint64_t file_bytes = 0;
  std::uint64_t device_free_bytes = 0;
  /// Not empty: it is on this network file system, as `allow_network_fs` let it be. There another
  /// machine can damage it.
  std::string network_file_system;
  std::uint64_t transaction = 0;  ///< of the newest image, counting committed writes
  unsigned readers = 0;           ///< running reads and pinned images, in all processes
  /// How many commits the oldest of them is behind. Pages freed since then cannot be used again, so
  /// that a large number explains a growing file.
  std::uint64_t oldest_reader_lag = 0;
};

}  // namespace joinery::store
