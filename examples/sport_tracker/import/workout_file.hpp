// read_workout_file: a TCX or GPX file from a watch, a phone or a web site, as one workout.
//
// Purpose: the door to the importer. The format is told by the document's root element, not by the
// file's name. One file is one workout: all its tracks, segments, activities and laps together.
//
//   sport       TCX Activity/@Sport, GPX trk/type, by the table of sport.hpp; several different
//               ones, none, or an unknown one: other
//   title       GPX: the file's name, else the first name of a track; TCX: the first Notes of an
//               activity
//   start       the earliest time of a lap or track point; in TCX without any, the activity's Id
//               when it is a time
//   duration    TCX: the sum over the laps of TotalTimeSeconds, or of a lap without it, its first
//               time to its last. GPX: the file's earliest time to its latest, pauses included
//   distance    TCX: the sum over the laps of DistanceMeters, or of a lap without it, how far its
//               points' own DistanceMeters count, or without these, the way along its positions.
//               GPX: the way along the positions of each segment, never from one to the next
//   elevation   from the points' altitudes, as track_meter.hpp tells; in GPX not across segments,
//               in TCX not across activities
//   heart rate  the mean and the greatest of the points' readings (TCX HeartRateBpm, GPX
//               extensions' hr). Without readings, the mean of the laps' averages, weighted by
//               their durations. The laps' own maxima always count for the greatest. 0 is no
//               reading
//   calories    TCX: the sum over the laps
//
// A TCX file whose laps have totals and no points (a treadmill) is a workout. A file with neither
// is not, nor is one that has only waypoints, routes, courses or plans. Times may be missing and
// segments empty; the year may be any from 1 on.
//
// Refused, with the place "file:line:column": XML that is not well-formed or is cut off, a root
// that is neither TCX nor GPX, any DOCTYPE, and whatever exceeds import_limits or the bounds beside
// it: positions off the globe, negative distances, times that cannot be read or lie more than a
// year apart, numbers that are not finite.
// Invariants: a workout or an error, nothing between; memory does not grow with the file.
// Thread-safety: a function without shared state.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "joinery/base/result.hpp"
#include "sport_tracker/import/import_limits.hpp"
#include "sport_tracker/import/workout_summary.hpp"

namespace sport_tracker {

/// Called as the file is read, at least once and last with `done == total`, unless there is an
/// error. What it throws passes through `read_workout_file`.
using progress_callback = std::function<void(std::uint64_t bytes_done, std::uint64_t bytes_total)>;

/// Errors: `not_found`, `invalid_argument` (not a regular file), `io`, `too_large`, `malformed`,
/// `unsupported`.
joinery::result<workout_summary> read_workout_file(const std::filesystem::path& path,
                                                   const progress_callback& progress = {},
                                                   const import_limits& limits = {});

}  // namespace sport_tracker
