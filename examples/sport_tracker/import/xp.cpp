#include "sport_tracker/import/xp.hpp"

#include <algorithm>

namespace sport_tracker {

std::uint32_t xp_for(const workout_summary& workout) noexcept {
  // 64 bits: the parts may be anything that 32 bits hold.
  const std::uint64_t minutes = (std::uint64_t{workout.duration_s.value_or(0)} + 59) / 60;
  const std::uint64_t way = workout.distance_m.value_or(0) / 100;
  const std::uint64_t climb = workout.elevation_gain_m.value_or(0) / 10;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(minutes + way + climb, min_workout_xp, max_workout_xp));
}

}  // namespace sport_tracker
