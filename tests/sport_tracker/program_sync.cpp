// Devices that meet over TCP: what merges, what is told, and what a kill costs.
#include <catch2/catch.hpp>

#include <algorithm>

#include "tests/sport_tracker/program.hpp"

using namespace tracker_tests;

namespace {

/// Both show the same, to the byte.
void check_equal(const device& a, const device& b) {
  CHECK(a.digest() == b.digest());
  CHECK(a.state() == b.state());
  CHECK(a.ask({"conflicts"}) == b.ask({"conflicts"}));
}

}  // namespace

TEST_CASE("two devices that import the same file while apart count it once") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  phone.make({"import", sample("morning_run.tcx").string(), sample("pass_ride.gpx").string()});
  const auto common = files.write("from-watch.tcx", content_of(sample("morning_run.tcx")));
  watch.make({"import", common.string(), sample("pool_swim.tcx").string()});
  const auto xp = [](const device& d) { return std::stol(d.total("XP")); };
  const device third{files, "third"};
  third.make({"import", common.string()});
  const auto expected = xp(phone) + xp(watch) - xp(third);
  watch.meet(phone);
  check_equal(phone, watch);
  CHECK(xp(phone) == expected);
  CHECK(phone.total("workouts") == "3");
  CHECK(phone.total("XP records") == "3");
  CHECK(phone.total("open conflicts") == "0");  // equal facts are no conflict
  CHECK(has(phone.state(), "from-watch.tcx"));
  // And once more, on either: known.
  CHECK(phone.ask({"import", common.string()}).starts_with("already imported"));
  watch.meet(phone);
  CHECK(xp(watch) == expected);
}

TEST_CASE("real recordings, in two halves, with edits, become one state") {
  const char* named = std::getenv("JOINERY_SAMPLE_DIR");
  const fs::path recordings =
      named != nullptr ? named : fs::path{JOINERY_SOURCE_DIR} / "../shared/data/workouts";
  if (!fs::is_directory(recordings)) {
    WARN("no real recordings here: skipped");
    return;
  }
  std::vector<fs::path> good, refused;
  for (const auto& entry : fs::directory_iterator(recordings))
    (entry.path().filename() == "unicode_with_bom.gpx" ? refused : good).push_back(entry.path());
  std::sort(good.begin(), good.end());
  REQUIRE(good.size() >= 4);

  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  for (const auto& path : refused) {
    CHECK(phone.run({"import", path.string()}).code == 2);
    CHECK(phone.total("workouts") == "0");
  }
  words left{"import"}, right{"import"};
  for (std::size_t i = 0; i < good.size(); ++i)
    (i % 2 == 0 ? left : right).push_back(good[i].string());
  right.push_back(left[1]);  // one on both
  phone.make(left);
  watch.make(right);
  for (const auto* d : {&phone, &watch}) {
    const auto list = d->ask({"workouts"});
    const auto key = list.substr(0, list.find(' '));
    d->make({"workouts", "edit", key, "title", "Renamed"});
    d->make({"workouts", "edit", key, "notes", "By " + d->store().filename().string()});
    d->make({"profile", "set", "name", d->store().filename().string()});
    d->make({"post", "add", "Hello from " + d->store().filename().string()});
  }
  watch.meet(phone);
  check_equal(phone, watch);
  CHECK(phone.total("workouts") == std::to_string(good.size()));
  CHECK(phone.total("XP records") == std::to_string(good.size()));
}

TEST_CASE("an edit brings back a workout that was deleted elsewhere, a like no post") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  phone.make({"import", sample("evening_walk.gpx").string()});
  phone.make({"post", "add", "Nice evening."});
  watch.meet(phone);
  const auto workout = watch.workout("walk");
  const auto post = watch.ask({"post"}).substr(0, 8);
  phone.make({"workouts", "delete", workout});
  watch.make({"workouts", "edit", workout, "title", "With Maja"});
  phone.make({"post", "delete", post});
  watch.make({"post", "like", post});
  watch.make({"post", "edit", post, "Very nice evening."});
  watch.meet(phone);
  check_equal(phone, watch);
  const auto shown = phone.ask({"workouts", "show", workout});
  CHECK(has(shown, "With Maja"));
  CHECK(has(shown, "3.29 km"));  // the whole record, not a husk
  CHECK(phone.total("posts") == "0");
}

TEST_CASE("a draft stays on its device until it is published") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  phone.make({"post", "draft", "Tomorrow I shall"});
  phone.make({"profile", "set", "name", "Ana"});
  watch.meet(phone);
  check_equal(phone, watch);
  CHECK(phone.ask({"post", "draft"}) == "Tomorrow I shall\n");
  CHECK(watch.ask({"post", "draft"}).empty());
  CHECK_FALSE(has(watch.ask({"inspect"}), "post_drafts"));
  CHECK(has(phone.ask({"inspect"}), "\"post_drafts\"  1 records, local"));
  CHECK(watch.run({"post", "publish"}).code == 2);
  phone.make({"post", "draft", "Tomorrow I shall run."});
  phone.make({"post", "publish"});
  CHECK(phone.ask({"post", "draft"}).empty());
  watch.meet(phone);
  CHECK(has(watch.ask({"post"}), "Tomorrow I shall run."));
  check_equal(phone, watch);
  phone.make({"post", "draft", "never"});
  phone.make({"post", "draft", ""});
  CHECK(phone.ask({"post", "draft"}).empty());
}

TEST_CASE("conflicts are the same on both devices, until one decides") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  phone.make({"import", sample("treadmill.tcx").string()});
  watch.meet(phone);
  const auto key = phone.workout("run");
  phone.make({"profile", "set", "name", "Ana"});
  watch.make({"profile", "set", "name", "Ana K."});
  phone.make({"workouts", "edit", key, "notes", "Wet."});
  watch.make({"workouts", "edit", key, "notes", "Dry."});
  watch.meet(phone);
  check_equal(phone, watch);
  CHECK(phone.total("open conflicts") == "2");
  const auto listed = phone.ask({"conflicts"});
  for (const auto* part : {"display_name", "Ana K.", "notes", "Wet.", "Dry.", "2 open conflicts"})
    CHECK(has(listed, part));
  const auto both = phone.ask({"workouts", "show", key});
  CHECK(has(both, "Wet."));
  CHECK(has(both, "Dry."));
  phone.make({"conflicts", "resolve", "user_profiles", "me", "display_name", "Ana Kos"});
  watch.make({"conflicts", "resolve", "workout_sessions", key, "notes", "Damp."});
  watch.meet(phone);
  check_equal(phone, watch);
  CHECK(phone.total("open conflicts") == "0");
  CHECK(has(phone.ask({"conflicts"}), "no open conflicts"));
  CHECK(has(watch.ask({"profile"}), "Ana Kos"));
}

TEST_CASE("a sync tells what it did, and a second one has nothing to do") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  phone.make({"import", sample("treadmill.tcx").string(), sample("pool_swim.tcx").string()});
  watch.make({"import", sample("pass_ride.gpx").string()});
  auto server = phone.serve();
  const auto first = watch.ask({"sync", server.address()});
  // Six of the tracker's records, and what the space now says of their three tables.
  CHECK(has(first, "received 2 changesets with 9 records, sent 1 changeset\n"));
  CHECK(has(first, "in sync, digest "));
  CHECK(has(first, "workouts 1 -> 3"));
  const auto second = watch.ask({"sync", server.address()});
  CHECK(has(second, "received 0 changesets with 0 records, sent 0 changesets\n"));
  CHECK(has(second, "in sync, digest " + watch.digest()));
  CHECK(server.end() == 0);
}

TEST_CASE("a sync that cannot be fails with exit code 1 and says why") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"}, other{files, "other"};
  std::string gone;
  {
    auto server = phone.serve();
    gone = server.address();
    const auto refused = other.run({"--space", "club", "sync", server.address()});
    CHECK(refused.code == 1);
    CHECK(has(refused.err, "wrong_space"));
    CHECK(server.end(SIGINT) == 0);
  }
  const auto nobody = watch.run({"sync", gone});
  CHECK(nobody.code == 1);
  CHECK(has(nobody.err, "error: io"));
  CHECK(phone.run({"serve", "0", "--bind", "nowhere"}).code == 1);
}

TEST_CASE("a server takes commands on its standard input, and its store can be read meanwhile") {
  const scratch files;
  const device phone{files, "phone"};
  auto server = phone.serve();
  const auto where = server.address();
  server.say("profile set name \"Ana Kos\"");
  server.say("import '" + sample("treadmill.tcx").string() + "'");
  server.say("fly");
  server.say("profile set units cubits");
  server.say("profile set name 'open quote");
  server.say("");
  server.say("serve 0");
  server.say("workouts");
  CHECK(server.shows("Treadmill"));
  CHECK(server.tells("unknown: fly"));
  CHECK(server.tells("cubits"));
  CHECK(server.tells("is not closed"));
  CHECK(server.tells("unknown: serve"));
  CHECK(phone.total("workouts") == "1");
  CHECK(has(phone.ask({"profile"}), "Ana Kos"));
  const auto refused = phone.run({"profile", "set", "bio", "x"});
  CHECK(refused.code == 1);
  CHECK(has(refused.err, "locked"));
  server.close_input();  // does not end it
  const device watch{files, "watch"};
  watch.make({"sync", where});
  CHECK(watch.total("workouts") == "1");
  CHECK(server.end() == 0);
  check_equal(phone, watch);
}

TEST_CASE("live devices see each other's changes as they are made, through one in the middle") {
  const scratch files;
  const device middle{files, "middle"}, left{files, "left"}, right{files, "right"};
  auto server = middle.serve();
  const auto where = server.address();
  auto a = left.stay({"--verbose", "sync", "--live", where});
  auto b = right.stay({"--verbose", "sync", "--live", where});
  REQUIRE(a.tells("in sync"));
  REQUIRE(b.tells("in sync"));
  a.say("profile set name Ana");
  REQUIRE(eventually([&] { return has(right.ask({"profile"}), "Ana"); }));
  b.say("profile set bio 'Runs.'");
  REQUIRE(eventually([&] { return has(left.ask({"profile"}), "Runs."); }));
  server.say("profile badge add live");
  REQUIRE(eventually(
      [&] { return has(left.ask({"profile"}), "live") && has(right.ask({"profile"}), "live"); }));

  // The middle goes away, and comes back at the same place.
  CHECK(server.end(SIGKILL) == 128 + SIGKILL);
  a.say("profile goal add 'while alone'");
  REQUIRE(eventually([&] { return has(left.ask({"profile"}), "while alone"); }));
  auto again = middle.serve({where.substr(where.rfind(':') + 1)});
  REQUIRE(again.address() == where);
  REQUIRE(eventually([&] { return has(right.ask({"profile"}), "while alone"); }));
  CHECK(a.end() == 0);
  CHECK(b.end() == 0);
  CHECK(again.end() == 0);
  check_equal(left, middle);
  check_equal(right, middle);
}

TEST_CASE("a device that is killed in the middle of a sync loses nothing and goes on") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  watch.make({"import", sample("pool_swim.tcx").string()});
  auto server = phone.serve();
  const auto where = server.address();
  constexpr int given = 400;  // more than one window takes
  for (int i = 0; i < given; ++i) server.say("profile kudos give");
  server.say("digest");
  REQUIRE(eventually([&] {
    const auto out = server.out();
    return std::count(out.begin(), out.end(), '\n') == 2;
  }));
  auto victim = watch.stay({"--verbose", "sync", where, "--pace", "2000"});
  REQUIRE(victim.tells("received"));
  CHECK(victim.end(SIGKILL) == 128 + SIGKILL);
  const auto kudos = [](const device& d) {
    const auto shown = d.ask({"profile"});
    return std::stoi(shown.substr(shown.find("kudos") + 5));
  };
  const auto between = kudos(watch);
  CHECK(between > 0);
  CHECK(between < given);
  const auto said = watch.ask({"sync", where});
  CHECK(has(said, "received " + std::to_string(given - between) + " changesets"));
  CHECK(kudos(watch) == given);
  CHECK(server.end() == 0);
  CHECK(kudos(phone) == given);
  check_equal(phone, watch);
}

TEST_CASE("a server that is killed loses nothing that it acknowledged") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  watch.make({"import", sample("pool_swim.tcx").string()});
  auto server = phone.serve();
  watch.make({"sync", server.address()});
  CHECK(server.end(SIGKILL) == 128 + SIGKILL);
  check_equal(phone, watch);
}

TEST_CASE("watch tells of changes while the network runs, of the table that was asked for") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  watch.make({"import", sample("treadmill.tcx").string()});
  auto server = phone.serve();
  server.say("watch workout_sessions");
  server.say("watch nonsense");
  CHECK(server.shows("watching workout_sessions"));
  CHECK(server.tells("no table nonsense"));
  watch.make({"sync", server.address()});
  CHECK(server.shows("changed: workout_sessions "));
  CHECK(server.shows(" created by replica "));
  server.say("profile set name Ana");
  server.say("workouts delete " + watch.workout("Treadmill"));
  CHECK(server.shows(" deleted here, changeset "));
  CHECK(!has(server.out(), "user_profiles"));
  CHECK(server.end() == 0);
  CHECK(phone.run({"watch"}).code == 2);
}

TEST_CASE("a space that was closed takes in another device once a member admits it") {
  const scratch files;
  const device phone{files, "phone"}, watch{files, "watch"};
  phone.make({"import", sample("morning_run.tcx").string()});
  CHECK(has(phone.ask({"members"}), "open"));
  CHECK(phone.run({"members", "admit", std::string(32, 'a')}).code == 2);
  CHECK(has(phone.ask({"members", "close"}), "(this store)"));

  auto server = phone.serve();
  const auto refused = watch.run({"sync", server.address()});
  CHECK(refused.code == 1);
  CHECK(has(refused.err, "not_a_member"));
  const auto status = watch.ask({"status"});
  const auto id = status.substr(status.find("replica") + 18, 32);
  CHECK(has(refused.err, id));
  REQUIRE(server.end() == 0);
  CHECK(phone.run({"members", "admit", "nobody"}).code == 2);

  phone.make({"members", "admit", id, "watch"});
  watch.meet(phone);
  check_equal(phone, watch);
  watch.make({"profile", "set", "name", "Ana"});
  watch.meet(phone);
  check_equal(phone, watch);
  CHECK(has(phone.ask({"members"}), id + "  member"));
  CHECK(has(phone.ask({"status"}), "members           2"));

  phone.make({"members", "evict", id});
  auto again = phone.serve();
  CHECK(watch.run({"sync", again.address()}).code == 1);
  CHECK(again.end() == 0);
}
