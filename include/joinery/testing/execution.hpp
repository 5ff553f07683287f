// execution: replicas that operate and exchange, in memory, from one seed.
//
// Purpose: where the laws take their states from. Only states that replicas can come to are
// states: random bytes are not, and laws that hold of them hold by accident.
// Invariants: each changeset reaches a replica once and after all that it saw; a join brings
// whole changesets.
// Thread-safety: none; a value.
#pragma once

#include <algorithm>
#include <vector>

#include "joinery/causal/hlc.hpp"
#include "joinery/testing/law_subject.hpp"

namespace joinery::testing {

/// One changeset: several deltas under one dot, integrated together or not at all.
struct changeset {
  causal::dot at;
  causal::hlc time = 0;
  causal::version context;  ///< what its writer had seen, itself included
  std::vector<bytes> deltas;

  [[nodiscard]] causal::stamp by() const { return {at, time, context}; }
  /// Whether a replica that has integrated `seen` lacks it and has all that it saw.
  [[nodiscard]] bool fits(const causal::version& seen) const {
    if (seen.at(at.replica) + 1 != at.seq) return false;
    for (causal::replica_index r = 0; r < context.size(); ++r)
      if (r != at.replica && context.at(r) > seen.at(r)) return false;
    return true;
  }
};

/// A state and what it has integrated.
struct moment {
  const law_subject* type;
  bytes state{};
  causal::version seen{};

  void integrate(const changeset& c) {
    for (const auto& d : c.deltas) type->apply(state, d, c.by());
    seen.raise(c.at);
  }
  void join(const moment& other) {
    state = type->join(state, seen, other.state, other.seen);
    seen.merge(other.seen);
  }
  /// The changeset that replica `r` would write next: no deltas yet, and stamped with `time`.
  [[nodiscard]] changeset next(causal::replica_index r, causal::hlc time) const {
    changeset c{{r, seen.at(r) + 1}, time, seen, {}};
    c.context.raise(c.at);
    return c;
  }
  friend bool operator==(const moment& a, const moment& b) {
    return a.state == b.state && a.seen == b.seen;
  }
};

/// A roster of `n` replicas. Ids are in no order of indexes, or ties broken by the wrong one would
/// pass.
inline causal::roster some_replicas(prng& random, std::size_t n) {
  causal::roster out;
  while (out.size() < n) out.add(new_replica_id(random));
  return out;
}

class execution {
 public:
  /// Two to four replicas take `steps` steps.
  execution(const law_subject& type, std::uint64_t seed, unsigned steps)
      : type_(type), random_(seed) {
    now_.resize(2 + static_cast<std::size_t>(random_.below(3)), {&type});
    replicas_ = some_replicas(random_, now_.size());
    const auto operates = 25 + random_.below(50);
    const auto joins = random_.below(50);
    for (unsigned i = 0; i < steps; ++i) {
      const auto r = some_index();
      if (random_.below(100) < operates)
        operate(r);
      else if (random_.below(100) < joins)
        now_[r].join(random_.pick(now_));
      else
        deliver_to(r);
      moments_.push_back(now_[r]);
    }
  }

  [[nodiscard]] const law_subject& type() const { return type_; }
  [[nodiscard]] const causal::roster& replicas() const { return replicas_; }
  /// In an order that respects causality.
  [[nodiscard]] const std::vector<changeset>& changesets() const { return changesets_; }
  /// What one replica or another had after each step.
  [[nodiscard]] const std::vector<moment>& moments() const { return moments_; }

  /// Integrates into `from` what `goal` has seen and it has not, in some order that respects
  /// causality.
  void catch_up(moment& from, const causal::version& goal, prng& random) const {
    for (;;) {
      std::vector<const changeset*> next;
      for (const auto& c : changesets_)
        if (goal.seen(c.at) && c.fits(from.seen)) next.push_back(&c);
      if (next.empty()) return;
      from.integrate(*random.pick(next));
    }
  }

 private:
  causal::replica_index some_index() {
    return static_cast<causal::replica_index>(random_.below(now_.size()));
  }

  void operate(causal::replica_index r) {
    auto& me = now_[r];
    causal::hybrid_clock clock;
    for (const auto& earlier : changesets_)
      if (me.seen.seen(earlier.at)) clock.observe(earlier.time);
    auto c = me.next(r, clock.next(random_.below(4)));  // clocks differ and stand still: stamps tie
    // Each operation sees the earlier ones of its own changeset.
    for (auto n = 1 + random_.below(3); n > 0; --n) {
      c.deltas.push_back(type_.delta(random_, me.state, r));
      type_.apply(me.state, c.deltas.back(), c.by());
    }
    me.seen.raise(c.at);
    changesets_.push_back(std::move(c));
  }

  void deliver_to(causal::replica_index r) {
    std::vector<const changeset*> next;
    for (const auto& c : changesets_)
      if (c.fits(now_[r].seen)) next.push_back(&c);
    if (!next.empty()) now_[r].integrate(*random_.pick(next));
  }

  const law_subject& type_;
  prng random_;
  causal::roster replicas_;
  std::vector<moment> now_;
  std::vector<changeset> changesets_;
  std::vector<moment> moments_;
};

}  // namespace joinery::testing
