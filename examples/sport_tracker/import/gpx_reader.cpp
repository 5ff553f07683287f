#include "sport_tracker/import/gpx_reader.hpp"

#include "sport_tracker/import/refusal.hpp"
#include "sport_tracker/import/text_values.hpp"

namespace sport_tracker {
namespace {

using joinery::errc;

enum place : int {
  outside,
  root,
  metadata,
  file_name,
  track,
  track_name,
  track_type,
  segment,
  point,
  altitude,
  point_time,
  extension,
  heart_rate,
};

}  // namespace

gpx_reader::gpx_reader(const import_limits& limits, std::string_view space)
    : format_reader(limits), space_(space) {
  if (!space.empty() && space != "http://www.topografix.com/GPX/1/0" &&
      space != "http://www.topografix.com/GPX/1/1") {
    throw refusal{errc::unsupported, "not GPX 1.0 or 1.1 but " + quoted(space),
                  "export the workout as GPX 1.1 or TCX"};
  }
}

xml_reader::step gpx_reader::enter(int parent, const xml_element& element) {
  static constexpr edge edges[] = {
      {outside, "gpx", root, false},       {root, "name", file_name, true},
      {root, "metadata", metadata, false}, {metadata, "name", file_name, true},
      {root, "trk", track, false},         {track, "name", track_name, true},
      {track, "type", track_type, true},   {track, "trkseg", segment, false},
      {segment, "trkpt", point, false},    {point, "ele", altitude, true},
      {point, "time", point_time, true},   {point, "extensions", extension, false},
  };
  // Devices put the heart rate under several names of their own; all call it "hr".
  if (parent == extension) {
    return element.name == "hr" ? step{heart_rate, true} : step{extension, false};
  }
  if (element.space != space_) return {passed_over, false};
  const auto next = find(edges, parent, element.name);
  if (next.place == segment) meter_.break_line();
  if (next.place == point) begin_point(element);
  return next;
}

void gpx_reader::begin_point(const xml_element& element) {
  count_point();
  const auto latitude = number(element.attribute("lat").value_or(""), "latitude", -90, 90);
  const auto longitude = number(element.attribute("lon").value_or(""), "longitude", -180, 180);
  if (!latitude || !longitude) {
    throw refusal{errc::malformed, "a track point without latitude or longitude",
                  "correct or remove it"};
  }
  meter_.add({*latitude, *longitude});
  check_total(*meter_.distance_m(), max_distance_m, "distance in metres");
}

void gpx_reader::leave(int place, std::string_view text) {
  switch (place) {
    case file_name:
      if (file_title_.empty()) file_title_ = text;
      break;
    case track_name: note_title(text); break;
    case track_type: note_sport(text); break;
    case altitude:
      if (const auto metres = number(text, "altitude", min_altitude_m, max_altitude_m)) {
        meter_.add_altitude(*metres);
        check_total(*meter_.climb_m(), max_elevation_gain_m, "elevation gain in metres");
      }
      break;
    case point_time:
      if (const auto moment = time(text)) note_time(*moment);
      break;
    case heart_rate:
      if (const auto bpm = number(text, "heart rate", 0, max_heart_rate_bpm)) note_heart_rate(*bpm);
      break;
    default: break;
  }
}

workout_summary gpx_reader::summary() const {
  if (points() == 0) {
    throw refusal{errc::malformed, "the file has no track with a point in it: no workout",
                  "export the recorded track; waypoints and routes are plans"};
  }
  auto out = noted();
  if (auto title = one_line(file_title_, max_title_bytes); !title.empty()) out.title = title;
  if (const auto ms = elapsed_ms()) out.duration_s = rounded(static_cast<double>(*ms) / 1000);
  if (const auto metres = meter_.distance_m()) out.distance_m = rounded(*metres);
  if (const auto metres = meter_.climb_m()) out.elevation_gain_m = rounded(*metres);
  return out;
}

}  // namespace sport_tracker
