// Records that leave a replica: the same on the other side, whatever its indexes; hostile bytes.
#include <catch2/catch.hpp>

#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/state/portable_record.hpp"
#include "joinery/testing/prng.hpp"

using namespace joinery;
using crdt::cell_action;
using crdt::kind;
using testing::prng;

namespace {

constexpr causal::replica_index writers = 3;
using laps = crdt::map<int, crdt::pn_counter>;

/// What a few replicas that see nothing of each other make of one record.
bytes random_record(prng& dice, state::name_table& names) {
  bytes record;
  std::vector<causal::version> seen(writers);
  for (auto left = 1 + dice.below(25); left > 0; --left) {
    const auto r = static_cast<causal::replica_index>(dice.below(writers));
    const causal::dot at{r, seen[r].at(r) + 1};
    seen[r].raise(at);
    if (dice.chance(30)) seen[r].merge(seen[dice.below(writers)]);
    const causal::stamp by{at, left + 1, seen[r]};
    const auto n = static_cast<int>(dice.below(3));
    const auto life = std::max<std::uint64_t>(crdt::read_cell(record).incarnation, 1);
    const auto update = [&](std::string_view name, crdt::shape type, bytes delta) {
      state::apply_op(record, cell_action::update, life, {names.add(name), type}, delta, by);
    };
    switch (dice.below(7)) {
      case 0: update("name", kind::lww, crdt::lww<int>::set(n)); break;
      case 1: update("tags", kind::or_set, crdt::or_set<int>::insert(n)); break;
      case 2: update("xp", kind::pn_counter, crdt::pn_counter::add(n)); break;
      case 3: update("on", kind::flag, crdt::flag::set(n > 0)); break;
      case 4: update("laps", laps::type(), laps{}.create(n)); break;
      case 5: update("grants", kind::tally, crdt::tally<int>::grant(n, 7)); break;
      default:
        state::apply_op(record, n == 0 ? cell_action::erase : cell_action::create,
                        life + (n == 2 ? 1 : 0), {}, {}, by);
    }
  }
  return record;
}

crdt::reindexing mapping(std::vector<causal::replica_index> to) {
  crdt::reindexing map;
  map.to = std::move(to);
  return map;
}

}  // namespace

TEST_CASE("a record is the same after it went to another replica and back") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    prng dice{seed};
    state::name_table here, there;
    for (const auto* name : {"xp", "name", "laps"}) there.add(name);
    const auto record = random_record(dice, here);
    const auto sent = state::portable_record(record, mapping({2, 0, 1}), here);
    REQUIRE(state::valid_portable(sent, writers));
    CHECK_FALSE(state::valid_portable(sent + '\1', writers));
    const auto taken = state::local_record(sent, mapping({5, 4, 6}), there);
    // 0→2→6, 1→0→5, 2→1→4: and from there to where each began.
    const auto home = state::portable_record(taken, mapping({0, 0, 0, 0, 2, 1, 0}), there);
    CHECK(state::local_record(home, mapping({0, 1, 2}), here) == record);
  }
}

TEST_CASE("bytes that are no portable record are refused, and what is let through is sound") {
  std::size_t refused = 0, sound = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    prng dice{seed};
    state::name_table names;
    auto sent = state::portable_record(random_record(dice, names), mapping({0, 1, 2}), names);
    for (auto n = 1 + dice.below(3); n > 0 && !sent.empty(); --n) {
      const auto at = dice.below(sent.size());
      if (dice.chance(20))
        sent.resize(at);
      else
        sent[at] = static_cast<char>(dice.below(256));
    }
    if (!state::valid_portable(sent, writers)) {
      ++refused;
      continue;
    }
    ++sound;
    const auto record = state::local_record(sent, mapping({0, 1, 2}), names);
    CHECK(
        state::valid_portable(state::portable_record(record, mapping({0, 1, 2}), names), writers));
  }
  CHECK(refused > 50);
  CHECK(sound > 5);
}
