// splice: a change to a byte string.
//
// Purpose: what applying a delta does to a packed state: `removed` bytes at `at` give way to
// `inserted`. The state itself is never taken apart into objects. One splice serves many changes,
// so that their bytes take no memory anew.
// Invariants: at + removed is within the state that it was computed from.
// Thread-safety: values.
#pragma once

#include "joinery/base/edits.hpp"
#include "joinery/crdt/detail/led_bytes.hpp"

namespace joinery::crdt::detail {

struct splice {
  std::size_t at = 0;
  std::size_t removed = 0;
  led_bytes inserted;

  /// Makes it the change that changes nothing.
  void clear() {
    at = removed = 0;
    inserted.clear();
  }
  /// `State`: a string, or what is changed like one.
  template <class State>
  void onto(State& state) const {
    state.replace(at, removed, inserted.view());
  }
};

}  // namespace joinery::crdt::detail
