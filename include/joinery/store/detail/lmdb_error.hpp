// What LMDB returns, as our errors.
//
// Purpose: each code of LMDB says what happened and what to do about it, in one place.
// Thread-safety: pure functions.
#pragma once

#include <lmdb.h>

#include "joinery/store/detail/lmdb_format.hpp"

namespace joinery::store::detail {

/// Whether `code` means that pages of the file contradict each other.
constexpr bool means_damage(int code) noexcept {
  return code == MDB_INVALID || code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND ||
         code == MDB_CURSOR_FULL || code == MDB_PAGE_FULL || code == MDB_INCOMPATIBLE;
}

/// LMDB's `code`, not 0, as an error; `call` says what was asked of it.
inline error lmdb_error(int code, const std::string& call, std::string where) {
  if (code > 0) return system_error(code, call, std::move(where));
  auto what = call + ": " + ::mdb_strerror(code);
  if (means_damage(code)) return lmdb_format::damaged(std::move(what), std::move(where));
  switch (code) {
    case MDB_MAP_FULL:
      return {errc::full, std::move(what), std::move(where), "raise most_map_bytes"};
    case MDB_TXN_FULL:
      return {errc::too_large, std::move(what), std::move(where),
              "split the write into several transactions"};
    case MDB_BAD_VALSIZE: return {errc::too_large, std::move(what), std::move(where), ""};
    case MDB_PANIC:
      return {errc::poisoned, std::move(what), std::move(where),
              "close the store and open it again"};
    case MDB_VERSION_MISMATCH:
      return {errc::unsupported, std::move(what), std::move(where),
              "another version of LMDB has the store open: use one version in all programs"};
    case MDB_READERS_FULL:
      return {errc::io, std::move(what), std::move(where),
              "too many reads at once: let some of them end"};
    default: return {errc::io, std::move(what), std::move(where), ""};
  }
}

}  // namespace joinery::store::detail
