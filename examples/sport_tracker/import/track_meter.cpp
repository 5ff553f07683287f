#include "sport_tracker/import/track_meter.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sport_tracker {

double distance_between(const position& a, const position& b) noexcept {
  constexpr double radius_m = 6'371'008.8;
  constexpr double radians = std::numbers::pi / 180;
  const double up = std::sin((b.latitude_deg - a.latitude_deg) * radians / 2);
  const double along = std::sin((b.longitude_deg - a.longitude_deg) * radians / 2);
  const double h = up * up + std::cos(a.latitude_deg * radians) *
                                 std::cos(b.latitude_deg * radians) * along * along;
  return 2 * radius_m * std::asin(std::sqrt(std::clamp(h, 0.0, 1.0)));
}

void track_meter::break_line() noexcept {
  last_.reset();
  reference_m_.reset();
}

void track_meter::add(const position& point) noexcept {
  distance_m_ = distance_m_.value_or(0) + (last_ ? distance_between(*last_, point) : 0);
  last_ = point;
}

void track_meter::add_altitude(double altitude_m) noexcept {
  if (!reference_m_) reference_m_ = altitude_m;
  const double change = altitude_m - *reference_m_;
  if (std::abs(change) >= climb_threshold_m) reference_m_ = altitude_m;
  climb_m_ = climb_m_.value_or(0) + (change >= climb_threshold_m ? change : 0);
}

}  // namespace sport_tracker
