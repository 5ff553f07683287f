// gpx_reader: a GPX 1.0 or 1.1 document as one workout.
//
// Purpose: all tracks and segments together; the rules are told in workout_file.hpp. Waypoints and
// routes are plans, not workouts: passed over.
// Invariants: nothing is measured across two segments.
// Thread-safety: one thread at a time.
#pragma once

#include "sport_tracker/import/format_reader.hpp"
#include "sport_tracker/import/track_meter.hpp"

namespace sport_tracker {

class gpx_reader final : public format_reader {
 public:
  /// `space` is the root's namespace. Throws `refusal` when it is not one of GPX.
  gpx_reader(const import_limits& limits, std::string_view space);

  step enter(int parent, const xml_element& element) override;
  void leave(int place, std::string_view text) override;
  [[nodiscard]] workout_summary summary() const override;

 private:
  void begin_point(const xml_element& element);

  std::string space_;
  std::string file_title_;  // the file's own name goes before its tracks'
  track_meter meter_;
};

}  // namespace sport_tracker
