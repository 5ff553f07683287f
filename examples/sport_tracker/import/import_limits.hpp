// import_limits: how much a workout file may ask of the program.
//
// Purpose: bounds on memory and time for files that nobody vouches for. Beyond each stands an
// error, never a cut.
// Invariants: memory is bounded by `max_tag_bytes` and `max_text_bytes`, not by the file's size.
// Thread-safety: values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sport_tracker {

struct import_limits {
  std::uint64_t max_file_bytes = std::uint64_t{1} << 30;
  std::uint64_t max_points = 10'000'000;
  std::size_t max_depth = 64;              ///< elements inside one another
  std::size_t max_text_bytes = 64 * 1024;  ///< text between two tags
  std::size_t max_tag_bytes = 256 * 1024;  ///< one tag with its attributes, one comment
};

/// What no workout exceeds; a file that does is refused at the place.
inline constexpr double max_distance_m = 1e7;
inline constexpr double max_duration_s = 366.0 * 86'400;  ///< also between any two times of a file
inline constexpr double min_altitude_m = -12'000;
inline constexpr double max_altitude_m = 100'000;
inline constexpr double max_elevation_gain_m = 1e6;
inline constexpr double max_heart_rate_bpm = 300;
inline constexpr double max_calories_kcal = 1e6;

}  // namespace sport_tracker
