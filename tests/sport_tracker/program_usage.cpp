// The program's edges: help, wrong input, stores that are not there or not ours, and each command.
#include <catch2/catch.hpp>

#include "tests/sport_tracker/program.hpp"

using namespace tracker_tests;

TEST_CASE("the help names every command, and every command has its own") {
  const scratch files;
  const device phone{files, "phone"};
  const auto help = phone.run({"--help"});
  CHECK(help.code == 0);
  CHECK(help.err.empty());
  for (const auto* command :
       {"import", "profile", "workouts", "post", "streak", "show", "conflicts", "status", "digest",
        "inspect", "members", "watch", "serve", "sync"}) {
    INFO(command);
    CHECK(has(help.out, std::string("  ") + command));
    const auto own = phone.run({command, "--help"});
    CHECK(own.code == 0);
    CHECK(has(own.out, command));
  }
  CHECK(phone.run({"--version"}).code == 0);
  CHECK_FALSE(fs::exists(phone.store()));
}

TEST_CASE("wrong input is refused with exit code 2, and changes nothing") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"import", sample("treadmill.tcx").string()});
  phone.make({"streak", "set", "daily", "--days", "mon"});
  const auto before = phone.digest();
  for (const words& command : std::vector<words>{
           {},
           {"fly"},
           {"show", "--xml"},
           {"--colour", "show"},
           {"digest", "more"},
           {"import"},
           {"profile", "set", "name"},
           {"profile", "set", "shoe-size", "44"},
           {"profile", "set", "name", "two\nlines"},
           {"profile", "set", "name", "\xff\xfe"},
           {"profile", "set", "name", std::string(300, 'x')},
           {"profile", "set", "birth-date", "17.5.1990"},
           {"profile", "set", "birth-date", "1990-02-30"},
           {"profile", "set", "units", "cubits"},
           {"profile", "set", "weight", "nan"},
           {"profile", "set", "coach", "perhaps"},
           {"profile", "badge", "polish", "x"},
           {"profile", "badge", "add", ""},
           {"profile", "kudos", "give", "-1"},
           {"--profile", "", "profile"},
           {"--profile", "ana", "profile", "delete"},
           {"workouts", "show", "zzzz"},
           {"workouts", "show", ""},
           {"workouts", "edit", "zzzz", "title", "x"},
           {"workouts", "edit", "9d2c", "effort", "11"},
           {"workouts", "edit", "9d2c", "effort", "6.5"},
           {"workouts", "edit", "9d2c", "sport", "chess"},
           {"workouts", "edit", "9d2c", "distance_m", "1"},
           {"workouts", "tag", "9d2c", "add", ""},
           {"workouts", "delete", "zzzz"},
           {"post", "add", ""},
           {"post", "add", "x", "--workout", "zzzz"},
           {"post", "like", "zzzz"},
           {"streak", "set", "other"},
           {"streak", "set", "daily", "--days", "mon,someday"},
           {"streak", "set", "daily", "--minutes", "1441"},
           {"streak", "set", "daily", "--pause", "--resume"},
           {"streak", "freeze", "daily"},
           {"streak", "freeze", "other"},
           {"streak", "delete", "other"},
           {"conflicts", "resolve", "user_profiles", "me", "display_name", "x"},
           {"serve"},
           {"serve", "65536"},
           {"serve", "http"},
           {"sync"},
           {"sync", "127.0.0.1"},
           {"sync", "127.0.0.1:0"},
           {"sync", "127.0.0.1:x"},
           {"sync", "127.0.0.1:7000", "--pace", "-1"},
       }) {
    std::string shown;
    for (const auto& word : command) shown += word + " ";
    INFO(shown);
    const auto result = phone.run(command);
    CHECK(result.code == 2);
    CHECK(result.err.starts_with("error: "));
    CHECK(result.out.empty());
  }
  CHECK(phone.digest() == before);
}

TEST_CASE("a store that is not there is told, and not made by reading") {
  const scratch files;
  const device phone{files, "phone"};
  for (const words& command : std::vector<words>{{"show"},
                                                 {"digest"},
                                                 {"status"},
                                                 {"conflicts"},
                                                 {"workouts"},
                                                 {"post"},
                                                 {"streak"},
                                                 {"profile"}}) {
    const auto result = phone.run(command);
    CHECK(result.code == 1);
    CHECK(has(result.err, "not_found"));
  }
  CHECK_FALSE(fs::exists(phone.store()));
}

TEST_CASE("a store keeps to its space") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"--space", "club", "profile", "set", "name", "Ana"});
  const auto result = phone.run({"show"});
  CHECK(result.code == 1);
  CHECK(has(result.err, "wrong_space"));
  CHECK(phone.run({"show", "--space", "club"}).code == 0);
}

TEST_CASE("the profile is set, shown and deleted") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"profile", "set", "name", "Ana Kos"});
  phone.make({"profile", "set", "bio", "Runs.\nSwims."});
  phone.make({"profile", "set", "weight", "61.5"});
  phone.make({"profile", "set", "coach", "on"});
  phone.make({"profile", "badge", "add", "first-5k"});
  phone.make({"profile", "badge", "add", "early-bird"});
  phone.make({"profile", "badge", "remove", "first-5k"});
  phone.make({"profile", "goal", "add", "run 100 km"});
  phone.make({"profile", "kudos", "give", "5"});
  phone.make({"profile", "kudos", "take", "2"});
  const auto shown = phone.ask({"profile"});
  for (const auto* part : {"Ana Kos", "Runs. Swims.", "61.5 kg", "may look", "early-bird",
                           "run 100 km", "kudos         3"}) {
    INFO(part);
    CHECK(has(shown, part));
  }
  CHECK_FALSE(has(shown, "first-5k"));
  phone.make({"--profile", "ben", "profile", "set", "name", "Ben"});
  CHECK(phone.total("profiles") == "2");
  phone.make({"profile", "delete"});
  CHECK(has(phone.ask({"profile"}), "no profile"));
  phone.make({"profile", "set", "bio", "Afresh."});
  CHECK_FALSE(has(phone.ask({"profile"}), "Ana"));
}

TEST_CASE("a workout is named by the start of its key, edited and deleted") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"import", sample("morning_run.tcx").string(), sample("pool_swim.tcx").string()});
  const auto key = phone.workout("swim");
  phone.make({"workouts", "edit", key, "title", "Lanes"});
  phone.make({"workouts", "edit", key, "notes", "Cold."});
  phone.make({"workouts", "edit", key, "sport", "other"});
  phone.make({"workouts", "edit", key, "effort", "7"});
  phone.make({"workouts", "tag", key, "add", "club"});
  phone.make({"workouts", "tag", key, "add", "indoor"});
  phone.make({"workouts", "tag", key, "remove", "club"});
  const auto shown = phone.ask({"workouts", "show", key});
  for (const auto* part : {"Lanes", "Cold.", "other", "7 of 10", "indoor", "pool_swim.tcx"}) {
    INFO(part);
    CHECK(has(shown, part));
  }
  CHECK_FALSE(has(shown, "club"));
  phone.make({"workouts", "delete", key});
  CHECK(phone.run({"workouts", "show", key}).code == 2);
  CHECK(phone.total("workouts") == "1");
  CHECK(phone.total("XP records") == "2");
}

TEST_CASE("several keys that begin alike are told") {
  const scratch files;
  const device phone{files, "phone"};
  for (int i = 0; i < 17; ++i) phone.make({"post", "add", "post " + std::to_string(i)});
  bool told = false;  // of 17 keys in hexadecimal, two begin with the same digit
  for (const char digit : std::string{"0123456789abcdef"}) {
    const auto result = phone.run({"post", "like", std::string(1, digit)});
    told = told || (result.code == 2 && has(result.err, "several keys"));
  }
  CHECK(told);
}

TEST_CASE("posts are written, edited, liked, commented on and taken down") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"import", sample("pass_ride.gpx").string()});
  const auto said =
      phone.ask({"post", "add", "Up! #Ride #sun", "--workout", phone.workout("ride")});
  REQUIRE(said.starts_with("posted "));
  const auto key = said.substr(7, 8);
  phone.make({"post", "like", key});
  phone.make({"--profile", "ben", "post", "like", key});
  phone.make({"post", "comment", key, "And down."});
  phone.make({"post", "edit", key, "Up! #ride #wind"});
  const auto listed = phone.ask({"post"});
  CHECK(has(listed, "Up! #ride #wind"));
  CHECK(has(listed, "2 likes"));
  CHECK(has(listed, "me: And down."));
  const auto state = phone.state();
  CHECK(has(state, "\"wind\""));
  CHECK_FALSE(has(state, "\"sun\""));
  phone.make({"post", "unlike", key});
  const auto at = listed.find("    ");
  phone.make({"post", "uncomment", key, listed.substr(at + 4, 8)});
  CHECK(has(phone.ask({"post", "list"}), "1 like\n"));
  CHECK_FALSE(has(phone.ask({"post", "list"}), "And down."));
  phone.make({"post", "delete", key});
  CHECK(phone.ask({"post"}).empty());
}

TEST_CASE("inspect shows what is stored, without the schema") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"profile", "set", "name", "Ana \"A\""});
  phone.make({"streak", "set", "daily", "--days", "mon"});
  const auto before = phone.digest();
  const auto overview = phone.ask({"inspect"});
  CHECK(has(overview, "\"user_profiles\"  1 records, 0 deleted; update_wins, rank 0"));
  CHECK(has(overview, "\"joinery.schema\"  2 records"));
  CHECK(has(overview, "(this replica)"));
  CHECK(has(overview, "log  2 entries"));
  CHECK(has(phone.ask({"inspect", "user_profiles"}), "{\"key\":\"me\",\"alive\":true"));
  CHECK(has(phone.ask({"inspect", "user_profiles", "me"}), "Ana \\\"A\\\""));
  CHECK(phone.run({"inspect", "user_profiles", "you"}).code == 2);
  CHECK(phone.digest() == before);
}

TEST_CASE("a streak is planned, frozen, paused and deleted") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make(
      {"streak", "set", "daily", "--days", "mon,wed,fri", "--minutes", "30", "--add-freezes", "1"});
  CHECK(has(phone.ask({"streak"}), "daily: mon wed fri, 30 minutes, 1 freezes left"));
  phone.make({"streak", "freeze", "daily", "--on", "2024-05-01"});
  CHECK(phone.run({"streak", "freeze", "daily", "--on", "2024-05-03"}).code == 2);
  phone.make({"streak", "set", "daily", "--days", "sat", "--pause"});
  CHECK(has(phone.ask({"streak", "list"}), "daily: sat, 30 minutes, 0 freezes left"));
  CHECK(has(phone.ask({"streak", "list"}), "paused"));
  phone.make({"streak", "set", "daily", "--resume"});
  CHECK_FALSE(has(phone.ask({"streak"}), "paused"));
  phone.make({"streak", "delete", "daily"});
  CHECK(phone.ask({"streak"}).empty());
}
