// execution<C>: replicas that operate and exchange, in memory, from one seed.
//
// Purpose: where the laws take their states from. Only states that replicas can come to are states: random bytes are
// not, and laws that hold of them hold by accident.
// Invariants: each changeset reaches a replica once and after all that it saw; a join brings whole changesets.
// Thread-safety: none; a value.
#pragma once

#include <algorithm>
#include <vector>

#include "joinery/causal/hlc.hpp"
#include "joinery/testing/generator.hpp"

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
template <class C>
struct moment {
  C state;
  causal::version seen;

  void integrate(const changeset& c) {
    for (const auto& d : c.deltas) state.apply(d, c.by());
    seen.raise(c.at);
  }
  void join(const moment& other) {
    state.join(seen, other.state, other.seen);
    seen.merge(other.seen);
  }
};

/// A roster of `n` replicas. Ids are in no order of indexes, or ties broken by the wrong one would pass.
inline causal::roster some_replicas(prng& random, std::size_t n) {
  causal::roster out;
  while (out.size() < n) out.add(new_replica_id(random));
  return out;
}

template <generated C>
class execution {
 public:
  /// Two to four replicas take `steps` steps.
  execution(std::uint64_t seed, unsigned steps) : random_(seed) {
    now_.resize(2 + static_cast<std::size_t>(random_.below(3)));
    replicas_ = some_replicas(random_, now_.size());
    const auto operates = 25 + random_.below(50);
    const auto joins = random_.below(50);
    for (unsigned i = 0; i < steps; ++i) {
      const auto r = some_index();
      if (random_.below(100) < operates) operate(r);
      else if (random_.below(100) < joins) now_[r].join(random_.pick(now_));
      else deliver_to(r);
      moments_.push_back(now_[r]);
    }
  }

  [[nodiscard]] const causal::roster& replicas() const { return replicas_; }
  /// In an order that respects causality.
  [[nodiscard]] const std::vector<changeset>& changesets() const { return changesets_; }
  /// What one replica or another had after each step.
  [[nodiscard]] const std::vector<moment<C>>& moments() const { return moments_; }

  /// Integrates into `from` what `goal` has seen and it has not, in some order that respects causality.
  void catch_up(moment<C>& from, const causal::version& goal, prng& random) const {
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
    changeset c{{r, me.seen.at(r) + 1}, 0, me.seen, {}};
    c.context.raise(c.at);
    causal::hybrid_clock clock;
    for (const auto& earlier : changesets_)
      if (me.seen.seen(earlier.at)) clock.observe(earlier.time);
    c.time = clock.next(random_.below(4));  // clocks differ and stand still: stamps tie
    // Each operation sees the earlier ones of its own changeset.
    for (auto n = 1 + random_.below(3); n > 0; --n) {
      c.deltas.push_back(generator<C>::delta(random_, me.state, r));
      me.state.apply(c.deltas.back(), c.by());
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

  prng random_;
  causal::roster replicas_;
  std::vector<moment<C>> now_;
  std::vector<changeset> changesets_;
  std::vector<moment<C>> moments_;
};

}  // namespace joinery::testing
