// The simulator itself: it does the same everywhere, leaves no kind of step out, and sees faults.
#include <catch2/catch.hpp>

#include "examples/prove/schema.hpp"
#include "joinery/testing/shrink.hpp"

namespace {

using namespace joinery;
using testing::action;

using gym_simulation = testing::simulation<gym::schema, gym::older_schema>;

TEST_CASE("a seed does the same to the byte, whatever compiled it") {
  testing::sim_totals totals;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const auto p = testing::make_plan(seed, 200);
    totals.add(gym_simulation{p}.run());
  }
  // Changes with every change of what replicas write or send; then it is to be looked at and set
  // anew.
  CHECK(totals.trace == 0xbbd5369ef34727ceu);
}

TEST_CASE("every kind of step is in some plans, and each kind of fault is in none of some") {
  std::size_t without[testing::action_count] = {};
  std::size_t steps[testing::action_count] = {};
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    std::size_t here[testing::action_count] = {};
    for (const auto& s : testing::make_plan(seed).steps) ++here[static_cast<std::size_t>(s.what)];
    for (std::size_t a = 0; a < testing::action_count; ++a) {
      steps[a] += here[a];
      without[a] += here[a] == 0 ? 1 : 0;
    }
  }
  for (std::size_t a = 0; a < testing::action_count; ++a) {
    CAPTURE(testing::name_of(static_cast<action>(a)));
    CHECK(steps[a] > 10);
    if (static_cast<action>(a) > action::read) CHECK(without[a] > 0);
  }
}

TEST_CASE("a failing plan is made small, and printed as a test") {
  // Fails as long as one of the two is there.
  auto p = testing::make_plan(7, 300);
  const auto fails = [](const testing::plan& smaller) {
    return std::count_if(smaller.steps.begin(), smaller.steps.end(),
                         [](const auto& s) { return s.what == action::carry; }) >= 2 &&
           smaller.keys >= 1;
  };
  const auto small = testing::detail::shrinker{p, 5000, fails}.run();
  REQUIRE(small.steps.size() == 2);
  CHECK(small.replicas == 2);
  CHECK(small.keys == 1);
  const auto text = testing::as_test(small, "my_simulation");
  CHECK(text.find("p.seed = 7u;") != std::string::npos);
  CHECK(text.find("{action::carry, ") != std::string::npos);
  CHECK(text.find("my_simulation{p}.run()") != std::string::npos);
}

// --- The oracle, against states worked out by hand ---

const replica_id one{{1}}, two{{2}};

/// A changeset with updates of `set` (an or_set) of record "r" in table "t".
bytes changes(const replica_id& by, std::uint64_t seq, std::vector<codec::seen_increase> seen,
              std::vector<std::pair<crdt::cell_action, bytes>> ops) {
  codec::changeset_writer w;
  for (auto& [what, delta] : ops) w.add("t", "r", {what, 1, "set", crdt::kind::or_set, delta});
  return w.encode(by, seq, seq, seen);
}
constexpr auto update = crdt::cell_action::update;
constexpr auto erase = crdt::cell_action::erase;

struct two_writers {
  testing::event_graph graph{space_named("oracle")};
  std::vector<int> heads{-1, -1};
  two_writers() {
    static_cast<void>(graph.number_of(one));
    static_cast<void>(graph.number_of(two));
  }
  void add(std::size_t who, const bytes& changeset) {
    const auto added = graph.add(heads[who], changeset);
    REQUIRE(added.event >= 0);
    heads[who] = added.event;
  }
  [[nodiscard]] std::string record() const {
    return to_hex(testing::oracle{graph, heads}.records().at({"t", "r"}));
  }
};

TEST_CASE("the oracle: an insertion that a concurrent removal did not see stays") {
  two_writers w;
  w.add(0, changes(one, 1, {}, {{update, crdt::or_set<int>::insert(1)}}));
  w.add(1, changes(two, 1, {{one, 1}}, {{update, crdt::or_set<int>::erase(1)}}));
  // Incarnation 1, not killed, presence (1,1): the removal is the last touch. No field is left.
  CHECK(w.record() == "0100020101");
  w.add(0, changes(one, 2, {}, {{update, crdt::or_set<int>::insert(1)}}));
  // The second insertion saw nothing of the removal: presence and element hold its dot.
  CHECK(w.record() == "01000400020101037365740306021501020002");
}

TEST_CASE("the oracle: an erased record is its incarnation, and comes back whole by an update") {
  two_writers w;
  w.add(0, changes(one, 1, {}, {{update, crdt::or_set<int>::insert(1)}}));
  w.add(1, changes(two, 1, {{one, 1}}, {{erase, {}}}));
  CHECK(w.record() == "010000");
  w.add(0, changes(one, 2, {}, {{update, crdt::or_set<int>::insert(2)}}));
  CHECK(w.record().starts_with("0100020002"));
  CHECK(w.record().find("021501020001") != std::string::npos);  // element 1 is there again
}

}  // namespace
