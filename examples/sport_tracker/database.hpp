// database: the tracker's replica on disk.
//
// Purpose: one name for the schema on LMDB.
// Invariants: none of its own.
// Thread-safety: as joinery::replica: one thread at a time.
#pragma once

#include "joinery/joinery.hpp"
#include "sport_tracker/schema.hpp"

namespace sport_tracker {

using database = joinery::stored_replica<sport_schema>;

}  // namespace sport_tracker
