// streak: how many of the planned days in a row an athlete has kept.
//
// Purpose: reads a schedule against the minutes of each day.
// Invariants: a day counts when it is planned and its minutes reach the goal, or it is frozen.
// Today counts when it is done and does no harm while it is not. Days are UTC's.
// Thread-safety: a pure function.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace sport_tracker {

struct streak_plan {
  std::set<std::string> weekdays;     ///< mon to sun
  std::uint32_t goal_minutes = 0;     ///< 0: any workout will do
  std::set<std::string> frozen_days;  ///< 2024-05-01
};

/// Minutes of activity by date: 2024-05-01.
using minutes_by_day = std::map<std::string, std::uint32_t>;

/// The streak up to `today`, in days since 1970-01-01.
std::uint32_t streak_length(const streak_plan& plan, const minutes_by_day& minutes,
                            std::int64_t today);

}  // namespace sport_tracker
