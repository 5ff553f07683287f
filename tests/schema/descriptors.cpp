// The schema's descriptors are part of the space: who writes them, when, and what they refuse.
#include <catch2/catch.hpp>

#include "tests/schema/rich.hpp"

using namespace schema_tests;

namespace {

// Programs of one app, from old to new.
namespace v1 {
struct workout {
  BOOST_HANA_DEFINE_STRUCT(workout, (lww<string>, title), (pn_counter, xp));
};
using app = tables<table<"workouts", workout>>;
}  // namespace v1
namespace v2 {
struct workout {
  BOOST_HANA_DEFINE_STRUCT(workout,
    (lww<string>, title), (pn_counter, xp), (or_set<string>, tags), (lww<int>, feeling));
};
struct comment {
  BOOST_HANA_DEFINE_STRUCT(comment, (lww<string>, text), (map<string, flag>, likes));
};
using app = tables<table<"workouts", workout, rank<1>>, table<"comments", comment, delete_wins>>;
}  // namespace v2

using old_device = device<v1::app>;
using new_device = device<v2::app>;

// A replica without a schema: a relay.
struct relay_device {
  memory_storage disk;
  manual_clock time{1'000'000};
  testing::prng dice{77};
  engine<memory_storage> e = open();
  engine<memory_storage> open() {
    return engine<memory_storage>::open(
               disk.share(), {.space = space_named("schemas"), .time = &time, .random = &dice})
        .value();
  }
  std::vector<bytes> log() {
    std::vector<bytes> out;
    e.read_log(1, [&](auto, const auto&, auto, bytes_view data) {
       out.emplace_back(data);
       return true;
     }).value();
    return out;
  }
  template <class Other>
  void take(Other& from) {
    const auto log = from.log();
    const std::vector<bytes_view> views(log.begin(), log.end());
    e.ingest(views).value();
  }
  string digest() { return e.digest().value().hex(); }
};

template <class Device>
void log_workout(Device& d, const string& key, const string& title) {
  using record = std::conditional_t<std::is_same_v<Device, old_device>, v1::workout, v2::workout>;
  d.write([&](auto& tx) {
     auto w = tx.template create<record>(key);
     w.title = title;
     w.xp += 10;
   }).value();
}

template <class Engine>
string told(Engine& e) {
  string out;
  for (const auto& t : e.described_tables().value()) {
    out += t.name + "(" + (t.rule ? schema::text_of(*t.rule) : "?");
    for (const auto r : t.ranks) out += " " + std::to_string(r);
    out += "):";
    for (const auto& f : t.fields)
      for (const auto& form : f.forms)
        out += " " + f.name + " " + schema::text_of(form.type, form.values) + ";";
    out += "\n";
  }
  return out;
}

template <class Schema>
result<replica<Schema, memory_storage>> open_as(memory_storage& disk,
                                                replica_options options = {}) {
  return replica<Schema, memory_storage>::open(disk.share(), std::move(options));
}

}  // namespace

TEST_CASE("the first change to a table brings its descriptor, once and in the same changeset") {
  new_device a{1};
  CHECK(told(a.db.endpoint()).empty());
  log_workout(a, "w1", "run");
  CHECK(a.db.endpoint().log_size() == 1);
  CHECK(told(a.db.endpoint()) ==
        "workouts(update_wins 1): feeling lww <int>; tags or_set <text>; title lww <text>; "
        "xp pn_counter <>;\n");
  const auto first = a.log().back().size();
  log_workout(a, "w2", "run");
  CHECK(a.last_ops().size() == 3);
  CHECK(a.log().back().size() < first / 2);
  a.db.checkpoint().value();
  a.reopen();
  log_workout(a, "w3", "run");
  CHECK(a.last_ops().size() == 3);
  a.write([](auto& tx) { tx.template create<v2::comment>("c").text = "fine"; }).value();
  CHECK(told(a.db.endpoint()) ==
        "comments(delete_wins 0): likes map of flag <text >; text lww <text>;\n"
        "workouts(update_wins 1): feeling lww <int>; tags or_set <text>; title lww <text>; "
        "xp pn_counter <>;\n");
}

TEST_CASE("opening and reading write nothing") {
  old_device a{1};
  log_workout(a, "w", "run");
  const auto before = a.digest();
  auto newer = open_as<v2::app>(a.disk, {.time = &a.time, .random = &a.dice}).value();
  CHECK(newer.find<v2::workout>("w"));
  CHECK(newer.endpoint().log_size() == 1);
  CHECK(newer.digest().value().hex() == before);
}

TEST_CASE(
    "descriptors written on two replicas at once are no conflict, and are not written again") {
  old_device a{1}, b{2}, c{3};
  log_workout(a, "w", "run");
  log_workout(b, "v", "ride");
  meet(a, b);
  meet(b, c);
  CHECK(a.digest() == c.digest());
  CHECK(a.db.conflicts().value().empty());
  CHECK(a.db.status().schema_conflicts.empty());
  log_workout(c, "u", "swim");
  CHECK(c.last_ops().size() == 3);
}

TEST_CASE("old and new programs and a relay meet in every direction and agree throughout") {
  old_device old{1};
  new_device now{2};
  relay_device relay;
  for (int round = 0; round < 12; ++round) {
    const auto key = "w" + std::to_string(round % 5);
    log_workout(old, key, "old " + std::to_string(round));
    log_workout(now, key, "new " + std::to_string(round));
    now.write([&](auto& tx) {
         tx.template edit<v2::workout>(key).tags.insert("t" + std::to_string(round % 3));
         auto c = tx.template create<v2::comment>("c");
         c.text = std::to_string(round);
         c.likes["ana"] = round % 2 == 0;
         if (round % 4 == 3) tx.template erase<v2::comment>("c");
       })
        .value();
    switch (round % 3) {
      case 0: meet(old, now); break;
      case 1:
        relay.take(old);
        relay.take(now);
        old.take(relay);
        now.take(relay);
        break;
      default:
        old.take(now);
        relay.take(old);
        now.take(relay);
        old.take(relay);
    }
    relay.take(now);
    CHECK(old.digest() == now.digest());
    CHECK(old.digest() == relay.digest());
  }
  CHECK(told(old.db.endpoint()) == told(now.db.endpoint()));
  CHECK(told(relay.e) == told(now.db.endpoint()));
  CHECK(told(relay.e) ==
        "comments(delete_wins 0): likes map of flag <text >; text lww <text>;\n"
        "workouts(update_wins 0 1): feeling lww <int>; tags or_set <text>; title lww <text>; "
        "xp pn_counter <>;\n");
}

TEST_CASE("a delete rule that a program does not know is honoured all the same") {
  new_device a{1}, b{2};
  old_device old{3};
  relay_device relay;
  a.write([](auto& tx) { tx.template create<v2::comment>("c").text = "first"; }).value();
  meet(a, b);
  a.write([](auto& tx) { tx.template erase<v2::comment>("c"); }).value();
  b.write([](auto& tx) { tx.template edit<v2::comment>("c").text = "unseen"; }).value();
  old.take(b);
  old.take(a);
  relay.take(old);
  b.take(relay);
  CHECK_FALSE(b.db.find<v2::comment>("c"));
  CHECK(b.digest() == old.digest());
  CHECK(b.digest() == relay.digest());
}

TEST_CASE("upgrade, downgrade and upgrade again lose nothing and add only what is new") {
  old_device a{1};
  log_workout(a, "w", "run");
  const replica_options options{.time = &a.time, .random = &a.dice};
  for (int round = 0; round < 3; ++round) {
    auto newer = open_as<v2::app>(a.disk, options).value();
    newer
        .write([&](auto& tx) {
          tx.template edit<v2::workout>("w").tags.insert("t" + std::to_string(round));
        })
        .value();
    const auto digest = newer.digest().value();
    newer.checkpoint().value();
    auto older = open_as<v1::app>(a.disk, options).value();
    CHECK(older.digest().value() == digest);
    older.write([](auto& tx) { tx.template edit<v1::workout>("w").xp += 1; }).value();
  }
  auto newest = open_as<v2::app>(a.disk, options).value();
  const auto w = newest.find<v2::workout>("w");
  CHECK(*w->title == "run");
  CHECK(*w->xp == 13);
  CHECK(w->tags.get() == std::vector<string>{"t0", "t1", "t2"});
  CHECK(newest.endpoint().log_size() == 7);
}

namespace {

struct with_kind {
  BOOST_HANA_DEFINE_STRUCT(with_kind, (mv<string>, title), (pn_counter, xp));
};
struct with_type {
  BOOST_HANA_DEFINE_STRUCT(with_type, (lww<int>, title), (pn_counter, xp));
};
using other_kind = tables<table<"workouts", with_kind>>;
using other_type = tables<table<"workouts", with_type>>;
using other_rule = tables<table<"workouts", v1::workout, delete_wins>>;

template <class Schema>
error refusal(memory_storage& disk) {
  const auto opened = open_as<Schema>(disk);
  REQUIRE_FALSE(opened);
  return opened.error();
}

}  // namespace

TEST_CASE("a changed kind, type or delete rule is refused at open, saying what and what to do") {
  old_device a{1};
  log_workout(a, "w", "run");
  const auto kind = refusal<other_kind>(a.disk);
  CHECK(kind.code == errc::schema_conflict);
  CHECK(kind.where == "workouts.title");
  CHECK(kind.what == "this program says mv <text>, the space lww <text>");
  CHECK(kind.advice.find("declare its migration") != string::npos);
  CHECK(refusal<other_type>(a.disk).what == "this program says lww <int>, the space lww <text>");
  const auto rule = refusal<other_rule>(a.disk);
  CHECK(rule.where == "workouts");
  CHECK(rule.what == "this program says delete_wins, the space update_wins");

  CHECK(open_as<v2::app>(a.disk));
  CHECK(engine<memory_storage>::open(a.disk.share(), {}));
  auto accepted = open_as<other_type>(a.disk, {.accept_schema_conflicts = true}).value();
  REQUIRE(accepted.status().schema_conflicts.size() == 1);
  CHECK_THROWS_AS(accepted.find<with_type>("w")->title.get(), failure);
  CHECK(*accepted.find<with_type>("w")->xp == 10);
}

TEST_CASE("a contradiction that peers bring in is reported, its data kept, and refused at open") {
  old_device a{1};
  device<other_kind> b{2};
  log_workout(a, "w", "run");
  b.write([](auto& tx) { tx.template create<with_kind>("w").title = "ride"; }).value();
  CHECK(a.db.status().schema_conflicts.empty());
  a.take(b);
  REQUIRE(a.db.status().schema_conflicts.size() == 1);
  CHECK(a.db.status().schema_conflicts[0].where == "workouts.title");
  CHECK(*a.db.find<v1::workout>("w")->title == "run");
  b.take(a);
  CHECK(b.db.status().schema_conflicts.size() == 1);
  CHECK(a.digest() == b.digest());
  CHECK(failed_with(open_as<v1::app>(a.disk), errc::schema_conflict));
  CHECK(failed_with(open_as<other_kind>(b.disk), errc::schema_conflict));
}

TEST_CASE("what a program cannot read of a descriptor is passed over") {
  old_device a{1};
  log_workout(a, "w", "run");
  codec::changeset_writer w;
  const auto add = [&](std::string_view field, crdt::shape type, bytes delta) {
    w.add(schema_table, "workouts", {crdt::cell_action::update, 1, field, type, std::move(delta)});
  };
  add("rule", crdt::kind::lww, crdt::lww<string>::set("by the moon"));
  add("ranks", crdt::kind::or_set, crdt::or_set<string>::insert("high"));
  add("fields", crdt::shape::map_of(crdt::kind::or_set),
      crdt::map<int, crdt::or_set<int>>{}.update(3, crdt::or_set<int>::insert(4)));
  add("fields", crdt::kind::lww, crdt::lww<int>::set(4));
  relay_device relay;
  relay.take(a);
  relay.e.commit(w).value();
  a.take(relay);
  CHECK(told(a.db.endpoint()) == "workouts(? 0): title lww <text>; xp pn_counter <>;\n");
  CHECK(a.db.status().schema_conflicts.empty());
  a.reopen();
  CHECK(*a.db.find<v1::workout>("w")->title == "run");
}

TEST_CASE("a tuple of other elements is another type") {
  struct one {
    BOOST_HANA_DEFINE_STRUCT(one, (lww<std::tuple<int, string>>, pair));
  };
  struct two {
    BOOST_HANA_DEFINE_STRUCT(two, (lww<std::tuple<int, double>>, pair));
  };
  const auto a = tables<table<"t", one>>::describe();
  const auto b = tables<table<"t", two>>::describe();
  CHECK(a.tables[0].fields[0].values == "tuple(int,text)");
  CHECK(schema::contradiction(a, b));
}
