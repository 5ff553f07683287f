// Migrations: a field takes over what another kind or type of it held, on every device alike.
#include <catch2/catch.hpp>

#include "tests/schema/rich.hpp"

using namespace schema_tests;

namespace {

namespace v1 {
struct workout {
  BOOST_HANA_DEFINE_STRUCT(workout,
    (lww<double>, distance_km), (lww<string>, mood), (pn_counter, kudos), (lww<string>, title));
};
using app = tables<table<"workouts", workout>>;
}  // namespace v1

namespace v2 {
unsigned to_metres(double km) {
  if (km < 0) throw failure({errc::invalid_argument, "a negative distance", "", ""});
  return static_cast<unsigned>(km * 1000);
}
struct as_one_grant {
  void operator()(const pn_counter& from, tally<string>& to) const {
    to.grant("before", static_cast<std::uint64_t>(std::max<std::int64_t>(*from, 0)));
  }
};
struct workout {
  BOOST_HANA_DEFINE_STRUCT(workout,
    (lww<unsigned>, distance_m), (or_set<string>, mood), (tally<string>, kudos),
    (lww<string>, title), (max_of<double>, longest_km));
};
using app = tables<
    table<"workouts", workout, migrate<&workout::distance_m, lww<double>, to_metres, "distance_km">,
          migrate<&workout::mood, lww<string>, [](const string& m) { return m + "!"; }>,
          migrate<&workout::kudos, pn_counter, as_one_grant{}>,
          migrate<&workout::longest_km, lww<double>, [](double km) { return km; }, "distance_km">>>;
}  // namespace v2

using old_device = device<v1::app>;
using new_device = device<v2::app>;

void log_workout(old_device& d, const string& key, double km, const string& mood = "fine") {
  d.write([&](auto& tx) {
     auto w = tx.template create<v1::workout>(key);
     w.distance_km = km;
     w.mood = mood;
     w.kudos += 3;
     w.title = "run";
   }).value();
}
void set_metres(new_device& d, const string& key, unsigned metres) {
  d.write([&](auto& tx) { tx.template edit<v2::workout>(key).distance_m = metres; }).value();
}
unsigned metres(new_device& d, const string& key) {
  return *d.db.find<v2::workout>(key)->distance_m;
}
template <class Device>
std::uint64_t log_size(Device& d) {
  return d.db.endpoint().log_size();
}

}  // namespace

TEST_CASE("opening with a newer program fills the new fields from the old, once") {
  old_device a{1};
  log_workout(a, "w", 5.25);
  a.write([](auto& tx) { tx.template create<v1::workout>("empty"); }).value();
  const replica_options options{.time = &a.time, .random = &a.dice};
  using newer = replica<v2::app, memory_storage>;
  {
    auto untouched =
        newer::open(a.disk.share(), {.migrate_at_open = false, .time = &a.time, .random = &a.dice})
            .value();
    CHECK(untouched.status().migration_due);
    CHECK(untouched.endpoint().log_size() == 2);
  }
  auto db = newer::open(a.disk.share(), options).value();
  CHECK_FALSE(db.status().migration_due);
  CHECK(db.endpoint().log_size() == 3);
  const auto w = db.find<v2::workout>("w");
  CHECK(*w->distance_m == 5250);
  CHECK(w->mood.get() == std::vector<string>{"fine!"});
  CHECK(*w->kudos == 3);
  CHECK(w->longest_km.get() == 5.25);
  CHECK(*w->title == "run");
  CHECK_FALSE(db.find<v2::workout>("empty")->distance_m.is_set());
  // The older program finds its own fields as they were.
  auto older = replica<v1::app, memory_storage>::open(a.disk.share(), options).value();
  CHECK(*older.find<v1::workout>("w")->distance_km == 5.25);
  CHECK(*older.find<v1::workout>("w")->mood == "fine");
  CHECK(older.status().schema_conflicts.empty());
  auto again = newer::open(a.disk.share(), options).value();
  CHECK(again.endpoint().log_size() == 3);
}

TEST_CASE("two replicas that migrate at once converge, without a conflict") {
  old_device old{1};
  new_device a{2}, b{3};
  log_workout(old, "w", 5.25);
  log_workout(old, "v", 10);
  a.take(old);
  b.take(old);
  CHECK(a.db.status().migration_due);
  CHECK(a.db.migrate().value().records == 2);
  b.reopen();
  meet(a, b);
  CHECK(a.digest() == b.digest());
  CHECK(a.db.conflicts().value().empty());
  CHECK(metres(a, "w") == 5250);
  CHECK(*a.db.find<v2::workout>("w")->kudos == 3);
  const auto size = log_size(a);
  a.db.migrate().value();
  a.reopen();
  CHECK(log_size(a) == size);
  old.take(a);
  CHECK(old.digest() == a.digest());
}

TEST_CASE("what an older program writes later is carried over, until somebody wrote by hand") {
  old_device old{1};
  new_device a{2};
  log_workout(old, "w", 5);
  a.take(old);
  a.db.migrate().value();
  meet(old, a);
  log_workout(old, "w", 6);
  a.take(old);
  CHECK(a.db.status().migration_due);
  a.db.migrate().value();
  CHECK_FALSE(a.db.status().migration_due);
  CHECK(metres(a, "w") == 6000);
  set_metres(a, "w", 6100);
  meet(old, a);
  log_workout(old, "w", 7);
  a.take(old);
  a.db.migrate().value();
  CHECK(metres(a, "w") == 6100);
  CHECK(a.db.conflicts().value().empty());
}

TEST_CASE("a migration hides no value that was written by hand, however late it runs") {
  old_device old{1};
  new_device a{2}, b{3};
  log_workout(old, "w", 5);
  a.take(old);
  b.take(old);
  a.db.migrate().value();
  set_metres(a, "w", 4900);
  b.time.now += 1'000'000;
  b.db.migrate().value();
  meet(a, b);
  CHECK(metres(a, "w") == 4900);
  CHECK(metres(b, "w") == 4900);
  CHECK(a.digest() == b.digest());
}

TEST_CASE("a migration brings back no record that was deleted meanwhile") {
  old_device old{1};
  new_device a{2}, b{3};
  log_workout(old, "w", 5);
  a.take(old);
  b.take(old);
  old.write([](auto& tx) { tx.template erase<v1::workout>("w"); }).value();
  a.db.migrate().value();
  meet(a, old);
  CHECK_FALSE(a.db.find<v2::workout>("w"));
  CHECK_FALSE(old.db.find<v1::workout>("w"));
  // An update that did not see the deletion brings it back, with what was migrated.
  b.db.migrate().value();
  b.write([](auto& tx) { tx.template edit<v2::workout>("w").title = "late"; }).value();
  meet(a, b);
  CHECK(metres(a, "w") == 5000);
  CHECK(a.digest() == b.digest());
}

TEST_CASE("what was migrated into a set and taken out by hand stays out") {
  old_device old{1};
  new_device a{2};
  log_workout(old, "w", 5);
  a.take(old);
  a.db.migrate().value();
  a.write([](auto& tx) { tx.template edit<v2::workout>("w").mood.erase("fine!"); }).value();
  log_workout(old, "w", 5, "better");
  a.take(old);
  a.db.migrate().value();
  CHECK(a.db.find<v2::workout>("w")->mood.empty());
  CHECK(*a.db.find<v2::workout>("w")->kudos == 3);
}

TEST_CASE("a value that cannot be converted is reported, and holds up nothing else") {
  old_device old{1};
  new_device a{2};
  log_workout(old, "bad", -1);
  log_workout(old, "good", 2);
  a.take(old);
  const auto report = a.db.migrate().value();
  CHECK(report.failed == 1);
  REQUIRE(report.first_error);
  CHECK(report.first_error->what == "a negative distance");
  CHECK(a.db.status().migration_due);
  CHECK(a.db.status().last_migration_error);
  CHECK(metres(a, "good") == 2000);
  CHECK(*a.db.find<v2::workout>("bad")->kudos == 3);
  log_workout(old, "bad", 1);
  a.take(old);
  CHECK(a.db.migrate().value().failed == 0);
  CHECK_FALSE(a.db.status().last_migration_error);
  CHECK(metres(a, "bad") == 1000);
}

TEST_CASE("a migration works in small changesets, and goes on after it was broken off") {
  old_device old{1};
  old.write([](auto& tx) {
       for (int n = 0; n < 700; ++n)
         tx.template create<v1::workout>("w" + std::to_string(1000 + n)).distance_km = n;
     })
      .value();
  new_device a{2};
  a.take(old);
  a.disk.fail_nth(history::memory_operation::commit, 2, errc::full);
  CHECK_FALSE(a.db.migrate());
  CHECK(a.db.status().last_migration_error->code == errc::full);
  CHECK(a.db.status().migration_due);
  CHECK(log_size(a) == 2);
  a.reopen();
  CHECK_FALSE(a.db.status().migration_due);
  CHECK(log_size(a) == 4);
  for (unsigned n = 0; n < 700; ++n) REQUIRE(metres(a, "w" + std::to_string(1000 + n)) == n * 1000);
  for (const auto& data : a.log())
    CHECK(codec::decode_changeset(data).value().records.size() <= 701);
}

TEST_CASE("a migration in which any call fails is ended by the next one") {
  using history::memory_operation;
  for (const auto what : {memory_operation::read, memory_operation::put, memory_operation::erase,
                          memory_operation::commit}) {
    for (std::uint64_t nth = 1;; nth += JOINERY_SANITIZED ? 4 : 1) {
      CAPTURE(static_cast<int>(what), nth);
      old_device old{1};
      for (const auto* key : {"one", "two"}) log_workout(old, key, 2);
      new_device a{2};
      a.take(old);
      a.disk.fail_nth(what, nth, nth % 2 == 0 ? errc::io : errc::full);
      const auto done = a.db.migrate();
      const bool reached = !a.disk.has_faults();
      if (!done) CHECK((done.error().code == errc::io || done.error().code == errc::full));
      a.disk.reopen();  // works again when it was poisoned
      a.reopen();
      CHECK_FALSE(a.db.status().migration_due);
      for (const auto* key : {"one", "two"}) {
        CHECK(metres(a, key) == 2000);
        CHECK(*a.db.find<v2::workout>(key)->kudos == 3);
      }
      if (!reached) break;
    }
  }
}

TEST_CASE("old and new programs that write, migrate and meet at random agree in the end") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    testing::prng dice{seed};
    old_device o1{seed * 10 + 1}, o2{seed * 10 + 2};
    new_device n1{seed * 10 + 3}, n2{seed * 10 + 4};
    const auto key = [&] { return "w" + std::to_string(dice.below(3)); };
    const auto write_old = [&](old_device& d) {
      const auto k = key();
      d.write([&](auto& tx) {
         if (dice.chance(15) && tx.template erase<v1::workout>(k)) return;
         auto w = tx.template create<v1::workout>(k);
         w.distance_km = static_cast<double>(dice.below(9));
         if (dice.chance(50)) w.mood = std::to_string(dice.below(3));
         w.kudos += 1;
       }).value();
    };
    const auto write_new = [&](new_device& d) {
      const auto k = key();
      d.write([&](auto& tx) {
         if (dice.chance(15) && tx.template erase<v2::workout>(k)) return;
         auto w = tx.template create<v2::workout>(k);
         if (dice.chance(40)) w.distance_m = 10'000 + static_cast<unsigned>(dice.below(9));
         if (dice.chance(40)) w.mood.insert("by hand");
         if (dice.chance(20)) w.mood.erase("by hand");
       }).value();
    };
    const auto random_meeting = [&] {
      switch (dice.below(5)) {
        case 0: meet(o1, o2); break;
        case 1: meet(o1, n1); break;
        case 2: meet(n1, n2); break;
        case 3: meet(o2, n2); break;
        default: n1.take(o2);
      }
    };
    for (int step = 0; step < 40; ++step) {
      for (auto* clock : {&o1.time, &o2.time, &n1.time, &n2.time}) clock->now += dice.below(50);
      switch (dice.below(8)) {
        case 0: write_old(o1); break;
        case 1: write_old(o2); break;
        case 2: write_new(n1); break;
        case 3: write_new(n2); break;
        case 4: n1.db.migrate().value(); break;
        case 5: n2.reopen(); break;
        default: random_meeting();
      }
    }
    const auto gather = [&] {
      for (int round = 0; round < 2; ++round) {
        meet(o1, n1);
        meet(n1, n2);
        meet(n2, o2);
      }
    };
    gather();
    n1.reopen();
    n2.reopen();  // both migrate, at once
    gather();
    INFO("seed " << seed);
    REQUIRE(n1.digest() == n2.digest());
    REQUIRE(n1.digest() == o1.digest());
    REQUIRE(n1.digest() == o2.digest());
    const auto size = log_size(n1);
    n1.reopen();
    n1.db.migrate().value();
    REQUIRE(log_size(n1) == size);
    for (int n = 0; n < 3; ++n) {
      const auto k = "w" + std::to_string(n);
      const auto now = n1.db.find<v2::workout>(k);
      const auto was = o1.db.find<v1::workout>(k);
      REQUIRE(static_cast<bool>(now) == static_cast<bool>(was));
      // By hand, or what the old field holds now.
      if (!now || !was->distance_km.is_set()) continue;
      const auto m = *now->distance_m;
      REQUIRE((m >= 10'000 || m == v2::to_metres(*was->distance_km)));
    }
  }
}

TEST_CASE("a migration is part of the descriptor, so the two programs do not contradict") {
  CHECK_FALSE(schema::contradiction(v1::app::describe(), v2::app::describe()));
  CHECK_FALSE(schema::contradiction(v2::app::describe(), v1::app::describe()));
  const auto d = v2::app::describe();
  CHECK(d.tables[0].fields[0].formers ==
        std::vector<schema::former_field>{{"distance_km", crdt::kind::lww, "double"}});
  CHECK(d.tables[0].fields[1].formers ==
        std::vector<schema::former_field>{{"mood", crdt::kind::lww, "text"}});
}
