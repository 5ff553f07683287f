// engine: what lies beneath the schema.
//
// Purpose: the rest of the program is compiled without joinery's engine
// (JOINERY_SEPARATE_COMPILATION); what asks the engine itself is here.
// Invariants: none of its own.
// Thread-safety: as the database.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "joinery/store/lmdb_options.hpp"
#include "sport_tracker/database.hpp"

namespace sport_tracker {

using storage_engine = database::engine_type;

/// What sessions exchange changesets with.
storage_engine& engine_of(database& db);

joinery::result<joinery::store::lmdb_status> disk_status(database& db);

/// Prints what the store holds: an overview, a table's records, or one record.
joinery::result<> inspect(database& db, std::ostream& out, const std::string& table,
                          const std::optional<std::string>& key);

}  // namespace sport_tracker
