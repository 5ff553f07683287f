// joinery: what a client app with LMDB includes.
//
// Purpose: fields and schemas, a replica stored on disk, and sessions. Transports, testing and
// tools are opt-in, each by its own header. Where JOINERY_SEPARATE_COMPILATION is defined this
// brings the façade alone; see joinery/separate.hpp.
// Invariants: none of its own.
// Thread-safety: as each part.
#pragma once

#include "joinery/replica/replica.hpp"
#include "joinery/store/lmdb_options.hpp"
#include "joinery/version.hpp"
#ifndef JOINERY_SEPARATE_COMPILATION
#include "joinery/stored_engine.hpp"
#include "joinery/sync/session.hpp"
#endif

namespace joinery {

namespace store {
class lmdb;
}

/// A replica in a directory of its own.
template <class Schema>
using stored_replica = replica<Schema, store::lmdb>;

/// Opens the replica in the directory `path`, or makes one there. Errors: those of
/// `store::lmdb::open` and `engine::open`.
template <class Schema>
result<stored_replica<Schema>> open(store::lmdb_options where, replica_options options) {
  return stored_replica<Schema>::open_at(where, std::move(options));
}

/// As above, durable at each commit, for the space called `name`.
template <class Schema>
result<stored_replica<Schema>> open(std::string path, std::string_view name) {
  return open<Schema>({.path = std::move(path)}, {.space = space_named(name)});
}

}  // namespace joinery
