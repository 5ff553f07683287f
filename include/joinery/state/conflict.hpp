// conflict: a register that shows one of several concurrent writes.
//
// Purpose: what the ledger of open conflicts (conflicts.hpp) tells of each.
// Invariants: two writes at least, of different values.
// Thread-safety: a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "joinery/base/bytes.hpp"
#include "joinery/causal/hlc.hpp"
#include "joinery/causal/replica_id.hpp"

namespace joinery::state {

struct conflicting_write {
  bytes value;  ///< encoded (crdt/value.hpp)
  replica_id by;
  causal::hlc time = 0;
  std::int64_t rank = 0;
  bool shown = false;  ///< whether this is what an lww shows
};

struct conflict {
  std::string table;
  bytes key;
  std::string field;                      ///< the field's name
  std::vector<bytes> path;                ///< encoded keys of the maps on the way to the register
  std::vector<conflicting_write> writes;  ///< ascending by (rank, time, replica)
};

}  // namespace joinery::state
