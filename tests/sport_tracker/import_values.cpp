// The importer's numbers, times, titles, sports, measures and XP.
#include <catch2/catch.hpp>

#include "sport_tracker/import/sport.hpp"
#include "sport_tracker/import/text_values.hpp"
#include "sport_tracker/import/track_meter.hpp"
#include "sport_tracker/import/xp.hpp"

using namespace sport_tracker;

TEST_CASE("a time is milliseconds since 1970 in UTC") {
  CHECK(parse_time("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_time("2022-08-26T16:35:13.000Z") == 1'661'531'713'000);
  CHECK(parse_time("2024-02-29T23:59:59.999Z") == 1'709'251'199'999);
  CHECK(parse_time(" \n\t2024-02-29t23:59:59.999z\r\n") == 1'709'251'199'999);
}

TEST_CASE("a time before 1970 is negative and its fraction still counts upward") {
  CHECK(parse_time("1969-12-31T23:59:59Z") == -1000);
  CHECK(parse_time("1969-12-31T23:59:59.250Z") == -750);
  CHECK(parse_time("1901-12-13T20:45:52.2073437Z") == -2'147'483'647'793);
  CHECK(parse_time("0001-01-01T00:00:00Z") == -62'135'596'800'000);
}

TEST_CASE("a time's zone is taken off, and without one the time is UTC") {
  CHECK(parse_time("1970-01-01T02:30:00+02:30") == 0);
  CHECK(parse_time("1969-12-31T19:00:00-0500") == 0);
  CHECK(parse_time("1970-01-01T00:00:00-00:00") == 0);
  CHECK(parse_time("1970-01-01T00:00:01") == 1000);
}

TEST_CASE("a time's fraction may have any number of digits, and is cut below the millisecond") {
  CHECK(parse_time("1970-01-01T00:00:00.5Z") == 500);
  CHECK(parse_time("1970-01-01T00:00:00.0019Z") == 1);
  CHECK(parse_time("1970-01-01T00:00:00." + std::string(5000, '9') + "Z") == 999);
}

TEST_CASE("a leap second is the first second of the next day, and there is none at other times") {
  CHECK(parse_time("2016-12-31T23:59:60Z") == parse_time("2017-01-01T00:00:00Z"));
  CHECK(parse_time("2017-01-01T00:59:60+01:00") == parse_time("2017-01-01T00:00:00Z"));
  CHECK(parse_time("2016-12-31T22:59:60Z") == std::nullopt);
}

TEST_CASE("what is not wholly a time is none") {
  for (const char* text : {"",
                           " ",
                           "2024",
                           "2024-05-01",
                           "2024-05-01 07:30:00Z",
                           "2024-05-01T07:30Z",
                           "2024-13-01T00:00:00Z",
                           "2024-00-01T00:00:00Z",
                           "2024-02-30T00:00:00Z",
                           "2023-02-29T00:00:00Z",
                           "0000-01-01T00:00:00Z",
                           "12024-01-01T00:00:00Z",
                           "-2024-01-01T00:00:00Z",
                           "2024-05-01T24:00:00Z",
                           "2024-05-01T07:60:00Z",
                           "2024-05-01T07:30:61Z",
                           "2024-05-01T07:30:00.Z",
                           "2024-05-01T07:30:00,5Z",
                           "2024-05-01T07:30:00Zjunk",
                           "2024-05-01T07:30:00+1",
                           "2024-05-01T07:30:00+24:00",
                           "2024-05-01T07:30:00+02:60",
                           "2024-05-01T07:30:00 Z",
                           "2O24-05-01T07:30:00Z",
                           "2024-5-1T7:30:0Z",
                           "20240501T073000Z",
                           "tomorrow",
                           "２０２４-05-01T07:30:00Z"}) {
    INFO(text);
    CHECK(parse_time(text) == std::nullopt);
  }
}

TEST_CASE("a number is finite, decimal and alone") {
  CHECK(parse_number("12") == 12.0);
  CHECK(parse_number(" -12.25\n") == -12.25);
  CHECK(parse_number("+.5") == .5);
  CHECK(parse_number("1E3") == 1000.0);
  CHECK(parse_number("0." + std::string(60'000, '1')) == Approx(1.0 / 9));
  for (const char* text : {"",    " ",    ".",   "-",   "+",         "+-1",  "--1",   "nan",
                           "NaN", "-nan", "inf", "INF", "-Infinity", "0x10", "1e999", "-1e999",
                           "1e",  "12,5", "1 2", "12m", "１２",      "1_000"}) {
    INFO(text);
    CHECK(parse_number(text) == std::nullopt);
  }
}

TEST_CASE("a title is one line without control characters, cut between characters") {
  CHECK(one_line("  Morning\n\t run  ", 200) == "Morning run");
  CHECK(one_line("a\x1b[31mb\x7f"
                 "c\xC2\x9B"
                 "d",
                 200) == "a [31mb c d");
  CHECK(one_line("\n \n", 200).empty());
  CHECK(one_line("čšž", 5) == "čš");
  CHECK(one_line("abcdef", 3) == "abc");
  CHECK(one_line("a     b", 2) == "a");
  CHECK(one_line(std::string(100'000, 'x'), 200).size() == 200);
}

TEST_CASE("a sport is known by its whole word, whatever its case and hyphens") {
  CHECK(sport_from("Running") == sport::run);
  CHECK(sport_from("trail_running") == sport::run);
  CHECK(sport_from("Biking") == sport::ride);
  CHECK(sport_from("cycling") == sport::ride);
  CHECK(sport_from("Open Water Swimming") == sport::swim);
  CHECK(sport_from("walking") == sport::walk);
  CHECK(sport_from("HIKING") == sport::hike);
  CHECK(sport_from("stand-up paddling") == sport::sup);
  for (const char* word : {"", "Other", "1", "9", "running shoes", "bikini", "swimm", "yoga"}) {
    INFO(word);
    CHECK(sport_from(word) == sport::other);
  }
}

TEST_CASE("each sport's name leads back to it") {
  for (const auto kind :
       {sport::run, sport::ride, sport::swim, sport::walk, sport::hike, sport::sup, sport::other}) {
    CHECK(sport_from(name_of(kind)) == kind);
  }
}

TEST_CASE("distance is along great circles") {
  const double degree_m = 111'195.08;
  CHECK(distance_between({0, 0}, {0, 1}) == Approx(degree_m));
  CHECK(distance_between({45, 10}, {46, 10}) == Approx(degree_m));
  CHECK(distance_between({60, 0}, {60, 1}) == Approx(degree_m / 2).epsilon(0.001));
  CHECK(distance_between({0, 179.5}, {0, -179.5}) == Approx(degree_m));
  CHECK(distance_between({90, 0}, {-90, 123}) == Approx(degree_m * 180));
  CHECK(distance_between({46, 14}, {46, 14}) == 0);
}

TEST_CASE("nothing is measured across a break in the line") {
  track_meter meter;
  CHECK(meter.distance_m() == std::nullopt);
  CHECK(meter.climb_m() == std::nullopt);
  meter.add({0, 0});
  CHECK(meter.distance_m() == 0.0);
  meter.add({0, 1});
  meter.add_altitude(100);
  meter.break_line();
  meter.add({50, 50});
  meter.add_altitude(500);
  CHECK(*meter.distance_m() == Approx(111'195.08));
  CHECK(meter.climb_m() == 0.0);
}

TEST_CASE("wavering by less than three metres is no climb, a slow rise is all of it") {
  track_meter wavering;
  for (int i = 0; i < 1000; ++i) wavering.add_altitude(i % 2 == 0 ? 100 : 102.9);
  CHECK(wavering.climb_m() == 0.0);

  track_meter slow;
  for (int i = 0; i <= 1000; ++i) slow.add_altitude(100 + i / 10.0);
  CHECK(*slow.climb_m() == Approx(100).margin(3));

  track_meter two_hills;
  for (const double height : {100., 103., 90., 120., 60., 61., 62., 70.}) {
    two_hills.add_altitude(height);
  }
  CHECK(*two_hills.climb_m() == Approx(3 + 30 + 10));
}

TEST_CASE("XP counts started minutes, full hundreds of metres and full tens of metres climbed") {
  workout_summary workout;
  workout.duration_s = 25 * 60 + 1;
  CHECK(xp_for(workout) == 26);
  workout.duration_s = 25 * 60;
  CHECK(xp_for(workout) == 25);
  workout.distance_m = 5'099;
  CHECK(xp_for(workout) == 25 + 50);
  workout.elevation_gain_m = 119;
  CHECK(xp_for(workout) == 25 + 50 + 11);
}

TEST_CASE("XP does not depend on the sport, the heart or the title") {
  workout_summary plain;
  plain.duration_s = 3000;
  auto other = plain;
  other.kind = sport::swim;
  other.title = "hard";
  other.max_heart_rate_bpm = 190;
  other.calories_kcal = 900;
  other.points = 1000;
  CHECK(xp_for(plain) == xp_for(other));
}

TEST_CASE("XP is at least 5 and at most 1000") {
  workout_summary workout;
  CHECK(xp_for(workout) == 5);
  workout.duration_s = 60;
  CHECK(xp_for(workout) == 5);
  workout.distance_m = 99'400;
  CHECK(xp_for(workout) == 995);
  workout.distance_m = 0xFFFF'FFFF;
  workout.duration_s = 0xFFFF'FFFF;
  workout.elevation_gain_m = 0xFFFF'FFFF;
  CHECK(xp_for(workout) == 1000);
}
