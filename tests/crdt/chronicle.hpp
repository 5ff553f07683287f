// chronicle: the oracle's history and joinery's changesets, written side by side.
//
// Purpose: one call makes a changeset and tells the oracle of it, so that states can be
// held against readings wherever a test takes them.
// Invariants: changeset i of `changesets` is the events from `first_events_[i]` on.
// Thread-safety: none; a value.
#pragma once

#include "joinery/testing/execution.hpp"
#include "tests/crdt/subjects.hpp"

namespace crdt_tests {

using joinery::testing::moment;
using oracle::event_set;

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
  /// are left out; false when none is left (and nothing was written).
  bool write(crdt::replica_index r, moment& me, event_set& seen, const std::vector<op>& ops) {
    auto time = next_time(seen);
    for (const auto& o : ops) time += o.ahead;
    begin(r, me, time);
    auto after = me;
    auto seen_after = seen;
    for (const auto& o : ops) add(after, seen_after, o);
    if (changesets_.back().deltas.empty()) {
      unwrite();
      return false;
    }
    after.seen.raise(changesets_.back().at);
    me = after;
    seen = seen_after;
    return true;
  }

  /// The earliest stamp of one who has seen `seen`.
  [[nodiscard]] std::uint64_t next_time(const event_set& seen) const {
    std::uint64_t time = 0;
    for (std::size_t e = 0; e < history_.events.size(); ++e)
      if (seen.test(e)) time = std::max(time, history_.events[e].time);
    return time + 1;
  }

  /// Begins a changeset of replica `r`, who is at `me`; `add` gives it operations.
  void begin(crdt::replica_index r, const moment& me, std::uint64_t time) {
    changesets_.push_back(me.next(r, time));
    first_events_.push_back(history_.events.size());
  }
  /// Makes one operation of the newest changeset, on its writer's state. False when the contract
  /// refuses it; the type must refuse the same (or there is a `disagreement`).
  bool add(moment& me, event_set& seen, op o) {
    auto& c = changesets_.back();
    const auto delta = type_.delta(me.state, o);
    const bool allowed =
        oracle::address(type_.shape, history_, oracle::deeds_of(history_, seen), o);
    if (allowed != delta.has_value()) disagreement = "one refuses what the other takes";
    if (!allowed || !delta) return false;
    const auto event = history_.events.size();
    history_.events.push_back({std::move(o), static_cast<int>(c.at.replica), c.time, seen});
    seen.set(event);
    type_.laws->apply(me.state, *delta, c.by());
    c.deltas.push_back(*delta);
    return true;
  }
  /// Takes back the latest operation.
  void take_back() {
    history_.events.pop_back();
    changesets_.back().deltas.pop_back();
  }
  /// Takes back the latest changeset.
  void unwrite() {
    history_.events.resize(first_events_.back());
    first_events_.pop_back();
    changesets_.pop_back();
  }

  void add_events_of(std::size_t changeset, event_set& to) const {
    const auto end = changeset + 1 < first_events_.size() ? first_events_[changeset + 1]
                                                          : history_.events.size();
    for (auto e = first_events_[changeset]; e < end; ++e) to.set(e);
  }
  [[nodiscard]] std::string expected(const event_set& seen) const {
    return oracle::read(type_.shape, history_, oracle::deeds_of(history_, seen));
  }
  [[nodiscard]] std::string expected_ledger(const event_set& seen) const {
    return oracle::ledger(type_.shape, history_, oracle::deeds_of(history_, seen));
  }
  [[nodiscard]] std::string shown(const moment& m) const { return type_.read(m.state, replicas_); }

  /// The ids' places in their order from here on, by replica: what breaks ties of equal stamps.
  void order_ids(const std::vector<int>& places) { history_.order_of_ids = places; }

  std::string disagreement;

 private:
  oracle_subject type_;
  roster replicas_;
  oracle::history history_;
  std::vector<joinery::testing::changeset> changesets_;
  std::vector<std::size_t> first_events_;
};

}  // namespace crdt_tests
