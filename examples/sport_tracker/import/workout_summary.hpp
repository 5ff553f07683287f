// workout_summary: what one workout file says, in numbers fit to be stored.
//
// Purpose: the result of an import. One file is one workout: all its tracks, segments, laps and
// activities together. How each number is found is told in workout_file.hpp.
// Invariants: whole seconds and metres, rounded once, at the end: what is stored does not depend on
// how a platform prints fractions. An empty optional means that the file does not say.
// Thread-safety: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "joinery/crypto/hash.hpp"
#include "sport_tracker/import/sport.hpp"

namespace sport_tracker {

struct workout_summary {
  sport kind = sport::other;
  std::string sport_as_written;  ///< the file's own word, empty when it has none
  std::string title;             ///< at most 200 bytes of UTF-8 on one line; may be empty

  std::optional<std::int64_t> started_at_ms;  ///< since 1970-01-01 UTC; negative before
  std::optional<std::uint32_t> duration_s;
  std::optional<std::uint32_t> distance_m;
  std::optional<std::uint32_t> elevation_gain_m;
  std::optional<std::uint32_t> average_heart_rate_bpm;
  std::optional<std::uint32_t> max_heart_rate_bpm;
  std::optional<std::uint32_t> calories_kcal;
  std::uint64_t points = 0;  ///< track points; 0 for a workout that has only totals

  /// BLAKE2b-256 of the file's bytes: the workout's identity, the same wherever the file is
  /// imported.
  joinery::crypto::digest content_hash;

  [[nodiscard]] std::string_view sport_name() const noexcept { return name_of(kind); }

  friend bool operator==(const workout_summary&, const workout_summary&) = default;
};

}  // namespace sport_tracker
