// Random histories of every type against the oracle, step by step.
#include <catch2/catch.hpp>

#include "tests/crdt/chronicle.hpp"
#include "tests/crdt/vocabulary.hpp"

namespace {

using namespace crdt_tests;
using joinery::testing::prng;

/// A random history of two to four replicas that operate, deliver and join; empty when all readings
/// are right.
std::string wrong_in(const oracle_subject& type, std::uint64_t seed) {
  prng random(seed);
  const auto replicas = 2 + static_cast<std::size_t>(random.below(3));
  chronicle all(type, replicas);
  std::vector<moment> now(replicas, moment{type.laws});
  std::vector<oracle::event_set> seen(replicas);
  const auto words = rich_vocabulary(type.shape);

  for (int step = 0; step < 20; ++step) {
    const auto r = static_cast<std::size_t>(random.below(replicas));
    const auto roll = random.below(10);
    if (roll < 5) {
      std::vector<op> ops;
      for (auto n = 1 + random.below(3); n > 0; --n) ops.push_back(random.pick(words));
      all.write(static_cast<crdt::replica_index>(r), now[r], seen[r], ops);
    } else if (roll < 8) {
      for (std::size_t i = 0; i < all.changesets().size(); ++i) {
        const auto& c = all.changesets()[i];
        if (!c.fits(now[r].seen) || random.chance(40)) continue;
        now[r].integrate(c);
        all.add_events_of(i, seen[r]);
      }
    } else {
      const auto from = static_cast<std::size_t>(random.below(replicas));
      now[r].join(now[from]);
      seen[r] |= seen[from];
    }
    if (!all.disagreement.empty()) return all.disagreement + ", seed " + std::to_string(seed);
    if (all.shown(now[r]) != all.expected(seen[r]))
      return "shows \"" + all.shown(now[r]) + "\", should show \"" + all.expected(seen[r]) +
             "\", seed " + std::to_string(seed) + ", step " + std::to_string(step);
  }
  return {};
}

template <class C>
std::string first_wrong(std::uint64_t histories = JOINERY_SANITIZED ? 200 : 1000) {
  const auto type = oracle_subject_of<C>();
  for (std::uint64_t seed = 1; seed <= histories; ++seed)
    if (auto wrong = wrong_in(type, seed); !wrong.empty()) return wrong;
  return {};
}

using crdt::map;

TEST_CASE("registers read as the oracle reads random histories") {
  CHECK(first_wrong<crdt::lww<number>>() == "");
  CHECK(first_wrong<crdt::mv<number>>() == "");
}
TEST_CASE("sets and flags read as the oracle reads random histories") {
  CHECK(first_wrong<crdt::or_set<number>>() == "");
  CHECK(first_wrong<crdt::flag>() == "");
}
TEST_CASE("counters, tallies and extremes read as the oracle reads random histories") {
  CHECK(first_wrong<crdt::pn_counter>() == "");
  CHECK(first_wrong<crdt::g_counter>() == "");
  CHECK(first_wrong<crdt::tally<number>>() == "");
  CHECK(first_wrong<crdt::max_of<number>>() == "");
  CHECK(first_wrong<crdt::min_of<number>>() == "");
}
TEST_CASE("maps read as the oracle reads random histories") {
  CHECK(first_wrong<map<number, crdt::lww<number>>>() == "");
  CHECK(first_wrong<map<number, crdt::mv<number>>>() == "");
  CHECK(first_wrong<map<number, crdt::or_set<number>>>() == "");
  CHECK(first_wrong<map<number, crdt::pn_counter>>() == "");
  CHECK(first_wrong<map<number, crdt::tally<number>>>() == "");
  CHECK(first_wrong<map<number, crdt::max_of<number>>>() == "");
  CHECK(first_wrong<map<number, crdt::flag>>() == "");
}
TEST_CASE("maps of maps read as the oracle reads random histories") {
  CHECK(first_wrong<map<number, map<number, crdt::or_set<number>>>>() == "");
  CHECK(first_wrong<map<number, map<number, map<number, crdt::pn_counter>>>>() == "");
}
TEST_CASE("cells with both delete rules read as the oracle reads random histories") {
  CHECK(first_wrong<cell_of<crdt::lww<number>>>() == "");
  CHECK(first_wrong<cell_of<crdt::pn_counter>>() == "");
  CHECK(first_wrong<cell_of<crdt::or_set<number>>>() == "");
  CHECK(first_wrong<cell_of<map<number, crdt::mv<number>>>>() == "");
}

}  // namespace
