// enumeration: every history of up to three replicas and a few operations, in every order of
// delivery.
//
// Purpose: a history says who writes what, having seen which of the earlier changesets, and which
// operations make up one changeset. All are tried: each operation of a vocabulary at each place,
// each causal past, each way to cut the operations into changesets (1+1+1+1, 2+1+1, … 4).
//
// Every order of delivery is covered by induction over cuts, the causally closed sets of
// changesets. For each cut
// - every changeset that can be the last one is applied to the cut without it,
// - every two cuts whose union it is are joined, either way,
// and all must give the same bytes; then so does any sequence of applications and joins that leads
// there. These bytes must read as the oracle reads, and so must their canonical form; open
// conflicts must be the oracle's. Bytes of two replicas differ by how these number the others: a
// second and a third state of each cut have the numbers rotated and mirrored, and must have the
// same canonical form. Rotations and mirrors make up all permutations, and each history is tried in
// each numbering, so all numberings of one history have one canonical form.
//
// Pruned is what would try the same history twice, and nothing else:
// - Of the sequences in which one history can be written down, only the one is tried that always
//   takes the lowest replica that can write next (the lexicographic normal form of a trace). What
//   comes later in the sequence is at liberty: a changeset depends on what it saw alone.
// - Stamps are seen by readings in comparisons alone. Four changesets can be ordered by their
//   stamps, with ties, in no more ways than with the numbers 1 to 4, above all that they saw.
// - A cut that lacks the newest changeset was compared when that was not written yet.
// Replicas are not interchanged (indexes are places in the packed bytes), nor are values or keys
// (they are sorted there). Ids break ties only: where stamps are tried, all orders of ids are.
// Thread-safety: none.
#pragma once

#include <array>

#include "tests/crdt/chronicle.hpp"
#include "tests/crdt/vocabulary.hpp"

namespace crdt_tests {

struct enumeration_counts {
  std::uint64_t histories = 0;   ///< of one operation or more
  std::uint64_t deliveries = 0;  ///< orders in which one replica can get all changesets, of all
  std::uint64_t cuts = 0;        ///< that were read and compared with the oracle
  std::uint64_t applied = 0;     ///< last changesets, each compared with the others
  std::uint64_t joined = 0;      ///< ordered pairs of cuts
};

class enumeration {
 public:
  /// `stamps` tries all stamps and orders of ids; without, each stamp is the lowest possible.
  enumeration(const oracle_subject& type, vocabulary words, unsigned operations, bool stamps)
      : all_(type, replicas),
        words_(std::move(words)),
        operations_(operations),
        stamps_(stamps ? operations : 0) {
    std::array<int, replicas> places{0, 1, 2};
    do {
      orders_.emplace_back(places);
    } while (stamps && std::next_permutation(places.begin(), places.end()));
    known_.reserve(std::size_t{1} << operations);
    known_.push_back({0, {}, {{moment{type.laws}, moment{type.laws}, moment{type.laws}}}, 1});
    index_.fill(nowhere);
    index_[0] = 0;
    extend();
  }

  std::string wrong;  ///< what differs first, with its history; then nothing more is tried
  enumeration_counts counts;

 private:
  static constexpr crdt::replica_index replicas = 3;
  static constexpr std::size_t nowhere = ~std::size_t{0};
  using cut = unsigned;  ///< a bit for each changeset
  using numbering = std::array<crdt::replica_index, replicas>;
  static constexpr std::array<numbering, 3> numberings{{{0, 1, 2}, {1, 2, 0}, {2, 1, 0}}};
  /// In which order digests number the replicas.
  static constexpr numbering canonical{1, 2, 0};

  struct known_cut {
    cut members;
    event_set events;
    std::array<moment, 3> at;  ///< in each numbering
    std::uint64_t orders;      ///< of delivery, up to here
  };
  struct order_of_ids {
    std::vector<int> places;
    roster ids, canonical_ids;
    explicit order_of_ids(const std::array<int, replicas>& p) : places(p.begin(), p.end()) {
      for (const int place : p) ids.add(id(place));
      for (crdt::replica_index nth = 0; nth < replicas; ++nth)
        for (std::size_t r = 0; r < replicas; ++r)
          if (canonical[r] == nth) canonical_ids.add(id(p[r]));
    }
    static joinery::replica_id id(int place) {
      return {{static_cast<unsigned char>(50 + 50 * place)}};
    }
  };

  // --- Writing ---

  void extend() {
    if (used_ == operations_) return;
    const auto cuts = known_.size();
    for (crdt::replica_index r = 0; r < replicas; ++r)
      for (std::size_t past = 0; past < cuts; ++past) {
        if (!may_follow(r, known_[past].members)) continue;
        const auto earliest = all_.next_time(known_[past].events);
        for (auto time = earliest; time <= std::max<std::uint64_t>(earliest, stamps_); ++time) {
          all_.begin(r, known_[past].at[0], time);
          write(past, known_[past].at[0], known_[past].events);
          all_.unwrite();
          if (!wrong.empty()) return;
        }
      }
  }

  /// Whether `r` has written nothing outside of `past`, and nothing of a higher replica was written
  /// down since `r` could have written: the normal form.
  [[nodiscard]] bool may_follow(crdt::replica_index r, cut past) const {
    const auto& written = all_.changesets();
    cut later = past;  // whether anything of the past is still to come
    for (std::size_t c = 0; c < written.size(); ++c, later >>= 1) {
      const auto by = written[c].at.replica;
      if (by == r && (later & 1) == 0) return false;
      if (by > r && later == 0) return false;
    }
    return true;
  }

  /// Gives the open changeset one more operation, each of them, and goes on from there.
  void write(std::size_t past, const moment& me, const event_set& seen) {
    if (used_ == operations_) return;
    ++used_;
    for (const auto& o : words_) {
      auto next = me;
      auto events = seen;
      if (all_.add(next, events, o)) {
        try_history(known_[past].members);
        write(past, next, events);
        all_.take_back();
      }
      if (!all_.disagreement.empty() && wrong.empty())
        fail(all_.disagreement, known_[past].members);
      if (!wrong.empty()) break;
    }
    --used_;
  }

  void try_history(cut past) {
    const auto before = known_.size();
    const auto newest = all_.changesets().size() - 1;
    ++counts.histories;
    for (std::size_t i = 0; i < before; ++i)
      if ((known_[i].members & past) == past) add_cut(known_[i], newest);
    for (auto i = before; i < known_.size() && wrong.empty(); ++i) {
      expect_any_last(known_[i]);
      expect_reading(known_[i]);
      for (std::size_t j = 0; j < known_.size(); ++j) {
        expect_join(known_[i], known_[j]);
        if (j < before) expect_join(known_[j], known_[i]);
      }
    }
    if (wrong.empty()) extend();
    for (auto i = before; i < known_.size(); ++i) index_[known_[i].members] = nowhere;
    known_.erase(known_.begin() + static_cast<std::ptrdiff_t>(before), known_.end());
  }

  void add_cut(const known_cut& from, std::size_t newest) {
    auto grown = from;
    grown.members |= 1u << newest;
    all_.add_events_of(newest, grown.events);
    for (std::size_t n = 0; n < numberings.size(); ++n)
      grown.at[n].integrate(renumbered(all_.changesets()[newest], numberings[n]));
    grown.orders = 0;
    index_[grown.members] = known_.size();
    known_.push_back(std::move(grown));
  }

  static joinery::testing::changeset renumbered(joinery::testing::changeset c,
                                                const numbering& to) {
    crdt::version context;
    for (crdt::replica_index r = 0; r < replicas; ++r) context.set(to[r], c.context.at(r));
    c.at.replica = to[c.at.replica];
    c.context = std::move(context);
    return c;
  }

  // --- Comparing ---

  /// Whichever changeset comes last, the bytes are the same.
  void expect_any_last(known_cut& k) {
    for (std::size_t last = 0; last < all_.changesets().size(); ++last) {
      if ((k.members >> last & 1) == 0) continue;
      const auto at = index_[k.members & ~(1u << last)];
      if (at == nowhere) continue;  // another one saw it
      k.orders += known_[at].orders;
      ++counts.applied;
      auto other = known_[at].at[0];
      other.integrate(all_.changesets()[last]);
      if (other.state != k.at[0].state) fail("orders differ", k.members);
    }
    if (k.members + 1 == 1u << all_.changesets().size()) counts.deliveries += k.orders;
  }

  void expect_join(const known_cut& a, const known_cut& b) {
    ++counts.joined;
    const auto& both = known_[index_[a.members | b.members]].at[0];
    const auto& type = *all_.type().laws;
    if (type.join(a.at[0].state, a.at[0].seen, b.at[0].state, b.at[0].seen) != both.state)
      fail("the join with cut " + std::to_string(b.members) + " differs from applying", a.members);
  }

  void expect_reading(const known_cut& k) {
    ++counts.cuts;
    const auto& type = all_.type();
    const auto canonical_state = canonical_form(k, 0);
    for (std::size_t n = 1; n < numberings.size(); ++n)
      if (canonical_form(k, n) != canonical_state)
        fail("the canonical form depends on how replicas are numbered", k.members);
    for (const auto& order : orders_) {
      all_.order_ids(order.places);
      expect(type.read(k.at[0].state, order.ids), all_.expected(k.events), "shows", k.members);
      expect(type.read_canonical(canonical_state, order.canonical_ids), all_.expected(k.events),
             "in canonical form shows", k.members);
      if (type.ledger != nullptr)
        expect(type.ledger(k.at[0].state, order.ids), all_.expected_ledger(k.events),
               "has the conflicts", k.members);
    }
  }
  [[nodiscard]] bytes canonical_form(const known_cut& k, std::size_t n) const {
    crdt::reindexing map{std::vector<crdt::replica_index>(replicas), true};
    for (std::size_t r = 0; r < replicas; ++r) map.to[numberings[n][r]] = canonical[r];
    return all_.type().laws->reindex(k.at[n].state, map);
  }
  void expect(const std::string& got, const std::string& wanted, const char* what, cut members) {
    if (got != wanted)
      fail(std::string{what} + " \"" + got + "\", should be \"" + wanted + "\"", members);
  }

  void fail(const std::string& what, cut members) {
    if (!wrong.empty()) return;
    wrong = what + "; cut " + std::to_string(members) + " of";
    for (const auto& c : all_.changesets()) {
      wrong += " [replica " + std::to_string(c.at.replica) + " at " + std::to_string(c.time);
      wrong += " after";
      for (crdt::replica_index r = 0; r < replicas; ++r)
        wrong += " " + std::to_string(c.context.at(r) - (r == c.at.replica ? 1 : 0));
      for (const auto& d : c.deltas) wrong += ", " + joinery::to_hex(d);
      wrong += "]";
    }
  }

  chronicle all_;
  vocabulary words_;
  unsigned operations_;
  std::uint64_t stamps_;
  unsigned used_ = 0;
  std::vector<order_of_ids> orders_;
  std::vector<known_cut> known_;
  std::array<std::size_t, 64> index_{};  ///< cut → where it is known
};

}  // namespace crdt_tests
