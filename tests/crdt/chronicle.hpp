// chronicle<C>: the oracle's history and joinery's changesets, written side by side.
//
// Purpose: one call makes a changeset of `C` and tells the oracle of it, so that states can be held against readings
// wherever a test takes them.
// Invariants: changeset i of `changesets` is the events `events_of(i)`.
// Thread-safety: none; a value.
#pragma once

#include "joinery/testing/execution.hpp"
#include "tests/crdt/subjects.hpp"

namespace crdt_tests {

template <class C>
class chronicle {
 public:
  using moment = joinery::testing::moment<C>;

  /// Ids fall as indexes rise, so that a tie broken by index shows.
  explicit chronicle(std::size_t replicas) {
    for (std::size_t i = 0; i < replicas; ++i) {
      joinery::replica_id id;
      id.data[0] = static_cast<unsigned char>(200 - i);
      replicas_.add(id);
      history_.order_of_ids.push_back(-static_cast<int>(i));
    }
  }

  [[nodiscard]] const auto& changesets() const { return changesets_; }

  /// Writes `ops` as one changeset of replica `r` on `me`. Operations that the contract refuses must be refused by
  /// the type as well, and are left out; false when none is left (and nothing was written), or when the two differ.
  bool write(crdt::replica_index r, moment& me, std::set<int>& seen, const std::vector<op>& ops) {
    joinery::testing::changeset c{{r, me.seen.at(r) + 1}, 0, me.seen, {}};
    c.context.raise(c.at);
    for (const int e : seen) c.time = std::max(c.time, history_.events[index(e)].time);
    ++c.time;
    for (const auto& o : ops) c.time += o.ahead;
    auto after = me;
    auto seen_after = seen;
    for (auto o : ops) {
      const auto delta = subject<C>::delta(after.state, o);
      const bool allowed =
          oracle::address(types_, history_, oracle::deeds_of(history_, seen_after), o);
      if (allowed != delta.has_value()) disagreement = "one refuses what the other takes";
      if (!allowed || !delta) continue;
      history_.events.push_back({o, static_cast<int>(r), c.time, seen_after});
      seen_after.insert(static_cast<int>(history_.events.size()) - 1);
      after.state.apply(*delta, c.by());
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
    return oracle::read(types_, history_, oracle::deeds_of(history_, seen));
  }
  [[nodiscard]] std::string shown(const moment& m) const {
    return subject<C>::read(m.state, replicas_);
  }

  std::string disagreement;

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  roster replicas_;
  oracle::types types_ = subject<C>::types();
  oracle::history history_;
  std::vector<joinery::testing::changeset> changesets_;
  std::vector<std::size_t> first_events_;
};

}  // namespace crdt_tests
