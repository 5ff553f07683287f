// The program's small functions: texts, dates and streaks.
#include <catch2/catch.hpp>

#include "sport_tracker/streak.hpp"
#include "sport_tracker/text.hpp"

using namespace sport_tracker;
using words = std::vector<std::string>;

TEST_CASE("a line is split as a shell splits it") {
  CHECK(words_of("") == words{});
  CHECK(words_of("  a  b\tc\r") == words{"a", "b", "c"});
  CHECK(words_of("say 'two words' \"and 'more'\" ''") ==
        words{"say", "two words", "and 'more'", ""});
  CHECK(words_of("a\\ b \"c\\\"d\" 'e\\f'") == words{"a b", "c\"d", "e\\f"});
  CHECK(words_of("x'y'z") == words{"xyz"});
  CHECK_THROWS_AS(words_of("it's"), input_error);
}

TEST_CASE("text from outside is UTF-8 without control characters") {
  CHECK(checked_text("it", "Škofja Loka – 2 km") == "Škofja Loka – 2 km");
  CHECK(checked_text("it", "a\nb", true) == "a\nb");
  for (const std::string bad : {"a\nb", "\x1b[31m", "\xff", "\xc0\x80", "\xed\xa0\x80", "\xe2\x82",
                                "\xf5\x80\x80\x80", "\xc2\x9b", "\x7f"}) {
    INFO(bad);
    CHECK_THROWS_AS(checked_text("it", bad), input_error);
  }
  CHECK_NOTHROW(checked_text("it", std::string(max_line_bytes, 'x')));
  CHECK_THROWS_AS(checked_text("it", std::string(max_line_bytes + 1, 'x')), input_error);
}

TEST_CASE("what is shown has no control characters and fits") {
  CHECK(printable("a\nb\x1b[0m") == "a b [0m");
  CHECK(printable("a\xff\xc2\x9b") == "a???");
  CHECK(printable("žžž", 3) == "žžž");
  CHECK(printable("žžžž", 3) == "žž…");
}

TEST_CASE("times and dates are those of the calendar") {
  CHECK(utc_time(0) == "1970-01-01T00:00:00Z");
  CHECK(utc_time(1'714'803'150'000) == "2024-05-04T06:12:30Z");
  CHECK(utc_time(-1) == "1969-12-31T23:59:59Z");
  CHECK(utc_time(std::numeric_limits<std::int64_t>::max()).starts_with("9999-12-31"));
  CHECK(utc_time(std::numeric_limits<std::int64_t>::min()).starts_with("0001-01-01"));
  CHECK(days_of_date("1970-01-02") == 1);
  CHECK(days_of_date("2024-02-29"));
  for (const auto* bad : {"2023-02-29", "2024-13-01", "2024-5-1", "20240501", "abcd-ef-gh", ""})
    CHECK_FALSE(days_of_date(bad));
  CHECK(weekday_of(0) == "thu");
  CHECK(weekday_of(*days_of_date("2024-05-04")) == "sat");
  CHECK(duration_text(0) == "0:00");
  CHECK(duration_text(3753) == "1:02:33");
  CHECK(distance_text(8020, false) == "8.02 km");
  CHECK(distance_text(1609, true) == "1.00 mi");
}

TEST_CASE("hashtags are the words after a #") {
  CHECK(hashtags_in("Up! #Ride, #sun_and-wind; # no ##twice #čez") ==
        words{"ride", "sun_and-wind", "twice", "čez"});
}

TEST_CASE("a streak counts the planned days that were kept, back from today") {
  const auto today = *days_of_date("2024-05-10");  // a Friday
  const streak_plan plan{{"mon", "wed", "fri"}, 30, {}};
  minutes_by_day done{{"2024-05-08", 30}, {"2024-05-06", 45}, {"2024-05-03", 31}};
  CHECK(streak_length(plan, done, today) == 3);  // today may still be done
  done["2024-05-10"] = 60;
  CHECK(streak_length(plan, done, today) == 4);
  done["2024-05-06"] = 29;  // too short
  CHECK(streak_length(plan, done, today) == 2);
  streak_plan frozen = plan;
  frozen.frozen_days = {"2024-05-06"};
  CHECK(streak_length(frozen, done, today) == 4);
  CHECK(streak_length(plan, done, today + 3) == 2);  // the Monday after, not yet done
  CHECK(streak_length(plan, done, today + 5) == 0);  // that Monday was missed
  CHECK(streak_length({{}, 0, {}}, done, today) == 0);
  CHECK(streak_length({{"tue"}, 0, {}}, {}, today) == 0);
}
