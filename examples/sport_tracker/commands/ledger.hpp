// ledger: the open conflicts, in words.
//
// Purpose: the library gives them with encoded values; this decodes them for people and JSON.
// Invariants: the same on every replica that has converged.
// Thread-safety: as the database.
#pragma once

#include <string>
#include <vector>

#include "sport_tracker/database.hpp"

namespace sport_tracker {

struct ledger_write {
  std::string value;
  std::string by;  ///< the replica, in hexadecimal
  std::int64_t at_ms = 0;
  bool shown = false;
};

struct ledger_entry {
  std::string table, key, field;  ///< a field within a map stands with its keys: comments[3f…]
  std::vector<ledger_write> writes;
};

/// In order of table and key. Throws joinery::failure.
std::vector<ledger_entry> open_conflicts(database& db);

}  // namespace sport_tracker
