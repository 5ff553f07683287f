// separate: the one unit of a program that compiles the engine.
//
// Purpose: by default every unit that opens or uses a replica compiles all of the engine, which
// takes tens of seconds at -O2. A program that defines JOINERY_SEPARATE_COMPILATION everywhere, and
// includes this in one unit, compiles it there alone; every other unit then has the façade
// (joinery.hpp), and compiles its schema.
// Invariants: for stores on LMDB. A unit that needs an engine itself, as one that runs sessions or
// has another storage, includes replica/engine_face.hpp; best this same unit does that work too.
// Thread-safety: none of its own.
#pragma once

#include "joinery/joinery.hpp"
#include "joinery/stored_engine.hpp"
#include "joinery/sync/session.hpp"

namespace joinery::detail {

template result<std::unique_ptr<engine_port>> open_engine_at(store::lmdb_options, replica_options);
template result<std::unique_ptr<engine_port>> open_engine(store::lmdb, replica_options);

}  // namespace joinery::detail
