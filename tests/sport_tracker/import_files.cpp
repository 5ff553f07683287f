// The importer on files: paths, progress, the content hash, the project's samples, and real
// recordings.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "joinery/crypto/hash.hpp"
#include "sport_tracker/import/workout_file.hpp"
#include "sport_tracker/import/xp.hpp"

#if __has_include(<sys/stat.h>)
#include <sys/stat.h>
#endif

namespace fs = std::filesystem;
using joinery::errc;
using namespace sport_tracker;

namespace {

/// A folder of its own, gone with the test.
struct scratch {
  fs::path folder;
  scratch() {
    auto name = (fs::temp_directory_path() / "joinery-import-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder = name;
  }
  ~scratch() { fs::remove_all(folder); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  fs::path write(const char* name, std::string_view content) const {
    std::ofstream{folder / name, std::ios::binary} << content;
    return folder / name;
  }
};

workout_summary workout_in(const fs::path& path) {
  INFO(path);
  const auto workout = read_workout_file(path);
  if (!workout) FAIL(workout.error().text());
  return *workout;
}

fs::path sample(const char* name) {
  return fs::path{JOINERY_SOURCE_DIR} / "examples/sport_tracker/data" / name;
}

constexpr std::string_view one_point =
    "<gpx><trk><trkseg><trkpt lat=\"46\" lon=\"14\"/></trkseg></trk></gpx>";

/// `points` points a second apart on a meridian, as a file of that many megabytes.
std::string long_track(int points) {
  std::string out = "<gpx><trk><trkseg>\n";
  for (int i = 0; i < points; ++i) {
    out += "<trkpt lat=\"" + std::to_string(i * 1e-5) + "\" lon=\"14\"><ele>300</ele></trkpt>\n";
  }
  return out + "</trkseg></trk></gpx>\n";
}

/// Real recordings, where the machine has them.
fs::path recordings() {
  if (const char* folder = std::getenv("JOINERY_SAMPLE_DIR")) return folder;
  return fs::path{JOINERY_SOURCE_DIR} / "../shared/data/workouts";
}

}  // namespace

TEST_CASE("a path that is no readable file is an error that names it") {
  const scratch temporary;
  const auto missing = read_workout_file(temporary.folder / "missing.gpx");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == errc::not_found);
  CHECK(missing.error().where == (temporary.folder / "missing.gpx").string());

  const auto folder = read_workout_file(temporary.folder);
  REQUIRE_FALSE(folder);
  CHECK(folder.error().code == errc::invalid_argument);
  CHECK_THAT(folder.error().what, Catch::Contains("directory"));

  CHECK_FALSE(read_workout_file(fs::path{}));
  const auto inside_file = read_workout_file(temporary.write("file", one_point) / "x.gpx");
  CHECK_FALSE(inside_file);
}

#if __has_include(<sys/stat.h>)
TEST_CASE("a pipe or device is refused instead of waited for") {
  const scratch temporary;
  const auto pipe = temporary.folder / "pipe.gpx";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto& path : {pipe, fs::path{"/dev/zero"}}) {
    const auto outcome = read_workout_file(path);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == errc::invalid_argument);
    CHECK_THAT(outcome.error().what, Catch::Contains("device or pipe"));
  }
}

TEST_CASE("a file without permission to read is an error that says so") {
  const scratch temporary;
  const auto path = temporary.write("locked.gpx", one_point);
  fs::permissions(path, fs::perms::none);
  if (std::ifstream{path}) {
    WARN("this user may read every file: not tested");
    return;
  }
  const auto outcome = read_workout_file(path);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == errc::io);
  CHECK_THAT(outcome.error().what, Catch::Contains("cannot be opened"));
}
#endif

TEST_CASE("an empty file is an error at its first line") {
  const scratch temporary;
  const auto path = temporary.write("empty.tcx", "");
  const auto outcome = read_workout_file(path);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == errc::malformed);
  CHECK(outcome.error().where == path.string() + ":1:1");
}

TEST_CASE("an error in a file has its line and column") {
  const scratch temporary;
  const auto path =
      temporary.write("bad.gpx", "<gpx>\n <trk><trkseg>\n  <trkpt lat=\"95\" lon=\"1\"/>");
  const auto outcome = read_workout_file(path);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().where == path.string() + ":3:3");
  CHECK_THAT(outcome.error().text(), Catch::Contains("latitude \"95\""));
}

TEST_CASE("a file above the size limit is refused unread") {
  const scratch temporary;
  const auto path = temporary.write("big.gpx", one_point);
  import_limits limits;
  limits.max_file_bytes = one_point.size() - 1;
  bool read = false;
  const auto outcome = read_workout_file(
      path, [&](std::uint64_t, std::uint64_t) { read = true; }, limits);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == errc::too_large);
  CHECK_FALSE(read);
  limits.max_file_bytes = one_point.size();
  CHECK(read_workout_file(path, {}, limits));
}

TEST_CASE("the content hash is that of the file's bytes") {
  const scratch temporary;
  const auto first = workout_in(temporary.write("a.gpx", one_point));
  CHECK(first.content_hash == joinery::crypto::hasher{}.add(one_point).finish());
  CHECK(first.content_hash.hex().size() == 64);
  CHECK(workout_in(temporary.write("b.xml", one_point)).content_hash == first.content_hash);
  CHECK(workout_in(temporary.write("c.gpx", std::string{one_point} + "\n")).content_hash !=
        first.content_hash);
}

TEST_CASE("progress rises to the file's size") {
  const scratch temporary;
  const auto track = long_track(20'000);
  const auto path = temporary.write("long.gpx", track);
  std::vector<std::uint64_t> steps;
  const auto workout = read_workout_file(path, [&](std::uint64_t done, std::uint64_t total) {
    CHECK(total == track.size());
    CHECK(done > (steps.empty() ? 0 : steps.back()));
    steps.push_back(done);
  });
  REQUIRE(workout);
  CHECK(workout->points == 20'000);
  CHECK(workout->distance_m == 22'238);
  CHECK(workout->content_hash == joinery::crypto::hasher{}.add(track).finish());
  CHECK(steps.size() > 10);
  CHECK(steps.back() == track.size());
}

TEST_CASE("what the progress callback throws ends the import") {
  const scratch temporary;
  const auto path = temporary.write("a.gpx", one_point);
  CHECK_THROWS_AS(read_workout_file(path, [](auto, auto) { throw std::runtime_error("stop"); }),
                  std::runtime_error);
}

TEST_CASE("the project's sample files are the workouts that they should be") {
  const auto run = workout_in(sample("morning_run.tcx"));
  CHECK(run.kind == sport::run);
  CHECK(run.title == "Morning run along the river");
  CHECK(run.points == 68);
  CHECK(run.started_at_ms == 1'714'803'150'000);
  CHECK(run.max_heart_rate_bpm.has_value());

  const auto walk = workout_in(sample("evening_walk.gpx"));
  CHECK(walk.kind == sport::walk);
  CHECK(walk.title == "Evening walk to the old mill");
  CHECK(walk.points == 44);
  CHECK(walk.average_heart_rate_bpm == std::nullopt);

  const auto ride = workout_in(sample("pass_ride.gpx"));
  CHECK(ride.kind == sport::ride);
  CHECK(ride.title == "Sunday ride over the pass");
  CHECK(ride.duration_s == 63 * 60);
  CHECK(ride.started_at_ms == 1'714'892'700'500);
  CHECK(ride.average_heart_rate_bpm.has_value());

  const auto swim = workout_in(sample("pool_swim.tcx"));
  CHECK(swim.kind == sport::swim);
  CHECK(swim.distance_m == 1200);
  CHECK(swim.elevation_gain_m == std::nullopt);

  const auto treadmill = workout_in(sample("treadmill.tcx"));
  CHECK(treadmill.points == 0);
  CHECK(treadmill.duration_s == 2100);
  CHECK(treadmill.distance_m == 5350);
  CHECK(treadmill.average_heart_rate_bpm == 139);
  CHECK(xp_for(treadmill) == 35 + 53);
}

TEST_CASE("real recordings are the workouts that they are") {
  const auto folder = recordings();
  if (!fs::is_directory(folder)) {
    WARN("no real recordings here: set JOINERY_SAMPLE_DIR to test with them");
    return;
  }
  struct expected {
    const char* name;
    sport kind;
    std::uint64_t points;
    std::optional<std::int64_t> started_at_ms;
    std::optional<std::uint32_t> duration_s, distance_m, heart_rate;
  };
  const auto none = std::nullopt;
  const expected table[] = {
      {"running_activity_1.tcx", sport::run, 1254, 1'419'588'039'000, 3270, 14'332, 177},
      {"pool_swim_activity_1.tcx", sport::other, 32, 1'661'531'713'000, 1531, 1500, none},
      {"sup_activity_1.tcx", sport::other, 111, 1'657'987'705'000, 1112, 1158, 88},
      {"walking_activity_1.tcx", sport::other, 660, 1'538'406'044'000, 4495, 3989, 88},
      {"Mojstrovka.gpx", sport::other, 184, -2'147'483'647'793, 0, 2698, none},
      {"cerknicko-jezero.gpx", sport::other, 296, 1'281'018'239'000, 7190, 4575, none},
      {"cerknicko-without-times.gpx", sport::other, 296, 1'281'025'372'000, 57, 4575, none},
      {"track-with-empty-segment.gpx", sport::other, 9, 1'373'131'586'000, 76, 86, none},
  };
  for (const auto& known : table) {
    INFO(known.name);
    if (!fs::exists(folder / known.name)) {
      WARN("not here: " << known.name);
      continue;
    }
    const auto workout = workout_in(folder / known.name);
    CHECK(workout.kind == known.kind);
    CHECK(workout.points == known.points);
    CHECK(workout.started_at_ms == known.started_at_ms);
    CHECK(workout.duration_s == known.duration_s);
    CHECK(workout.distance_m == known.distance_m);
    CHECK(workout.average_heart_rate_bpm == known.heart_rate);
  }

  const auto only_a_waypoint = read_workout_file(folder / "unicode_with_bom.gpx");
  REQUIRE_FALSE(only_a_waypoint);
  if (only_a_waypoint.error().code != errc::not_found) {
    CHECK_THAT(only_a_waypoint.error().what, Catch::Contains("no track with a point"));
  }
}
