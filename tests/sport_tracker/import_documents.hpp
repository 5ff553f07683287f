// Small workout documents for the tests of the importer, and ways to read them.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "sport_tracker/import/workout_parser.hpp"

namespace import_tests {

using joinery::errc;
using sport_tracker::import_limits;
using sport_tracker::workout_summary;

inline joinery::result<workout_summary> read(std::string_view document,
                                             const import_limits& limits = {}) {
  sport_tracker::workout_parser parser("file.xml", limits);
  if (auto fed = parser.feed(document); !fed) return fed.error();
  return parser.finish();
}

inline workout_summary workout_of(std::string_view document) {
  auto read_back = read(document);
  if (!read_back) FAIL(read_back.error().text());
  return *read_back;
}

/// The error of a document that has one.
inline joinery::error error_of(std::string_view document, const import_limits& limits = {}) {
  const auto read_back = read(document, limits);
  REQUIRE_FALSE(read_back);
  CHECK_FALSE(read_back.error().what.empty());
  CHECK_FALSE(read_back.error().advice.empty());
  return read_back.error();
}

inline void check_refused(std::string_view document, errc code, std::string_view what,
                          std::string_view where) {
  INFO(document.substr(0, 2000));
  const auto fault = error_of(document);
  CHECK(name_of(fault.code) == name_of(code));
  CHECK_THAT(fault.what, Catch::Contains(std::string{what}));
  CHECK(fault.where == where);
}

/// `inside` on line 2.
inline std::string gpx(std::string_view inside) {
  return "<gpx version=\"1.1\" xmlns=\"http://www.topografix.com/GPX/1/1\">\n" +
         std::string{inside} + "\n</gpx>";
}
/// A GPX track of one segment, its points on line 2.
inline std::string gpx_points(std::string_view points) {
  return gpx("<trk><trkseg>" + std::string{points} + "</trkseg></trk>");
}
/// A GPX point on the equator with `inside`.
inline std::string gpx_point(std::string_view inside = "", std::string_view longitude = "0") {
  return "<trkpt lat=\"0\" lon=\"" + std::string{longitude} + "\">" + std::string{inside} +
         "</trkpt>";
}

/// `inside` on line 2.
inline std::string tcx(std::string_view inside) {
  return "<TrainingCenterDatabase "
         "xmlns=\"http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2\"><Activities>\n" +
         std::string{inside} + "\n</Activities></TrainingCenterDatabase>";
}
/// A TCX activity with one lap, `inside` on line 2.
inline std::string tcx_lap(std::string_view inside) {
  return tcx("<Activity Sport=\"Running\"><Lap>" + std::string{inside} + "</Lap></Activity>");
}
inline std::string tcx_track(std::string_view points) {
  return "<Track>" + std::string{points} + "</Track>";
}
inline std::string tcx_point(std::string_view inside) {
  return "<Trackpoint>" + std::string{inside} + "</Trackpoint>";
}
inline std::string element(std::string_view name, std::string_view text) {
  return "<" + std::string{name} + ">" + std::string{text} + "</" + std::string{name} + ">";
}

}  // namespace import_tests
