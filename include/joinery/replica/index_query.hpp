// index_query: what is asked of an index.
//
// Purpose: the question, in untyped form; index_scan.hpp answers it.
// Invariants: none: a value.
// Thread-safety: a value.
#pragma once

#include <optional>
#include <string>

#include "joinery/crdt/kind.hpp"
#include "joinery/state/index_entry.hpp"
#include "joinery/state/value_range.hpp"

namespace joinery {

struct index_query {
  std::string table;
  std::string field;
  crdt::shape type;
  state::value_range range{};
  bool descending = false;
  std::optional<state::index_entry> after{};  ///< where an earlier query ended
  std::size_t batch = 256;                    ///< how many entries are read at once
};

}  // namespace joinery
