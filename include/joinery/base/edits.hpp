// edits: several changes to a byte string, made at once.
//
// Purpose: an operation on a record changes a few bytes here and there in it. Made together, they
// cost one walk over what moves, and one copy when the bytes have to move elsewhere.
// Invariants: edits ascend by `at`, which counts in the content as it was, and do not overlap; of
// two at one place the first comes first. What they insert is not part of the content.
// Thread-safety: values and pure functions.
#pragma once

#include <span>

#include "joinery/base/bytes.hpp"

namespace joinery {

/// `removed` bytes at `at` give way to `by`.
struct byte_edit {
  std::size_t at = 0;
  std::size_t removed = 0;
  bytes_view by;
};
using byte_edits = std::span<const byte_edit>;

inline void make_edits(bytes& content, byte_edits all) {
  for (auto e = all.rbegin(); e != all.rend(); ++e) content.replace(e->at, e->removed, e->by);
}

}  // namespace joinery
