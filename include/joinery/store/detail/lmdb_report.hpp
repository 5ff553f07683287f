// lmdb_report: what an open environment tells about itself.
//
// Purpose: collects the figures of `lmdb_status` from LMDB and the system.
// Invariants: reads only.
// Thread-safety: the map must not move meanwhile.
#pragma once

#include <cstdio>

#include "joinery/store/detail/file_system.hpp"
#include "joinery/store/detail/lmdb_environment.hpp"

namespace joinery::store::detail {

/// Takes one line of LMDB's reader table: process, thread and image; other lines have no image.
inline int count_reader(const char* line, void* context) noexcept {
  auto& out = *static_cast<lmdb_status*>(context);
  int pid = 0;
  std::size_t thread = 0, image = 0;
  if (std::sscanf(line, "%d %zx %zu", &pid, &thread, &image) != 3) return 0;
  ++out.readers;
  if (image < out.transaction) {
    out.oldest_reader_lag = std::max(out.oldest_reader_lag, out.transaction - image);
  }
  return 0;
}

inline result<lmdb_status> report(const lmdb_environment& environment,
                                  const lmdb_options& options) {
  MDB_envinfo info{};
  MDB_stat shape{};
  int code = ::mdb_env_info(environment.raw(), &info);
  if (code == 0) code = ::mdb_env_stat(environment.raw(), &shape);
  if (code != 0) return lmdb_error(code, "ask for the status", options.path);
  lmdb_status out;
  out.path = options.path;
  out.mode = options.mode;
  out.read_only = options.read_only;
  out.map_bytes = info.me_mapsize;
  out.most_map_bytes = options.most_map_bytes;
  out.used_bytes = (info.me_last_pgno + 1) * std::uint64_t{shape.ms_psize};
  out.file_bytes = environment.data().size();
  out.device_free_bytes = free_bytes(options.path);
  out.transaction = info.me_last_txnid;
  ::mdb_reader_list(environment.raw(), &count_reader, &out);
  return out;
}

}  // namespace joinery::store::detail
