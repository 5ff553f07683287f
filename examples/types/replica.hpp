// One replica of one CRDT, without joinery's engine.
//
// Purpose: what the examples of docs/types.md share. A program with the engine needs none of it:
// there, a commit makes the changeset, and sessions carry it.
// Thread-safety: none; a value.
#pragma once

#include <stdexcept>

#include "joinery/causal/hlc.hpp"
#include "joinery/causal/roster.hpp"
#include "joinery/causal/stamp.hpp"

namespace examples {

using joinery::causal::replica_index;

// [docs]
template <class C>
struct replica {
  replica_index me;  // which replica of the roster this is
  C state{};
  joinery::causal::version seen{};  // every changeset that the state has integrated
  joinery::causal::hybrid_clock clock{};

  // Integrates a changeset of its own: the next dot, a stamp, and what it has seen.
  void write(joinery::bytes_view delta, std::uint64_t now_ms = 0) {
    const joinery::causal::dot at{me, seen.at(me) + 1};
    seen.raise(at);
    clock.observe(clock.next(now_ms));
    state.apply(delta, {at, clock.highest(), seen});
  }
  // Merges the other's state into this one.
  void join(const replica& other) {
    state.join(seen, other.state, other.seen);
    seen.merge(other.seen);
    clock.observe(other.clock.highest());
  }
};
// [/docs]

template <class C>
void meet(replica<C>& a, replica<C>& b) {
  a.join(b);
  b.join(a);
}

/// Two replicas, phone and watch, with indexes 0 and 1.
inline joinery::causal::roster phone_and_watch() {
  joinery::causal::roster out;
  out.add({{1}});
  out.add({{2}});
  return out;
}

inline void expect(bool true_here) {
  if (!true_here) throw std::runtime_error("an example does not do what it says");
}

}  // namespace examples
