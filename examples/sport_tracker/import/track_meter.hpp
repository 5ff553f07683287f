// track_meter: distance and climb along a line of points.
//
// Purpose: the two measures that a list of positions and altitudes gives.
//   Distance: great circles between neighbours on a sphere of 6 371 008.8 m (haversine).
//   Climb: barometers and GPS waver by a metre or two, and summing that up would make hills of
//   plains. So an altitude counts only once it is 3 m or more away from the one that counted last:
//   then the difference is climb if it goes up, and that altitude is the new reference either way.
// Invariants: `break_line` starts a new line: nothing is measured across it.
// Thread-safety: one thread at a time.
#pragma once

#include <optional>

namespace sport_tracker {

struct position {
  double latitude_deg = 0;
  double longitude_deg = 0;
};

/// Metres between two positions.
double distance_between(const position& a, const position& b) noexcept;

class track_meter {
 public:
  static constexpr double climb_threshold_m = 3;

  void break_line() noexcept;
  void add(const position& point) noexcept;
  void add_altitude(double altitude_m) noexcept;

  /// Empty when no position was added.
  [[nodiscard]] std::optional<double> distance_m() const noexcept { return distance_m_; }
  /// Empty when no altitude was added.
  [[nodiscard]] std::optional<double> climb_m() const noexcept { return climb_m_; }

 private:
  std::optional<position> last_;
  std::optional<double> reference_m_;
  std::optional<double> distance_m_, climb_m_;
};

}  // namespace sport_tracker
