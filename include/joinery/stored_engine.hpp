// stored_engine: an engine on LMDB, behind the façade.
//
// Purpose: what opens the replicas of joinery.hpp.
// Invariants: none of its own.
// Thread-safety: as `replica::open`.
#pragma once

#include "joinery/replica/engine_face.hpp"
#include "joinery/store/lmdb.hpp"

namespace joinery::detail {

template <class Where>
result<std::unique_ptr<engine_port>> open_engine_at(Where where, replica_options options) {
  static_assert(std::is_same_v<Where, store::lmdb_options>);
  auto storage = store::lmdb::open(where);
  if (!storage) return storage.error();
  return open_engine(std::move(*storage), std::move(options));
}

}  // namespace joinery::detail
