// Ranks: the authority that a program's writes carry, declared with the table.
#include <catch2/catch.hpp>

#include "tests/schema/rich.hpp"

using namespace schema_tests;

namespace {

struct plan {
  BOOST_HANA_DEFINE_STRUCT(plan,
    (lww<string>, text), (mv<string>, notes), (map<string, lww<int>>, weeks));
};
using athletes_app = tables<table<"plans", plan>>;
using coachs_app = tables<table<"plans", plan, rank<2>, update_wins>>;

template <class Device>
void write_plan(Device& d, const string& text, int km) {
  d.write([&](auto& tx) {
     auto p = tx.template create<plan>("me");
     p.text = text;
     p.notes = text;
     p.weeks["47"] = km;
   }).value();
}

}  // namespace

TEST_CASE("of concurrent writes the one of higher rank is shown, whichever was later") {
  device<athletes_app> athlete{1};
  device<coachs_app> coach{2};
  athlete.time.now = 5'000'000;  // the athlete writes later by an hour
  coach.time.now = 1'400'000;
  write_plan(athlete, "rest", 10);
  write_plan(coach, "run", 60);
  meet(athlete, coach);
  const auto on_both = athlete.db.find<plan>("me");
  CHECK(*on_both->text == "run");
  CHECK(*on_both->weeks["47"] == 60);
  CHECK(on_both->notes.get() == std::vector<string>{"rest", "run"});
  CHECK(*coach.db.find<plan>("me")->text == "run");
  const auto open = athlete.db.conflicts().value();
  REQUIRE(open.size() == 3);
  CHECK(open[0].writes.back().rank == 2);
  CHECK(athlete.digest() == coach.digest());
}

TEST_CASE("causality decides before rank: who has seen the coach's plan may change it") {
  device<athletes_app> athlete{1};
  device<coachs_app> coach{2};
  write_plan(coach, "run", 60);
  meet(athlete, coach);
  write_plan(athlete, "rest", 10);
  meet(athlete, coach);
  CHECK(*coach.db.find<plan>("me")->text == "rest");
  CHECK(*coach.db.find<plan>("me")->weeks["47"] == 10);
  CHECK(coach.db.conflicts().value().empty());
}

TEST_CASE("the options of a table stand in any order") {
  using a = table<"plans", plan, rank<3>, delete_wins>;
  using b = table<"plans", plan, delete_wins, rank<3>>;
  CHECK(a::rule == delete_wins);
  CHECK(b::rule == delete_wins);
  CHECK(a::rank == 3);
  CHECK(b::rank == 3);
  CHECK((table<"plans", plan>::rank == 0));
  CHECK(a::has_option<schema::rank_option<3>>);
  CHECK(!a::has_option<schema::rank_option<2>>);
}
