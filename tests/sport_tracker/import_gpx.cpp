// How a GPX document becomes a workout.
#include <catch2/catch.hpp>

#include "import_documents.hpp"

using namespace import_tests;
using sport_tracker::sport;

namespace {

std::string heart(std::string_view bpm) {
  return "<extensions><g:TrackPointExtension xmlns:g=\"urn:some-device\">" + element("g:hr", bpm) +
         "</g:TrackPointExtension></extensions>";
}
std::string at(std::string_view time) { return element("time", time); }

}  // namespace

TEST_CASE("a GPX track has a start, duration, distance, climb, heart rate, sport and title") {
  const auto workout = workout_of(
      gpx("<trk><name>To the lake</name><type>trail running</type><trkseg>" +
          gpx_point("<ele>100</ele>" + at("2024-05-04T06:00:00Z") + heart("120"), "0.00") +
          gpx_point("<ele>110</ele>" + at("2024-05-04T06:05:00.6Z") + heart("150"), "0.01") +
          gpx_point("<ele>105</ele>" + at("2024-05-04T06:10:00.6Z") + heart("141"), "0.02") +
          "</trkseg></trk>"));
  CHECK(workout.kind == sport::run);
  CHECK(workout.sport_name() == "run");
  CHECK(workout.sport_as_written == "trail running");
  CHECK(workout.title == "To the lake");
  CHECK(workout.started_at_ms == 1'714'802'400'000);
  CHECK(workout.duration_s == 601);
  CHECK(workout.distance_m == 2224);
  CHECK(workout.elevation_gain_m == 10);
  CHECK(workout.average_heart_rate_bpm == 137);
  CHECK(workout.max_heart_rate_bpm == 150);
  CHECK(workout.calories_kcal == std::nullopt);
  CHECK(workout.points == 3);
}

TEST_CASE("a GPX file that says only where has a distance and nothing else") {
  const auto workout = workout_of(gpx_points(gpx_point() + gpx_point("", "0.01")));
  CHECK(workout.kind == sport::other);
  CHECK(workout.sport_as_written.empty());
  CHECK(workout.title.empty());
  CHECK(workout.started_at_ms == std::nullopt);
  CHECK(workout.duration_s == std::nullopt);
  CHECK(workout.distance_m == 1112);
  CHECK(workout.elevation_gain_m == std::nullopt);
  CHECK(workout.average_heart_rate_bpm == std::nullopt);
  CHECK(workout.max_heart_rate_bpm == std::nullopt);
}

TEST_CASE("GPX segments and tracks add up, and the way between them does not count") {
  const std::string segment = "<trkseg>" + gpx_point("<ele>10</ele>", "0") +
                              gpx_point("<ele>20</ele>", "0.01") + "</trkseg>";
  const std::string far_away = "<trkseg>" + gpx_point("<ele>900</ele>", "50") +
                               gpx_point("<ele>910</ele>", "50.01") + "</trkseg>";
  const auto workout = workout_of(
      gpx("<trk>" + segment + "<trkseg/>" + far_away + "</trk><trk>" + far_away + "</trk>"));
  CHECK(workout.points == 6);
  CHECK(workout.distance_m == 3336);
  CHECK(workout.elevation_gain_m == 30);
}

TEST_CASE("a GPX file lasts from its earliest time to its latest, pauses included") {
  const auto workout =
      workout_of(gpx("<trk><trkseg>" + gpx_point(at("2024-05-04T07:00:00Z")) + gpx_point() +
                     gpx_point(at("2024-05-04T06:59:00Z")) + "</trkseg></trk><trk><trkseg>" +
                     gpx_point(at("2024-05-04T09:00:00+01:00")) + "</trkseg></trk>"));
  CHECK(workout.started_at_ms == 1'714'805'940'000);
  CHECK(workout.duration_s == 61 * 60);
}

TEST_CASE("times in 1901 are times") {
  const auto workout = workout_of(gpx_points(gpx_point(at("1901-12-13T20:45:52.207Z")) +
                                             gpx_point(at("1901-12-13T20:45:52.2073437Z"))));
  CHECK(workout.started_at_ms == -2'147'483'647'793);
  CHECK(workout.duration_s == 0);
}

TEST_CASE("the times of a GPX file's metadata and waypoints are not the workout's") {
  const auto workout =
      workout_of(gpx("<metadata><time>2030-01-01T00:00:00Z</time></metadata>"
                     "<wpt lat=\"0\" lon=\"0\"><ele>5</ele><time>2031-01-01T00:00:00Z</time></wpt>"
                     "<trk><trkseg>" +
                     gpx_point(at("2024-05-04T07:00:00Z")) + "</trkseg></trk>"));
  CHECK(workout.started_at_ms == 1'714'806'000'000);
  CHECK(workout.elevation_gain_m == std::nullopt);
  CHECK(workout.points == 1);
}

TEST_CASE("a GPX file's own name goes before its tracks', and an empty name is none") {
  const std::string track = "<trk><name> </name><trkseg>" + gpx_point() +
                            "</trkseg></trk><trk><name>Second</name></trk><trk><name>Third</name>"
                            "</trk>";
  CHECK(workout_of(gpx(track)).title == "Second");
  CHECK(workout_of(gpx("<metadata><name>File</name></metadata>" + track)).title == "File");
  CHECK(workout_of(gpx("<metadata><name/></metadata>" + track)).title == "Second");
  CHECK(workout_of("<gpx xmlns=\"http://www.topografix.com/GPX/1/0\"><name>Old</name>" + track +
                   "</gpx>")
            .title == "Old");
}

TEST_CASE("one title may hold entities of XML, comments and CDATA") {
  CHECK(workout_of(gpx("<trk><name>R&amp;B <!-- x -->&lt;<![CDATA[&run>]]>&#x21;</name><trkseg>" +
                       gpx_point() + "</trkseg></trk>"))
            .title == "R&B <&run>!");
}

TEST_CASE("tracks of different sports make a workout of no known sport") {
  const auto track = [](std::string_view type) {
    return "<trk>" + element("type", type) + "<trkseg>" + gpx_point() + "</trkseg></trk>";
  };
  CHECK(workout_of(gpx(track("cycling") + track("biking"))).kind == sport::ride);
  CHECK(workout_of(gpx(track("cycling") + track("running"))).kind == sport::other);
  CHECK(workout_of(gpx(track("") + track("running"))).kind == sport::run);
  const auto strange = workout_of(gpx(track("unicycle hockey")));
  CHECK(strange.kind == sport::other);
  CHECK(strange.sport_as_written == "unicycle hockey");
}

TEST_CASE("a heart rate of 0 is no reading") {
  const auto workout = workout_of(
      gpx_points(gpx_point(heart("0")) + gpx_point(heart("100")) + gpx_point(heart(""))));
  CHECK(workout.average_heart_rate_bpm == 100);
  CHECK(workout_of(gpx_points(gpx_point(heart("0")))).average_heart_rate_bpm == std::nullopt);
}

TEST_CASE("an empty element of a GPX point is a value that is not there") {
  const auto workout = workout_of(gpx_points(gpx_point("<ele></ele><time/>")));
  CHECK(workout.started_at_ms == std::nullopt);
  CHECK(workout.elevation_gain_m == std::nullopt);
}

TEST_CASE("elements of other namespaces are passed over, whatever their names") {
  const auto workout = workout_of(gpx_points(
      gpx_point("<x:ele xmlns:x=\"urn:x\">nonsense</x:ele><x:time xmlns:x=\"urn:x\">never</x:time>"
                "<extensions><ele>nonsense</ele><time>never</time></extensions>")));
  CHECK(workout.points == 1);
}

TEST_CASE("GPX 1.0, 1.1 and GPX without a namespace are read, with any prefix") {
  const std::string track = "<trk><trkseg>" + gpx_point() + "</trkseg></trk>";
  CHECK(workout_of("<gpx>" + track + "</gpx>").points == 1);
  CHECK(workout_of("<gpx xmlns=\"http://www.topografix.com/GPX/1/0\">" + track + "</gpx>").points ==
        1);
  CHECK(workout_of("<g:gpx xmlns:g=\"http://www.topografix.com/GPX/1/1\"><g:trk><g:trkseg>"
                   "<g:trkpt lat=\"1\" lon=\"2\"/></g:trkseg></g:trk></g:gpx>")
            .points == 1);
  check_refused("<gpx xmlns=\"urn:other\">" + track + "</gpx>", errc::unsupported,
                "not GPX 1.0 or 1.1", "file.xml:1:1");
}

TEST_CASE("a GPX file without a track point is no workout") {
  for (const char* inside :
       {"", "<trk/>", "<trk><trkseg/></trk>", "<trk><name>x</name></trk>",
        "<wpt lat=\"1\" lon=\"2\"/>", "<rte><rtept lat=\"1\" lon=\"2\"/></rte>"}) {
    check_refused(gpx(inside), errc::malformed, "no track with a point", "file.xml");
  }
}

TEST_CASE("a GPX point is on the globe") {
  CHECK(workout_of(gpx_points("<trkpt lat=\"-90\" lon=\"180\"/></trkseg><trkseg>"
                              "<trkpt lat=\"+90\" lon=\"-180.0\"/>"))
            .points == 2);
  const auto refused = [](std::string_view attributes, std::string_view what) {
    check_refused(gpx_points("<trkpt " + std::string{attributes} + "/>"), errc::malformed, what,
                  "file.xml:2:14");
  };
  refused("lat=\"90.0001\" lon=\"0\"", "latitude \"90.0001\" is outside -90 to 90");
  refused("lat=\"-91\" lon=\"0\"", "latitude");
  refused("lat=\"0\" lon=\"180.5\"", "longitude \"180.5\" is outside -180 to 180");
  refused("lat=\"nan\" lon=\"0\"", "latitude \"nan\" is not a finite decimal number");
  refused("lat=\"0\" lon=\"-inf\"", "longitude \"-inf\"");
  refused("lat=\"0x1p3\" lon=\"0\"", "latitude \"0x1p3\"");
  refused("lat=\"46,05\" lon=\"0\"", "latitude \"46,05\"");
  refused("lat=\"1e999\" lon=\"0\"", "latitude \"1e999\"");
  refused("lat=\"0\"", "without latitude or longitude");
  refused("lon=\"0\"", "without latitude or longitude");
  refused("lat=\"\" lon=\"0\"", "without latitude or longitude");
}

TEST_CASE("absurd values in a GPX point are refused at their place") {
  const auto refused = [](std::string_view inside, std::string_view what) {
    check_refused(gpx_points(gpx_point("\n\n " + std::string{inside})), errc::malformed, what,
                  "file.xml:4:2");
  };
  refused("<ele>-12001</ele>", "altitude \"-12001\" is outside -12000 to 100000");
  refused("<ele>100001</ele>", "altitude");
  refused("<ele>NaN</ele>", "altitude \"NaN\" is not a finite");
  refused("<ele>high</ele>", "altitude \"high\" is not a finite");
  refused("<time>yesterday</time>", "\"yesterday\" is not a time");
  refused("<time>2024-05-04</time>", "is not a time");
  check_refused(gpx_points(gpx_point("<ele>1<b/>2</ele>")), errc::malformed,
                "\"b\" stands where a plain value belongs", "file.xml:2:43");
  const auto heart_refused = [](std::string_view bpm) {
    check_refused(gpx_points(gpx_point("<extensions>" + element("hr", bpm) + "</extensions>")),
                  errc::malformed, "heart rate", "file.xml:2:49");
  };
  heart_refused("301");
  heart_refused("-1");
  heart_refused("fast");
}

TEST_CASE("times more than a year apart are not one workout") {
  CHECK(workout_of(gpx_points(gpx_point(at("2024-01-01T00:00:00Z")) +
                              gpx_point(at("2025-01-01T00:00:00Z"))))
            .duration_s == 366 * 86'400);
  check_refused(gpx_points(gpx_point(at("2024-01-01T00:00:00Z")) + "\n" +
                           gpx_point(at("1970-01-01T00:00:00Z"))),
                errc::malformed, "more than a year away", "file.xml:3:24");
}

TEST_CASE("totals that no workout reaches are refused where they are passed") {
  std::string leaping;
  for (int i = 0; i < 3; ++i) leaping += gpx_point("", "-90") + "\n" + gpx_point("", "90");
  check_refused(gpx_points(leaping), errc::malformed, "distance in metres", "file.xml:3:1");

  std::string bouncing;
  for (int i = 0; i < 20; ++i) {
    bouncing += gpx_point("<ele>0</ele>") + gpx_point("<ele>100000</ele>") + "\n";
  }
  check_refused(gpx_points(bouncing), errc::malformed, "elevation gain", "file.xml:12:67");
}
