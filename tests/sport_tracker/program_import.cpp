// `import` as a user runs it: what counts once, what is refused, and what is left behind.
#include <catch2/catch.hpp>

#include "tests/sport_tracker/program.hpp"

using namespace tracker_tests;

TEST_CASE("importing a file twice counts once") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"import", sample("morning_run.tcx").string()});
  const auto before = phone.digest();
  const auto again = phone.run({"import", sample("morning_run.tcx").string()});
  CHECK(again.code == 0);
  CHECK(again.out.starts_with("already imported morning_run.tcx"));
  CHECK(phone.digest() == before);
  // The same bytes under another name are the same workout.
  const auto copy = files.write("copy.tcx", content_of(sample("morning_run.tcx")));
  CHECK(phone.ask({"import", copy.string()}).starts_with("already imported copy.tcx"));
  CHECK(phone.digest() == before);
}

TEST_CASE("a workout that was deleted is imported again without a second grant of XP") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"import", sample("morning_run.tcx").string()});
  const auto xp = phone.total("XP");
  phone.make({"workouts", "delete", phone.workout("run")});
  CHECK(phone.total("workouts") == "0");
  const auto again = phone.ask({"import", sample("morning_run.tcx").string()});
  CHECK(has(again, "granted before"));
  CHECK(phone.total("workouts") == "1");
  CHECK(phone.total("XP records") == "1");
  CHECK(phone.total("XP") == xp);
}

TEST_CASE("XP, bests and records follow from the file") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"import", sample("morning_run.tcx").string(), sample("treadmill.tcx").string(),
              sample("pass_ride.gpx").string()});
  const auto bests = phone.ask({"profile", "bests"});
  CHECK(has(bests, "ride"));
  CHECK(has(bests, "run"));
  CHECK(phone.total("XP records") == "3");
  // As many XP in the records as in the profile's tally.
  const auto state = phone.state();
  long sum = 0;
  for (auto at = state.find("\"amount\": "); at != std::string::npos;
       at = state.find("\"amount\": ", at + 1))
    sum += std::stol(state.substr(at + 10));
  CHECK(std::to_string(sum) == phone.total("XP"));
  phone.make({"profile", "set", "units", "imperial"});
  CHECK(has(phone.ask({"profile", "bests"}), " mi"));
}

TEST_CASE("a file that is refused leaves nothing, and does not keep the others out") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"profile", "set", "name", "Ana"});
  const auto before = phone.digest();
  const auto whole = content_of(sample("pass_ride.gpx"));
  std::string deep = "<gpx><trk>";
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  const std::vector<std::pair<std::string, std::string>> bad{
      {"empty.gpx", ""},
      {"words.gpx", "not a workout"},
      {"truncated.gpx", whole.substr(0, whole.size() / 2)},
      {"bomb.gpx",
       "<!DOCTYPE gpx [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><gpx>&b;</gpx>"},
      {"deep.gpx", deep},
      {"far.gpx", "<gpx><trk><trkseg><trkpt lat=\"91\" lon=\"1e999\"/></trkseg></trk></gpx>"},
      {"no_track.gpx", "<gpx><wpt lat=\"46\" lon=\"14\"/></gpx>"},
  };
  for (const auto& [name, text] : bad) {
    INFO(name);
    const auto path = files.write(name, text);
    const auto result = phone.run({"import", path.string()});
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK(result.err.starts_with("error: "));
    CHECK(has(result.err, path.string()));  // the place
  }
  CHECK(phone.run({"import", (files.folder / "none.gpx").string()}).code == 2);
  CHECK(phone.run({"import", files.folder.string()}).code == 2);
  CHECK(phone.digest() == before);

  const auto mixed =
      phone.run({"import", sample("morning_run.tcx").string(),
                 (files.folder / "truncated.gpx").string(), sample("pool_swim.tcx").string()});
  CHECK(mixed.code == 2);
  CHECK(has(mixed.out, "imported morning_run.tcx"));
  CHECK(has(mixed.out, "imported pool_swim.tcx"));
  CHECK(has(mixed.err, "truncated.gpx:"));
  CHECK(phone.total("workouts") == "2");
}

TEST_CASE("what a file says reaches the terminal without control characters") {
  const scratch files;
  const device phone{files, "phone"};
  const auto path = files.write("red\x1b[31m.gpx",
                                "<gpx><trk><name>n\xc2\x9b 31m</name><trkseg><trkpt lat=\"46\" "
                                "lon=\"14\"/></trkseg></trk></gpx>");
  auto said = phone.ask({"import", path.string()});
  said += phone.ask({"workouts"});
  CHECK_FALSE(has(said, "\x1b"));
  CHECK_FALSE(has(said, "\xc2\x9b"));
}

TEST_CASE("workouts are listed by date, and parts of the list by date or number") {
  const scratch files;
  const device phone{files, "phone"};
  for (const auto* file : {"pass_ride.gpx", "morning_run.tcx", "treadmill.tcx", "evening_walk.gpx"})
    phone.make({"import", sample(file).string()});
  const auto dates = [&](words arguments) {
    arguments.insert(arguments.begin(), "workouts");
    std::istringstream lines{phone.ask(arguments)};
    std::vector<std::string> out;
    for (std::string line; std::getline(lines, line);) out.push_back(line.substr(10, 10));
    return out;
  };
  const auto all = dates({});
  REQUIRE(all.size() == 4);
  CHECK(std::is_sorted(all.begin(), all.end()));
  CHECK(dates({"list", "--limit", "2"}) == std::vector<std::string>(all.end() - 2, all.end()));
  CHECK(dates({"--from", all[2]}) == std::vector<std::string>(all.begin() + 2, all.end()));
  CHECK(dates({"--from", all[2], "--to", all[2]}) == std::vector<std::string>{all[2]});
  CHECK(phone.run({"workouts", "--from", "May"}).code == 2);
}
