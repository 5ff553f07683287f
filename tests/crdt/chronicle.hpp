// chronicle: the oracle's history and joinery's changesets, written side by side.
//
// Purpose: one call makes a changeset and tells the oracle of it, so that states can be
// held against readings wherever a test takes them.
// Invariants: changeset i of `changesets` is the events `events_of(i)`.
// Thread-safety: none; a value.
#pragma once

#include "joinery/testing/execution.hpp"
#include "tests/crdt/subjects.hpp"

namespace crdt_tests {

using joinery::testing::moment;

class chronicle {
 public:
  /// Ids are in no order of indexes, so that a tie broken by these, or by who comes first or last,
  /// shows.
  chronicle(oracle_subject type, std::size_t replicas) : type_(std::move(type)) {
    constexpr unsigned char first_bytes[] = {100, 200, 50, 150};
    for (std::size_t i = 0; i < replicas; ++i) {
      replicas_.add({{first_bytes[i]}});
      history_.order_of_ids.push_back(first_bytes[i]);
    }
  }

  [[nodiscard]] const oracle_subject& type() const { return type_; }
  [[nodiscard]] const auto& changesets() const { return changesets_; }

  /// Writes `ops` as one changeset of replica `r` on `me`. Operations that the contract refuses
  /// must be refused by the type as well, and are left out; false when none is left (and nothing
  /// was written), or when the two differ.
  bool write(crdt::replica_index r, moment& me, std::set<int>& seen, const std::vector<op>& ops) {
    auto c = me.next(r, 0);
    for (const int e : seen) c.time = std::max(c.time, history_.events[index(e)].time);
    ++c.time;
    for (const auto& o : ops) c.time += o.ahead;
    auto after = me;
    auto seen_after = seen;
    for (auto o : ops) {
      const auto delta = type_.delta(after.state, o);
      const bool allowed =
          oracle::address(type_.types, history_, oracle::deeds_of(history_, seen_after), o);
      if (allowed != delta.has_value()) disagreement = "one refuses what the other takes";
      if (!allowed || !delta) continue;
      history_.events.push_back({o, static_cast<int>(r), c.time, seen_after});
      seen_after.insert(static_cast<int>(history_.events.size()) - 1);
      type_.laws->apply(after.state, *delta, c.by());
      c.deltas.push_back(*delta);
    }
    if (c.deltas.empty()) return false;
    after.seen.raise(c.at);
    me = after;
    seen = seen_after;
    first_events_.push_back(history_.events.size() - c.deltas.size());
    changesets_.push_back(std::move(c));
    return true;
  }
  /// Takes back the latest changeset.
  void unwrite() {
    history_.events.resize(first_events_.back());
    first_events_.pop_back();
    changesets_.pop_back();
  }

  void add_events_of(std::size_t changeset, std::set<int>& to) const {
    const auto end = changeset + 1 < first_events_.size() ? first_events_[changeset + 1]
                                                          : history_.events.size();
    for (auto e = first_events_[changeset]; e < end; ++e) to.insert(static_cast<int>(e));
  }
  [[nodiscard]] std::string expected(const std::set<int>& seen) const {
    return oracle::read(type_.types, history_, oracle::deeds_of(history_, seen));
  }
  [[nodiscard]] std::string shown(const moment& m) const { return type_.read(m.state, replicas_); }

  std::string disagreement;

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  oracle_subject type_;
  roster replicas_;
  oracle::history history_;
  std::vector<joinery::testing::changeset> changesets_;
  std::vector<std::size_t> first_events_;
};

}  // namespace crdt_tests
