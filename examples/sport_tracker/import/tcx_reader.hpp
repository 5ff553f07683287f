// tcx_reader: a Garmin Training Center document (TCX v2) as one workout.
//
// Purpose: all activities and laps together, those of a multi-sport session with its transitions
// included; the rules are told in workout_file.hpp. Courses and planned workouts are passed over.
// Invariants: a lap's own totals go before what its points give, lap by lap.
// Thread-safety: one thread at a time.
#pragma once

#include "sport_tracker/import/format_reader.hpp"
#include "sport_tracker/import/track_meter.hpp"

namespace sport_tracker {

class tcx_reader final : public format_reader {
 public:
  /// `space` is the root's namespace. Throws `refusal` when it is not that of TCX v2.
  tcx_reader(const import_limits& limits, std::string_view space);

  step enter(int parent, const xml_element& element) override;
  void leave(int place, std::string_view text) override;
  [[nodiscard]] workout_summary summary() const override;

 private:
  /// What one lap says and what its points show.
  struct lap_totals {
    std::optional<double> stated_time_s, stated_distance_m;
    std::optional<double> average_heart_rate_bpm;
    std::optional<std::int64_t> earliest_ms, latest_ms;
    std::optional<double> counted_m;  ///< how far the points' distance counter went on
    track_meter path;                 ///< the points' positions
  };

  void begin_activity(const xml_element& element);
  void begin_lap(const xml_element& element);
  void end_lap();
  void end_position();
  void note_lap_time(std::int64_t time_ms);
  void note_counter(double metres);

  std::string space_;
  lap_totals lap_;
  position here_;
  bool has_latitude_ = false, has_longitude_ = false;
  double counter_m_ = 0;  // the highest distance that the activity's points counted to
  track_meter climb_;
  std::optional<double> duration_s_, distance_m_, calories_kcal_;
  double heart_beats_ = 0, heart_time_s_ = 0;  // the laps' averages, weighted by their times
  std::optional<std::int64_t> id_time_ms_;
};

}  // namespace sport_tracker
