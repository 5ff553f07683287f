// Clean-up in every small history, at every legal moment: nobody can tell that it happened.
//
// A history is up to five changesets of up to three members, each of which saw any causally closed
// set of the earlier ones and creates, updates or erases a record (or an entry of its map), or only
// acknowledges. A dead cell may be cleaned where all that changed the record is stable.
#include <cstdio>

#include <catch2/catch.hpp>

#include "joinery/causal/stability.hpp"
#include "joinery/crdt/counter.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/state/clean_up.hpp"

using namespace joinery;
using crdt::cell_action;
using state::version;

namespace {

using laps = crdt::map<int, crdt::pn_counter>;
constexpr state::field_id count_field{0, crdt::kind::pn_counter};
constexpr state::field_id text_field{1, crdt::kind::lww};
const state::field_id laps_field{2, laps::type()};

/// A set of changesets, one bit each.
using subset = unsigned;

enum class deed { acknowledge, create, update, erase };

struct change {
  causal::dot at;
  subset seen = 0;  ///< without itself
  deed what{};
  std::uint64_t incarnation = 0;
};

struct setting {
  int members = 2;
  int changes = 4;
  bool for_good = false;
  bool entries = false;    ///< of the record's map, instead of the record
  bool impatient = false;  ///< cleans whatever is dead: to be caught
};

class enumeration {
 public:
  std::size_t histories = 0;  ///< of the full length
  std::size_t cleaned = 0;
  std::size_t differences = 0;

  explicit enumeration(setting s) : set_(s) {
    map_.canonical = true;
    for (causal::replica_index r = 0; r < 3; ++r) map_.to.push_back(r);
    for (const char* name : {"count", "text", "laps"}) names_.add(name);
    states_[0] = bytes{};
    if (set_.entries) {  // a record from before, which everybody has
      version seen;
      state::apply_op(states_[0], cell_action::create, 1, {}, {}, {{2, 1}, 1, seen});
    }
    extend();
  }

 private:
  [[nodiscard]] version version_of(subset s) const {
    version v;
    if (set_.entries) v.set(2, 1);
    for (std::size_t i = 0; i < changes_.size(); ++i)
      if (s >> i & 1) v.raise(changes_[i].at);
    return v;
  }
  [[nodiscard]] crdt::cell_view cell_in(bytes_view record) const {
    const auto whole = crdt::read_cell(record);
    if (!set_.entries) return whole;
    return crdt::read_cell(
        crdt::detail::find_entry(state::field_state(whole.value, laps_field), key_).payload);
  }
  [[nodiscard]] cell_action action_of(deed what) const {
    if (what == deed::erase) return set_.for_good ? cell_action::erase_final : cell_action::erase;
    return what == deed::create ? cell_action::create : cell_action::update;
  }

  void apply(bytes& record, std::size_t i) const {
    const auto& c = changes_[i];
    if (c.what == deed::acknowledge) return;
    auto context = version_of(c.seen);
    context.raise(c.at);
    const causal::stamp by{c.at, i + 1, context};
    const auto update = [&](state::field_id f, bytes_view delta, std::uint64_t life) {
      state::apply_op(record, cell_action::update, life, f, delta, by);
    };
    const auto count = crdt::pn_counter::add(1 << i);
    if (set_.entries) {
      bytes delta;
      byte_writer w{delta};
      w.block(key_);
      w.raw(crdt::detail::cell_delta(c.incarnation, action_of(c.what),
                                     c.what == deed::update ? bytes_view{count} : bytes_view{}));
      update(laps_field, delta, 1);
    } else if (c.what == deed::update) {
      update(count_field, count, c.incarnation);
      update(text_field, crdt::lww<int>::set(static_cast<int>(i) + 1), c.incarnation);
    } else {
      state::apply_op(record, action_of(c.what), c.incarnation, {}, {}, by);
    }
  }

  [[nodiscard]] bool closed(subset s) const {
    for (std::size_t i = 0; i < changes_.size(); ++i)
      if ((s >> i & 1) && (changes_[i].seen & ~s)) return false;
    return true;
  }
  [[nodiscard]] subset own(causal::replica_index r) const {
    subset out = 0;
    for (std::size_t i = 0; i < changes_.size(); ++i)
      if (changes_[i].at.replica == r) out |= 1u << i;
    return out;
  }
  /// Whether `self` may be at `s` in this history: it has its own, and goes on from there.
  [[nodiscard]] bool may_be(causal::replica_index self, subset s) const {
    for (std::size_t i = 0; i < changes_.size(); ++i)
      if (changes_[i].at.replica == self && !(s >> i & 1) && (s & ~changes_[i].seen)) return false;
    return true;
  }
  /// Whether `self`, which has `s`, may clean.
  [[nodiscard]] bool legal(causal::replica_index self, subset s) const {
    if (set_.impatient) return true;
    causal::frontier stable;
    for (causal::replica_index m = 0; m < static_cast<causal::replica_index>(set_.members); ++m) {
      if (m == self) continue;
      const auto written = own(m) & s;
      version known;
      if (written != 0) {
        const auto last = static_cast<std::size_t>(31 - __builtin_clz(written));
        known = version_of(changes_[last].seen | 1u << last);
      }
      stable.count(known);
    }
    for (std::size_t i = 0; i < changes_.size(); ++i)
      if ((s >> i & 1) && changes_[i].what != deed::acknowledge && !stable.covers(changes_[i].at))
        return false;
    return true;
  }

  void expect_same(bytes_view got, subset s) {
    if (state::canonical_record(got, map_, names_) ==
        state::canonical_record(states_[s], map_, names_))
      return;
    ++differences;
    if (!set_.impatient) FAIL("cleaning shows in " << s << story());
  }

  /// `record`, cleaned at `s`, must go on like the one that was not.
  void go_on(const bytes& record, causal::replica_index self, subset s) {
    const auto n = changes_.size();
    for (subset t = 0; t < 1u << n; ++t) {
      if (!closed(t)) continue;
      expect_same(state::join_record(record, version_of(s), states_[t], version_of(t)), s | t);
      expect_same(state::join_record(states_[t], version_of(t), record, version_of(s)), s | t);
      if ((t & s) != s) continue;
      // Later ones in order, with another clean-up wherever it may be.
      auto later = record;
      auto have = s;
      for (std::size_t i = 0; i < n; ++i) {
        if (!(t >> i & 1) || (s >> i & 1)) continue;
        apply(later, i);
        have |= 1u << i;
        expect_same(later, have);
        if (!may_be(self, have) || !legal(self, have)) continue;
        if (auto again = state::clean_record(later)) later = std::move(again->record);
      }
    }
  }

  void check() {
    const auto n = changes_.size();
    ++histories;
    for (subset s = 0; s < 1u << n; ++s) {
      if (!closed(s)) continue;
      auto done = state::clean_record(states_[s]);
      if (!done) continue;
      CHECK_FALSE(state::clean_record(done->record));
      // Self is a member that goes on writing, or (the last) one that only reads.
      for (causal::replica_index self = 0; self <= 3; ++self) {
        if (self < 3 && self >= static_cast<causal::replica_index>(set_.members)) continue;
        if (!may_be(self, s) || !legal(self, s)) continue;
        ++cleaned;
        expect_same(done->record, s);
        go_on(done->record, self, s);
      }
    }
  }

  void work_out() {
    const auto newest = changes_.size() - 1;
    for (subset s = 1u << newest; s < 2u << newest; ++s) {
      if (!closed(s)) continue;
      states_[s] = states_[s & ~(1u << newest)];
      apply(states_[s], newest);
    }
  }

  void extend() {
    if (!changes_.empty()) work_out();
    const auto n = changes_.size();
    if (n == static_cast<std::size_t>(set_.changes)) return check();
    causal::replica_index used = 0;  // which replica comes first has no meaning
    for (const auto& c : changes_) used = std::max(used, c.at.replica + 1);
    for (causal::replica_index r = 0;
         r <= used && r < static_cast<causal::replica_index>(set_.members); ++r) {
      const auto mine = own(r);
      const auto seq = static_cast<std::uint64_t>(__builtin_popcount(mine)) + 1;
      for (subset seen = 0; seen < 1u << n; ++seen) {
        if ((mine & ~seen) || !closed(seen)) continue;
        const auto cell = cell_in(states_[seen]);
        for (const auto what : {deed::acknowledge, deed::create, deed::update, deed::erase}) {
          const bool needs_life = what == deed::update || what == deed::erase;
          if (needs_life && !cell.alive()) continue;
          if (what == deed::acknowledge && seen == mine) continue;
          changes_.push_back({{r, seq}, seen, what, cell.incarnation + (cell.alive() ? 0 : 1)});
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
             std::to_string(c.seen) + " deed " + std::to_string(static_cast<int>(c.what)) +
             " life " + std::to_string(c.incarnation);
    return out;
  }

  setting set_;
  crdt::detail::reindexing map_;
  state::name_table names_;
  const bytes key_ = crdt::encode_value(7);
  std::vector<change> changes_;
  bytes states_[64];
};

}  // namespace

/// Holds the numbers of histories and of clean-ups in them against what they must be.
void try_all(const setting& s, std::size_t histories, std::size_t cleaned, bool print = false) {
  CAPTURE(s.members, s.changes, s.for_good, s.entries);
  const enumeration all(s);
  CHECK(all.histories == histories);
  CHECK(all.cleaned == cleaned);
  if (!print) return;
  std::printf("clean-up of %s, %s, %d members, %d changesets: %zu histories, %zu clean-ups\n",
              s.entries ? "entries" : "records", s.for_good ? "delete_wins" : "update_wins",
              s.members, s.changes, all.histories, all.cleaned);
}

TEST_CASE("clean-up of a dead record changes nothing that anyone sees, in every small history") {
  try_all({.members = 2, .changes = 5}, 16592, 2257);
  try_all({.members = 2, .changes = 5, .for_good = true}, 14984, 2491);
  try_all({.members = 3, .changes = 4}, 3540, 9);
  try_all({.members = 3, .changes = 4, .for_good = true}, 3432, 9);
}
TEST_CASE("clean-up of dead entries in a living record changes nothing that anyone sees") {
  try_all({.members = 2, .changes = 5, .entries = true}, 16592, 2257);
}
TEST_CASE("clean-up in every history of five and six changesets, exhaustively", "[.exhaustive]") {
  try_all({.members = 3, .changes = 5}, 120921, 589, true);
  try_all({.members = 3, .changes = 5, .for_good = true}, 110433, 769, true);
  try_all({.members = 2, .changes = 6}, 270696, 44990, true);
  try_all({.members = 2, .changes = 6, .for_good = true}, 228202, 46280, true);
  try_all({.members = 2, .changes = 6, .entries = true}, 270696, 44990, true);
}
TEST_CASE("clean-up of what is not stable yet would be found") {
  CHECK(enumeration({.members = 2, .changes = 4, .impatient = true}).differences > 0);
  CHECK(enumeration({.members = 2, .changes = 4, .entries = true, .impatient = true}).differences >
        0);
}
