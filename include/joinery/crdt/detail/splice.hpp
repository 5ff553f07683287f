// splice: a change to a byte string.
//
// Purpose: what applying a delta does to a packed state: `removed` bytes at `at` give way to
// `inserted`. The state itself is never taken apart into objects. One splice serves many changes,
// so that their bytes take no memory anew.
// Invariants: at + removed is within the state that it was computed from.
// Thread-safety: values.
#pragma once

#include <algorithm>

#include "joinery/base/bytes.hpp"

namespace joinery::crdt::detail {

struct splice {
  std::size_t at = 0;
  std::size_t removed = 0;
  bytes inserted;

  /// Makes it the change that changes nothing.
  void clear() noexcept {
    at = removed = 0;
    inserted.clear();
  }
  void onto(bytes& state) const {
    if (removed == inserted.size())
      std::copy(inserted.begin(), inserted.end(),
                state.begin() + static_cast<std::ptrdiff_t>(at));  // nothing moves
    else
      state.replace(at, removed, inserted);
  }
};

}  // namespace joinery::crdt::detail
