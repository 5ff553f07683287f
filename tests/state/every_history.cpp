// Every small history of one record: each order of delivery, and each pair of states joined, gives
// one result.
//
// A history is up to five changesets of up to three replicas, each of which saw any causally closed
// set of the earlier ones and creates, updates or erases the record. All that causality allows is
// enumerated.
#include <catch2/catch.hpp>

#include "joinery/crdt/counter.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/state/record.hpp"
#include "tests/replica/oracle.hpp"

using namespace joinery;
using crdt::cell_action;
using state::version;

namespace {

constexpr state::field_id count_field{0, crdt::kind::pn_counter};
constexpr state::field_id text_field{1, crdt::kind::lww};

/// A set of changesets, one bit each.
using subset = unsigned;

struct change {
  causal::dot at;
  subset seen = 0;  ///< without itself
  cell_action action{};
  std::uint64_t incarnation = 0;
};

class enumeration {
 public:
  std::size_t histories = 0;

  enumeration(int replicas, int changes, bool erase_for_good, bool with_joins, bool amends = false)
      : replicas_(replicas),
        most_(changes),
        actions_{cell_action::create, cell_action::update,
                 erase_for_good ? cell_action::erase_final : cell_action::erase},
        with_joins_(with_joins) {
    replica_id id;
    for (unsigned char r = 1; r <= 3; ++r) id.data.fill(r), roster_.add(id);
    world_.rank_of_id = {0, 1, 2};
    world_.tables = {{"t", {{"count", 0, oracle::leaf::counter}, {"text", 0, oracle::leaf::lww}}}};
    states_[0] = bytes{};
    if (amends) actions_.push_back(cell_action::amend);
    extend();
  }

 private:
  [[nodiscard]] version version_of(subset s) const {
    version v;
    for (std::size_t i = 0; i < changes_.size(); ++i)
      if (s >> i & 1) v.raise(changes_[i].at);
    return v;
  }

  void apply(bytes& record, std::size_t i) const {
    const auto& c = changes_[i];
    auto context = version_of(c.seen);
    context.raise(c.at);
    const causal::stamp by{c.at, i + 1, context};
    const auto update = [&](state::field_id f, bytes_view delta) {
      state::apply_op(record, c.action, c.incarnation, f, delta, by);
    };
    if (!crdt::carries_delta(c.action)) {
      state::apply_op(record, c.action, c.incarnation, {}, {}, by);
    } else {
      update(count_field, crdt::pn_counter::add(1 << i));
      update(text_field, crdt::lww<int>::set(static_cast<int>(i) + 1));
    }
  }

  [[nodiscard]] bool closed(subset s) const {
    for (std::size_t i = 0; i < changes_.size(); ++i)
      if ((s >> i & 1) && (changes_[i].seen & ~s)) return false;
    return true;
  }

  /// Works out the states of all sets that hold the newest changeset, from every last one.
  void work_out() {
    const auto newest = changes_.size() - 1;
    for (subset s = 1u << newest; s < 2u << newest; ++s) {
      if (!closed(s)) continue;
      bool first = true;
      for (std::size_t last = 0; last <= newest; ++last) {
        if (!(s >> last & 1) || !closed(s & ~(1u << last))) continue;
        auto record = states_[s & ~(1u << last)];
        apply(record, last);
        if (!first && record != states_[s]) FAIL("the order of delivery counts: " << story());
        first = false;
        states_[s] = std::move(record);
      }
    }
    if (!with_joins_) return;
    for (subset s = 0; s < 2u << newest; ++s)
      for (subset t = 1u << newest; t < 2u << newest; ++t)
        if (closed(s) && closed(t) &&
            state::join_record(states_[s], version_of(s), states_[t], version_of(t)) !=
                states_[s | t])
          FAIL("a join is not the application of both: " << s << " " << t << story());
  }

  void compare() {
    std::set<int> all;
    world_.events.clear();
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const auto& c = changes_[i];
      oracle::changeset e;
      e.replica = static_cast<int>(c.at.replica);
      e.time = i + 1;
      for (std::size_t j = 0; j < i; ++j)
        if (c.seen >> j & 1) e.seen.insert(static_cast<int>(j));
      oracle::operation o{.table = "t", .life = static_cast<int>(c.incarnation)};
      o.what = c.action == cell_action::create   ? oracle::verb::create
               : c.action == cell_action::update ? oracle::verb::update
               : c.action == cell_action::amend  ? oracle::verb::amend
               : c.action == cell_action::erase  ? oracle::verb::erase
                                                 : oracle::verb::erase_for_good;
      o.x = 1 << i;
      e.operations.push_back(o);
      o.field = 1;
      o.x = static_cast<int>(i) + 1;
      if (crdt::carries_delta(c.action)) e.operations.push_back(o);
      world_.events[static_cast<int>(i)] = e;
      all.insert(static_cast<int>(i));
    }
    const auto cell = crdt::read_cell(states_[(1u << changes_.size()) - 1]);
    std::string got = "none";
    if (cell.alive()) {
      const crdt::lww<int, bytes_view> text{state::field_state(cell.value, text_field)};
      got = "count=" +
            std::to_string(
                crdt::detail::counter_sum(state::field_state(cell.value, count_field)).value) +
            "; text=" + std::to_string(text.get(roster_).value_or(0)) +
            (text.in_conflict() ? "!" : "") + "; ";
    }
    if (got != world_.read(all, "t", 0))
      FAIL(got << " is not " << world_.read(all, "t", 0) << story());
  }

  void extend() {
    if (!changes_.empty()) {
      ++histories;
      work_out();
      compare();
    }
    const auto n = changes_.size();
    if (n == static_cast<std::size_t>(most_)) return;
    causal::replica_index used = 0;  // which replica comes first has no meaning
    for (const auto& c : changes_) used = std::max(used, c.at.replica + 1);
    for (causal::replica_index r = 0;
         r <= used && r < static_cast<causal::replica_index>(replicas_); ++r) {
      subset own = 0;
      for (std::size_t i = 0; i < n; ++i)
        if (changes_[i].at.replica == r) own |= 1u << i;
      const auto seq = static_cast<std::uint64_t>(__builtin_popcount(own)) + 1;
      for (subset seen = 0; seen < 1u << n; ++seen) {
        if ((own & ~seen) || !closed(seen)) continue;
        const auto cell = crdt::read_cell(states_[seen]);
        for (const auto action : actions_) {
          if (action != cell_action::create && !cell.alive()) continue;
          changes_.push_back({{r, seq}, seen, action, cell.incarnation + (cell.alive() ? 0 : 1)});
          extend();
          changes_.pop_back();
        }
      }
    }
  }

  [[nodiscard]] std::string story() const {
    std::string out;
    for (const auto& c : changes_)
      out += "\n" + std::to_string(c.at.replica) + "." + std::to_string(c.at.seq) + " saw " +
             std::to_string(c.seen) + " action " + std::to_string(static_cast<int>(c.action)) +
             " life " + std::to_string(c.incarnation);
    return out;
  }

  int replicas_;
  int most_;
  std::vector<cell_action> actions_;
  bool with_joins_;
  causal::roster roster_;
  oracle::world world_;
  std::vector<change> changes_;
  bytes states_[32];
};

}  // namespace

TEST_CASE("every history of four changesets by three replicas, and every join in it") {
  for (const bool for_good : {false, true})
    CHECK(enumeration(3, 4, for_good, true).histories > 1500);
}
TEST_CASE("every history with amendments, which are no touch, and every join in it") {
  for (const bool for_good : {false, true})
    CHECK(enumeration(2, 4, for_good, true, true).histories > 1400);
}
TEST_CASE("every history of five changesets by two replicas, in every order of delivery") {
  for (const bool for_good : {false, true})
    CHECK(enumeration(2, 5, for_good, false).histories > 5000);
}
