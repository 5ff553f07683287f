// totals: how much there is of everything.
//
// Purpose: what `show` prints, and what `sync` compares before and after.
// Invariants: living records only.
// Thread-safety: as the database.
#pragma once

#include <string>
#include <vector>

#include "sport_tracker/database.hpp"

namespace sport_tracker {

struct total {
  std::string name;
  std::int64_t amount = 0;
};

/// The records of each table, all XP, and the open conflicts: always the same names in the same
/// order. Throws joinery::failure.
std::vector<total> totals_of(database& db);

}  // namespace sport_tracker
