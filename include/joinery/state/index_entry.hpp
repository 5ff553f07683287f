// index_entry: where an index lists a record.
//
// Purpose: a value and the key of a record that has it.
// Invariants: ordered by the value, then by the key.
// Thread-safety: a value.
#pragma once

#include <compare>

#include "joinery/base/bytes.hpp"

namespace joinery::state {

struct index_entry {
  bytes value;
  bytes key;
  friend auto operator<=>(const index_entry&, const index_entry&) = default;
};

}  // namespace joinery::state
