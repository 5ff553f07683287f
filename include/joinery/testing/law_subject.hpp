// law_subject: a CRDT as the laws see it, by its bytes.
//
// Purpose: executions and laws are compiled once, not once for each type: they go through a table
// of the type's operations, over the packed states that all types share.
// Invariants: the table of a type does what the type's own members do.
// Thread-safety: pure functions.
#pragma once

#include "joinery/testing/generator.hpp"

namespace joinery::testing {

struct law_subject {
  bool (*valid)(bytes_view state, causal::replica_index replicas);
  bool (*valid_delta)(bytes_view delta);
  void (*apply)(bytes& state, bytes_view delta, const causal::stamp& by);
  bytes (*join)(bytes_view a, const causal::version& seen_by_a, bytes_view b,
                const causal::version& seen_by_b);
  bytes (*reindex)(bytes_view state, const crdt::reindexing& map);
  bytes (*delta)(prng& random, bytes_view state, causal::replica_index writer);
  std::string (*read)(bytes_view state, const causal::roster& replicas);
};

template <generated C>
inline constexpr law_subject law_subject_of = {
    [](bytes_view state, causal::replica_index replicas) {
      const auto unpacked = crdt::unpack<C>(state, replicas);
      return unpacked && unpacked->state() == state;
    },
    [](bytes_view delta) { return C::rules_type::valid_delta(delta); },
    [](bytes& state, bytes_view delta, const causal::stamp& by) {
      C c{state};
      c.apply(delta, by);
      state = c.state();
    },
    [](bytes_view a, const causal::version& seen_by_a, bytes_view b,
       const causal::version& seen_by_b) {
      C c{bytes{a}};
      c.join(seen_by_a, C{bytes{b}}, seen_by_b);
      return bytes{c.state()};
    },
    [](bytes_view state, const crdt::reindexing& map) { return C{bytes{state}}.reindexed(map); },
    [](prng& random, bytes_view state, causal::replica_index writer) {
      return generator<C>::delta(random, C{bytes{state}}, writer);
    },
    [](bytes_view state, const causal::roster& replicas) {
      return generator<C>::read(C{bytes{state}}, replicas);
    },
};

}  // namespace joinery::testing
