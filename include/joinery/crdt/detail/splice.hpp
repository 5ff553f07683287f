// splice: a change to a byte string.
//
// Purpose: what applying a delta does to a packed state: `removed` bytes at `at` give way to
// `inserted`. The state itself is never taken apart into objects.
// Invariants: at + removed is within the state that it was computed from.
// Thread-safety: values.
#pragma once

#include "joinery/base/bytes.hpp"

namespace joinery::crdt::detail {

struct splice {
  std::size_t at = 0;
  std::size_t removed = 0;
  bytes inserted;

  void onto(bytes& state) const { state.replace(at, removed, inserted); }
};

}  // namespace joinery::crdt::detail
