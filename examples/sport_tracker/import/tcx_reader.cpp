#include "sport_tracker/import/tcx_reader.hpp"

#include <algorithm>

#include "sport_tracker/import/refusal.hpp"
#include "sport_tracker/import/text_values.hpp"

namespace sport_tracker {
namespace {

using joinery::errc;

enum place : int {
  outside,
  root,
  activities,
  multi_sport,
  sport_part,
  activity,
  activity_id,
  notes,
  lap,
  lap_time,
  lap_distance,
  lap_calories,
  lap_average,
  lap_average_value,
  lap_maximum,
  lap_maximum_value,
  track,
  point,
  point_time,
  point_position,
  latitude,
  longitude,
  altitude,
  point_distance,
  heart_rate,
  heart_rate_value,
};

}  // namespace

tcx_reader::tcx_reader(const import_limits& limits, std::string_view space)
    : format_reader(limits), space_(space) {
  if (!space.empty() && space != "http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2") {
    throw refusal{errc::unsupported, "not TCX version 2 but " + quoted(space),
                  "export the workout as TCX v2 or GPX 1.1"};
  }
}

xml_reader::step tcx_reader::enter(int parent, const xml_element& element) {
  static constexpr edge edges[] = {
      {outside, "TrainingCenterDatabase", root, false},
      {root, "Activities", activities, false},
      {activities, "Activity", activity, false},
      {activities, "MultiSportSession", multi_sport, false},
      {multi_sport, "FirstSport", sport_part, false},
      {multi_sport, "NextSport", sport_part, false},
      {sport_part, "Activity", activity, false},
      {sport_part, "Transition", lap, false},
      {activity, "Id", activity_id, true},
      {activity, "Notes", notes, true},
      {activity, "Lap", lap, false},
      {lap, "TotalTimeSeconds", lap_time, true},
      {lap, "DistanceMeters", lap_distance, true},
      {lap, "Calories", lap_calories, true},
      {lap, "AverageHeartRateBpm", lap_average, false},
      {lap_average, "Value", lap_average_value, true},
      {lap, "MaximumHeartRateBpm", lap_maximum, false},
      {lap_maximum, "Value", lap_maximum_value, true},
      {lap, "Track", track, false},
      {track, "Trackpoint", point, false},
      {point, "Time", point_time, true},
      {point, "Position", point_position, false},
      {point_position, "LatitudeDegrees", latitude, true},
      {point_position, "LongitudeDegrees", longitude, true},
      {point, "AltitudeMeters", altitude, true},
      {point, "DistanceMeters", point_distance, true},
      {point, "HeartRateBpm", heart_rate, false},
      {heart_rate, "Value", heart_rate_value, true},
  };
  if (element.space != space_) return {passed_over, false};
  const auto next = find(edges, parent, element.name);
  switch (next.place) {
    case activity: begin_activity(element); break;
    case lap: begin_lap(element); break;
    case track: lap_.path.break_line(); break;
    case point: count_point(); break;
    case point_position: has_latitude_ = has_longitude_ = false; break;
    default: break;
  }
  return next;
}

void tcx_reader::begin_activity(const xml_element& element) {
  note_sport(element.attribute("Sport").value_or(""));
  counter_m_ = 0;
  climb_.break_line();
}

void tcx_reader::begin_lap(const xml_element& element) {
  lap_ = {};
  if (const auto start = time(element.attribute("StartTime").value_or(""))) note_lap_time(*start);
}

void tcx_reader::leave(int place, std::string_view text) {
  const auto heart = [&] { return number(text, "heart rate", 0, max_heart_rate_bpm); };
  const auto metres = [&] { return number(text, "distance", 0, max_distance_m); };
  switch (place) {
    case activity_id:  // by its schema a time; some programs write a name
      if (const auto moment = parse_time(text); moment && !id_time_ms_) id_time_ms_ = moment;
      break;
    case notes: note_title(text); break;
    case lap: end_lap(); break;
    case lap_time: lap_.stated_time_s = number(text, "lap time", 0, max_duration_s); break;
    case lap_distance: lap_.stated_distance_m = metres(); break;
    case lap_calories:
      if (const auto kcal = number(text, "calories", 0, max_calories_kcal)) {
        calories_kcal_ = calories_kcal_.value_or(0) + *kcal;
        check_total(*calories_kcal_, max_calories_kcal, "energy in kilocalories");
      }
      break;
    case lap_average_value: lap_.average_heart_rate_bpm = heart(); break;
    case lap_maximum_value: note_max_heart_rate(heart().value_or(0)); break;
    case point_time:
      if (const auto moment = time(text)) note_lap_time(*moment);
      break;
    case latitude:
      if (const auto degrees = number(text, "latitude", -90, 90)) {
        here_.latitude_deg = *degrees;
        has_latitude_ = true;
      }
      break;
    case longitude:
      if (const auto degrees = number(text, "longitude", -180, 180)) {
        here_.longitude_deg = *degrees;
        has_longitude_ = true;
      }
      break;
    case point_position: end_position(); break;
    case altitude:
      if (const auto height = number(text, "altitude", min_altitude_m, max_altitude_m)) {
        climb_.add_altitude(*height);
        check_total(*climb_.climb_m(), max_elevation_gain_m, "elevation gain in metres");
      }
      break;
    case point_distance:
      if (const auto counted = metres()) note_counter(*counted);
      break;
    case heart_rate_value: note_heart_rate(heart().value_or(0)); break;
    default: break;
  }
}

void tcx_reader::end_position() {
  if (has_latitude_ != has_longitude_) {
    throw refusal{errc::malformed, "a position without latitude or longitude",
                  "correct or remove it"};
  }
  if (has_latitude_) lap_.path.add(here_);
}

void tcx_reader::note_lap_time(std::int64_t time_ms) {
  note_time(time_ms);
  lap_.earliest_ms = std::min(time_ms, lap_.earliest_ms.value_or(time_ms));
  lap_.latest_ms = std::max(time_ms, lap_.latest_ms.value_or(time_ms));
}

void tcx_reader::note_counter(double metres) {
  // Most devices count through the activity, some begin each lap at zero.
  if (!lap_.counted_m && metres < counter_m_) counter_m_ = 0;
  lap_.counted_m = lap_.counted_m.value_or(0) + std::max(0.0, metres - counter_m_);
  counter_m_ = std::max(counter_m_, metres);
}

void tcx_reader::end_lap() {
  auto duration_s = lap_.stated_time_s;
  if (!duration_s && lap_.earliest_ms) {
    duration_s = static_cast<double>(*lap_.latest_ms - *lap_.earliest_ms) / 1000;
  }
  if (duration_s) {
    duration_s_ = duration_s_.value_or(0) + *duration_s;
    check_total(*duration_s_, max_duration_s, "time in seconds");
  }

  auto distance_m = lap_.stated_distance_m;
  if (!distance_m) distance_m = lap_.counted_m;
  if (!distance_m) distance_m = lap_.path.distance_m();
  if (distance_m) {
    distance_m_ = distance_m_.value_or(0) + *distance_m;
    check_total(*distance_m_, max_distance_m, "distance in metres");
  }

  if (lap_.average_heart_rate_bpm.value_or(0) > 0) {
    const double weight_s = std::max(1.0, duration_s.value_or(0));
    heart_beats_ += *lap_.average_heart_rate_bpm * weight_s;
    heart_time_s_ += weight_s;
  }
}

workout_summary tcx_reader::summary() const {
  const bool has_totals = duration_s_.value_or(0) > 0 || distance_m_.value_or(0) > 0;
  if (points() == 0 && !has_totals) {
    throw refusal{errc::malformed,
                  "the file has no activity with a track point or a lap's totals: no workout",
                  "export the recorded activity; courses and workout plans are not recordings"};
  }
  auto out = noted();
  if (!out.started_at_ms) out.started_at_ms = id_time_ms_;
  if (duration_s_) out.duration_s = rounded(*duration_s_);
  if (distance_m_) out.distance_m = rounded(*distance_m_);
  if (const auto metres = climb_.climb_m()) out.elevation_gain_m = rounded(*metres);
  if (!has_heart_rate() && heart_time_s_ > 0) {
    out.average_heart_rate_bpm = rounded(heart_beats_ / heart_time_s_);
  }
  if (calories_kcal_) out.calories_kcal = rounded(*calories_kcal_);
  return out;
}

}  // namespace sport_tracker
