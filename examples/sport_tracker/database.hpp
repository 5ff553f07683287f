// database: the tracker's replica on disk.
//
// Purpose: one name for the schema on LMDB, and how the program opens it.
// Invariants: none of its own.
// Thread-safety: as joinery::replica: one thread at a time.
#pragma once

#include "joinery/replica/replica.hpp"
#include "joinery/store/lmdb.hpp"
#include "sport_tracker/schema.hpp"

namespace sport_tracker {

using storage_engine = joinery::engine<joinery::store::lmdb>;
using database = joinery::replica<sport_schema, joinery::store::lmdb>;

}  // namespace sport_tracker
