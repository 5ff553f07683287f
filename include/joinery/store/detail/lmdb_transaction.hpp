// lmdb_transaction, lmdb_cursor: LMDB's handles that end themselves.
//
// Purpose: no path out of a function leaves one open.
// Invariants: a transaction that was not committed is aborted; a cursor is closed before its
// transaction ends. A child of fork leaves its parent's transactions alone: ending a read there
// would free a slot that the parent uses.
// Thread-safety: a write transaction belongs to the thread that began it.
#pragma once

#include <lmdb.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>

#include "joinery/history/storage.hpp"

namespace joinery::store::detail {

struct abort_transaction {
  pid_t pid = 0;  ///< of the process that began it
  void operator()(MDB_txn* txn) const noexcept {
    if (::getpid() == pid) ::mdb_txn_abort(txn);
  }
};
using lmdb_transaction = std::unique_ptr<MDB_txn, abort_transaction>;

struct close_cursor {
  void operator()(MDB_cursor* cursor) const noexcept { ::mdb_cursor_close(cursor); }
};
using lmdb_cursor = std::unique_ptr<MDB_cursor, close_cursor>;

/// The database of each area; none yet when a reader met a store that is just being made.
using lmdb_areas = std::array<std::optional<MDB_dbi>, history::area_count>;

inline MDB_val to_val(bytes_view data) noexcept {
  return {data.size(),
          const_cast<char*>(data.data())};  // LMDB does not write through what it is given
}
inline bytes_view to_view(const MDB_val& data) noexcept {
  return {static_cast<const char*>(data.mv_data), data.mv_size};
}

}  // namespace joinery::store::detail
