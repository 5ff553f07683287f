// XP: what a workout is worth.
//
// Purpose: one rule, in integers, so that two devices that import the same file grant the same
// amount:
//   1 XP for each started minute, whatever the sport,
//   + 1 XP for each full 100 m (10 XP a kilometre),
//   + 1 XP for each full 10 m climbed,
//   at least 5, at most 1000. What the file does not say counts as 0.
// Invariants: depends on nothing but the summary's duration, distance and elevation gain.
// Thread-safety: a pure function.
#pragma once

#include <cstdint>

#include "sport_tracker/import/workout_summary.hpp"

namespace sport_tracker {

inline constexpr std::uint32_t min_workout_xp = 5;
inline constexpr std::uint32_t max_workout_xp = 1000;

std::uint32_t xp_for(const workout_summary& workout) noexcept;

}  // namespace sport_tracker
