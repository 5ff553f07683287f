// Every small history of every type against the oracle.
//
// All histories of up to three replicas and a few changesets are tried: who writes, what, and
// having seen which of the earlier changesets. At every causally closed set of changesets, each way
// to come there (the last changeset applied to what was before it; two smaller sets joined) must
// give the same bytes, which read as the oracle reads.
#include <catch2/catch.hpp>

#include "tests/crdt/chronicle.hpp"

namespace {

using namespace crdt_tests;

class every_history {
 public:
  using cut = unsigned;  ///< a causally closed set of changesets, a bit each

  std::string wrong;
  std::size_t tried = 0;

  /// Whole changesets to choose from: each operation alone, and with `pairs` also each two in a
  /// row.
  every_history(const oracle_subject& type, unsigned changesets, bool pairs)
      : all_(type, replicas), changesets_(changesets) {
    for (const auto& o : vocabulary_of(type.types, false)) choices_.push_back({o});
    const auto singles = choices_.size();
    for (std::size_t i = 0; pairs && i < singles; ++i)
      for (std::size_t j = 0; j < singles; ++j)
        choices_.push_back({choices_[i].front(), choices_[j].front()});
    known_.push_back({0, {type.laws}});
    extend(0);
  }

 private:
  static constexpr crdt::replica_index replicas = 3;
  struct known_cut {
    cut members;
    moment at;
  };

  void extend(crdt::replica_index used) {
    if (!wrong.empty() || all_.changesets().size() == changesets_) return;
    const auto cuts = known_.size();
    // A replica that has not written yet is like any other such: only the next of them is tried.
    for (crdt::replica_index r = 0; r <= used && r < replicas; ++r)
      for (std::size_t past = 0; past < cuts; ++past)
        for (const auto& choice : choices_) {
          if (!covers_own(r, known_[past].at)) continue;
          write(r, past, choice, r == used ? used + 1 : used);
          if (!wrong.empty()) return;
        }
  }

  /// Whether a moment has all that `r` has written: a replica sees its own past.
  bool covers_own(crdt::replica_index r, const moment& m) const {
    for (const auto& c : all_.changesets())
      if (c.at.replica == r && !m.seen.seen(c.at)) return false;
    return true;
  }

  void write(crdt::replica_index r, std::size_t past, const std::vector<op>& choice,
             crdt::replica_index used) {
    auto me = known_[past].at;
    auto seen = events_in(known_[past].members);
    if (!all_.write(r, me, seen, choice)) {
      wrong = all_.disagreement;
      return;
    }
    if (all_.changesets().back().deltas.size() < choice.size()) return all_.unwrite();
    ++tried;
    const auto before = known_.size();
    check_new_cuts(known_[past].members);
    extend(used);
    known_.resize(before);
    all_.unwrite();
  }

  /// Adds every closed set that holds the newest changeset, which saw `past`.
  void check_new_cuts(cut past) {
    const auto newest = all_.changesets().size() - 1;
    const auto before = known_.size();
    for (std::size_t i = 0; i < before && wrong.empty(); ++i) {
      if ((known_[i].members & past) != past) continue;
      const auto members = known_[i].members | 1u << newest;
      auto at = known_[i].at;
      at.integrate(all_.changesets()[newest]);
      known_.push_back({members, at});
      expect_reading(members, at);
      expect_any_last(members, at);
    }
    for (auto i = before; i < known_.size(); ++i)
      for (std::size_t j = 0; j < known_.size() && wrong.empty(); ++j) expect_join(i, j);
  }

  void expect_reading(cut members, const moment& at) {
    const auto expected = all_.expected(events_in(members));
    if (all_.shown(at) != expected)
      fail("shows \"" + all_.shown(at) + "\", should show \"" + expected + "\"", members);
    crdt::reindexing clean{{0, 1, 2}, true};
    if (all_.shown({at.type, at.type->reindex(at.state, clean)}) != expected)
      fail("the canonical form reads differently", members);
  }
  /// Whichever changeset comes last, the bytes are the same.
  void expect_any_last(cut members, const moment& at) {
    for (const auto& k : known_)
      for (std::size_t last = 0; last < all_.changesets().size(); ++last) {
        if ((members >> last & 1) == 0 || k.members != (members & ~(1u << last))) continue;
        if (!all_.changesets()[last].fits(k.at.seen)) continue;
        auto other = k.at;
        other.integrate(all_.changesets()[last]);
        if (other.state != at.state) fail("orders differ", members);
      }
  }
  void expect_join(std::size_t i, std::size_t j) {
    const auto members = known_[i].members | known_[j].members;
    auto one = known_[i].at;
    one.join(known_[j].at);
    auto other = known_[j].at;
    other.join(known_[i].at);
    for (const auto& k : known_)
      if (k.members == members && !(one.state == k.at.state && other.state == k.at.state))
        fail("join differs from apply", members);
  }

  std::set<int> events_in(cut members) const {
    std::set<int> out;
    for (std::size_t c = 0; c < all_.changesets().size(); ++c)
      if (members >> c & 1) all_.add_events_of(c, out);
    return out;
  }
  void fail(const std::string& what, cut members) {
    wrong = what + "; cut " + std::to_string(members) + " of";
    for (const auto& c : all_.changesets()) {
      wrong += " [replica " + std::to_string(c.at.replica) + " after";
      for (crdt::replica_index r = 0; r < replicas; ++r)
        wrong += " " + std::to_string(c.context.at(r) - (r == c.at.replica ? 1 : 0));
      for (const auto& d : c.deltas) wrong += ", " + joinery::to_hex(d);
      wrong += "]";
    }
  }

  chronicle all_;
  unsigned changesets_;
  std::vector<std::vector<op>> choices_;
  std::vector<known_cut> known_;
};

template <class C>
void try_all(unsigned changesets, bool pairs) {
  constexpr unsigned most = JOINERY_SANITIZED ? 3 : 4;
  const every_history histories(oracle_subject_of<C>(), std::min(changesets, most), pairs);
  CAPTURE(histories.tried);
  CHECK(histories.wrong == "");
  CHECK(histories.tried > 100);
}

using crdt::map;
constexpr bool alone = false;
constexpr bool with_pairs = true;

TEST_CASE("every small history of a register reads as the oracle reads it") {
  try_all<crdt::lww<number>>(4, alone);
  try_all<crdt::mv<number>>(3, with_pairs);
}
TEST_CASE("every small history of a set or flag reads as the oracle reads it") {
  try_all<crdt::or_set<number>>(4, alone);
  try_all<crdt::or_set<number>>(3, with_pairs);
  try_all<crdt::flag>(4, alone);
  try_all<crdt::flag>(3, with_pairs);
}
TEST_CASE("every small history of a counter, tally or extreme reads as the oracle reads it") {
  try_all<crdt::pn_counter>(4, alone);
  try_all<crdt::g_counter>(3, with_pairs);
  try_all<crdt::tally<number>>(3, with_pairs);
  try_all<crdt::max_of<number>>(3, alone);
  try_all<crdt::min_of<number>>(3, alone);
}
TEST_CASE("every small history of a cell reads as the oracle reads it") {
  try_all<cell_of<crdt::pn_counter>>(3, with_pairs);
  try_all<cell_of<crdt::flag>>(4, alone);
  try_all<cell_of<crdt::lww<number>>>(3, alone);
}
TEST_CASE("every small history of a map reads as the oracle reads it") {
  try_all<map<number, crdt::or_set<number>>>(4, alone);
  try_all<map<number, crdt::pn_counter>>(2, with_pairs);
  try_all<map<number, crdt::pn_counter>>(3, alone);
  try_all<map<number, crdt::tally<number>>>(3, alone);
  try_all<map<number, map<number, crdt::flag>>>(3, alone);
}

}  // namespace
