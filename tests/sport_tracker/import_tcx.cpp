// How a TCX document becomes a workout.
#include <catch2/catch.hpp>

#include "import_documents.hpp"

using namespace import_tests;
using sport_tracker::sport;

namespace {

std::string totals(std::string_view seconds, std::string_view metres) {
  return element("TotalTimeSeconds", seconds) + element("DistanceMeters", metres);
}
std::string at(std::string_view time) { return element("Time", time); }
std::string counted(std::string_view metres) { return element("DistanceMeters", metres); }
std::string position(std::string_view latitude, std::string_view longitude) {
  return "<Position>" + element("LatitudeDegrees", latitude) +
         element("LongitudeDegrees", longitude) + "</Position>";
}
std::string heart(std::string_view bpm) {
  return "<HeartRateBpm>" + element("Value", bpm) + "</HeartRateBpm>";
}
std::string lap(std::string_view inside, std::string_view start = "") {
  return "<Lap StartTime=\"" + std::string{start} + "\">" + std::string{inside} + "</Lap>";
}
std::string activity(std::string_view laps, std::string_view sport = "Running") {
  return "<Activity Sport=\"" + std::string{sport} + "\">" + std::string{laps} + "</Activity>";
}

}  // namespace

TEST_CASE("a TCX activity has totals, a start, climb, heart rate, calories, sport and title") {
  const auto workout = workout_of(
      tcx("<Activity Sport=\"Biking\"><Id>2024-05-04T05:59:00Z</Id>" +
          lap(totals("600.4", "3000.4") + "<Calories>80</Calories>" +
                  "<AverageHeartRateBpm><Value>99</Value></AverageHeartRateBpm>"
                  "<MaximumHeartRateBpm><Value>180</Value></MaximumHeartRateBpm>" +
                  tcx_track(tcx_point(at("2024-05-04T06:00:01Z") + position("46", "14") +
                                      "<AltitudeMeters>300</AltitudeMeters>" + heart("120")) +
                            tcx_point(at("2024-05-04T06:10:00Z") + position("46", "15") +
                                      "<AltitudeMeters>320</AltitudeMeters>" + heart("141"))),
              "2024-05-04T06:00:00Z") +
          lap(totals("300.3", "1500.3") + "<Calories>41</Calories>" +
                  tcx_track(tcx_point("<AltitudeMeters>330</AltitudeMeters>")),
              "2024-05-04T06:10:00Z") +
          "<Notes>Home\nfrom work</Notes></Activity>"));
  CHECK(workout.kind == sport::ride);
  CHECK(workout.sport_as_written == "Biking");
  CHECK(workout.title == "Home from work");
  CHECK(workout.started_at_ms == 1'714'802'400'000);
  CHECK(workout.duration_s == 901);
  CHECK(workout.distance_m == 4501);
  CHECK(workout.elevation_gain_m == 30);
  CHECK(workout.average_heart_rate_bpm == 131);
  CHECK(workout.max_heart_rate_bpm == 180);
  CHECK(workout.calories_kcal == 121);
  CHECK(workout.points == 3);
}

TEST_CASE("a TCX lap of totals without a track is a workout") {
  const auto workout = workout_of(tcx(activity(
      lap(totals("1200", "4000") + "<AverageHeartRateBpm><Value>140</Value></AverageHeartRateBpm>"
                                   "<MaximumHeartRateBpm><Value>150</Value></MaximumHeartRateBpm>",
          "2024-05-04T06:00:00Z") +
      lap(totals("600", "1000") + "<AverageHeartRateBpm><Value>110</Value></AverageHeartRateBpm>",
          "2024-05-04T06:20:00Z"))));
  CHECK(workout.points == 0);
  CHECK(workout.duration_s == 1800);
  CHECK(workout.distance_m == 5000);
  CHECK(workout.started_at_ms == 1'714'802'400'000);
  CHECK(workout.average_heart_rate_bpm == 130);
  CHECK(workout.max_heart_rate_bpm == 150);
}

TEST_CASE("a lap without a time lasts from its first time to its last") {
  const auto workout = workout_of(tcx(activity(
      lap(tcx_track(tcx_point(at("2024-05-04T06:00:30Z")) + tcx_point(at("2024-05-04T06:01:00Z"))),
          "2024-05-04T06:00:00Z") +
      lap(totals("100", "") + tcx_track(tcx_point(at("2024-05-04T08:00:00Z")))))));
  CHECK(workout.duration_s == 160);
}

TEST_CASE("a lap without a distance has what its points count") {
  const auto lap_to = [](std::string_view from, std::string_view to) {
    return lap(tcx_track(tcx_point(counted(from)) + tcx_point(counted(to))));
  };
  CHECK(workout_of(tcx(activity(lap_to("5", "1000") + lap_to("1010", "2000")))).distance_m == 2000);
  CHECK(workout_of(tcx(activity(lap_to("0", "1000") + lap_to("0", "900")))).distance_m == 1900);
  CHECK(workout_of(tcx(activity(lap_to("0", "1000")) + activity(lap_to("1500", "1600"))))
            .distance_m == 2600);
  // The lap before states its distance, and its points count on all the same.
  CHECK(workout_of(tcx(activity(lap(totals("1", "500") + tcx_track(tcx_point(counted("510")))) +
                                lap_to("510", "700"))))
            .distance_m == 690);
}

TEST_CASE("a distance counter that steps back within a lap does not count twice") {
  CHECK(workout_of(tcx_lap(tcx_track(tcx_point(counted("100")) + tcx_point(counted("90")) +
                                     tcx_point(counted("110")))))
            .distance_m == 110);
}

TEST_CASE("a lap without any distance is as long as the way along its positions") {
  const auto workout = workout_of(tcx_lap(
      tcx_track(tcx_point(position("0", "0")) + tcx_point("") + tcx_point(position("0", "0.01"))) +
      tcx_track(tcx_point(position("0", "50")) + tcx_point(position("0", "50.01")))));
  CHECK(workout.distance_m == 2224);
  CHECK(workout.duration_s == std::nullopt);
  CHECK(workout.started_at_ms == std::nullopt);
}

TEST_CASE("a TCX activity without other times starts at its id, when that is a time") {
  const auto started = [](std::string_view id) {
    return workout_of(tcx("<Activity><Id>" + std::string{id} + "</Id><Lap>" + totals("60", "100") +
                          "</Lap></Activity>"))
        .started_at_ms;
  };
  CHECK(started("2024-05-04T06:00:00Z") == 1'714'802'400'000);
  CHECK(started("activity 17") == std::nullopt);
}

TEST_CASE("the activities of a multi-sport session and their transitions add up") {
  const auto workout = workout_of(
      tcx("<MultiSportSession><FirstSport>" + activity(lap(totals("1000", "750")), "Other") +
          "</FirstSport><NextSport><Transition StartTime=\"2024-05-04T06:00:00Z\">" +
          totals("100", "50") + "</Transition>" + activity(lap(totals("2000", "20000")), "Biking") +
          "</NextSport></MultiSportSession>"));
  CHECK(workout.duration_s == 3100);
  CHECK(workout.distance_m == 20'800);
  CHECK(workout.kind == sport::other);
}

TEST_CASE("climb does not count from one TCX activity to the next") {
  const auto at_height = [](std::string_view metres) {
    return activity(lap(tcx_track(tcx_point(element("AltitudeMeters", metres)))));
  };
  CHECK(workout_of(tcx(at_height("100") + at_height("900"))).elevation_gain_m == 0);
}

TEST_CASE("courses and planned workouts are no workouts") {
  const std::string course = "<Courses><Course><Name>Hill</Name><Lap>" + totals("60", "100") +
                             "</Lap><Track><Trackpoint/></Track></Course></Courses>"
                             "<Workouts><Workout Sport=\"Running\"/></Workouts>";
  check_refused("<TrainingCenterDatabase>" + course + "</TrainingCenterDatabase>", errc::malformed,
                "no activity", "file.xml");
}

TEST_CASE("a TCX file with neither points nor totals is no workout") {
  for (const std::string& inside :
       {std::string{}, activity(""), activity(lap("")), activity(lap(totals("0", "0.0"))),
        activity(lap(tcx_track("")))}) {
    check_refused(tcx(inside), errc::malformed, "no activity", "file.xml");
  }
}

TEST_CASE("TCX without a namespace is read, other versions than 2 are refused") {
  const std::string inside = "<Activities>" + activity(lap(totals("60", "100"))) + "</Activities>";
  CHECK(workout_of("<TrainingCenterDatabase>" + inside + "</TrainingCenterDatabase>").duration_s ==
        60);
  check_refused(
      "<TrainingCenterDatabase "
      "xmlns=\"http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v1\">" +
          inside + "</TrainingCenterDatabase>",
      errc::unsupported, "not TCX version 2", "file.xml:1:1");
}

TEST_CASE("TCX extensions and the device's description are passed over") {
  const auto workout = workout_of(
      tcx(activity(lap(totals("60", "100") +
                       tcx_track(tcx_point("<Extensions><e:TPX xmlns:e=\"urn:e\"><e:Speed>fast"
                                           "</e:Speed></e:TPX></Extensions>")) +
                       "<Extensions><LX><Steps>many</Steps></LX></Extensions>") +
                   "<Creator><Name>watch</Name><Version><VersionMajor>x</VersionMajor></Version>"
                   "</Creator>")));
  CHECK(workout.duration_s == 60);
  CHECK(workout.title.empty());
}

TEST_CASE("a TCX position has both coordinates or none") {
  CHECK(workout_of(tcx_lap(tcx_track(tcx_point("<Position/>")))).distance_m == std::nullopt);
  check_refused(
      tcx_lap(tcx_track(tcx_point("\n<Position><LatitudeDegrees>46</LatitudeDegrees></Position>"))),
      errc::malformed, "without latitude or longitude", "file.xml:3:1");
}

TEST_CASE("absurd values in TCX are refused at their place") {
  const auto in_lap = [](std::string_view inside, std::string_view what) {
    check_refused(tcx_lap("\n" + std::string{inside}), errc::malformed, what, "file.xml:3:1");
  };
  in_lap("<TotalTimeSeconds>-1</TotalTimeSeconds>", "lap time \"-1\" is outside 0 to 31622400");
  in_lap("<TotalTimeSeconds>31622401</TotalTimeSeconds>", "lap time");
  in_lap("<TotalTimeSeconds>00:10:00</TotalTimeSeconds>", "lap time \"00:10:00\" is not a finite");
  in_lap("<DistanceMeters>-0.1</DistanceMeters>", "distance \"-0.1\" is outside 0 to 10000000");
  in_lap("<DistanceMeters>10000001</DistanceMeters>", "distance");
  in_lap("<Calories>-3</Calories>", "calories");
  in_lap("<Calories>1e7</Calories>", "calories");

  const auto in_point = [](std::string_view inside, std::string_view what,
                           std::string_view where = "file.xml:3:1") {
    check_refused(tcx_lap(tcx_track(tcx_point("\n" + std::string{inside}))), errc::malformed, what,
                  where);
  };
  in_point("<Time>noon</Time>", "\"noon\" is not a time");
  in_point("<AltitudeMeters>1e6</AltitudeMeters>", "altitude");
  in_point("<DistanceMeters>inf</DistanceMeters>", "distance \"inf\"");
  in_point(heart("301"), "heart rate \"301\" is outside 0 to 300", "file.xml:3:15");
  in_point(position("91", "0"), "latitude", "file.xml:3:11");
  in_point(position("0", "-181"), "longitude", "file.xml:3:47");
  check_refused(tcx("<Activity><Lap StartTime=\"never\"/></Activity>"), errc::malformed,
                "\"never\" is not a time", "file.xml:2:11");
}

TEST_CASE("totals of laps that no workout reaches are refused where they are passed") {
  const auto two = [](std::string_view first, std::string_view second) {
    return tcx(activity(lap(first) + "\n" + lap(second)));
  };
  check_refused(two(totals("31622400", "1"), totals("1", "1")), errc::malformed, "time in seconds",
                "file.xml:3:1");
  check_refused(two(totals("1", "1e7"), totals("1", "1")), errc::malformed, "distance in metres",
                "file.xml:3:1");
  check_refused(two("<Calories>1e6</Calories>", "<Calories>1</Calories>"), errc::malformed,
                "kilocalories", "file.xml:3:19");
}
