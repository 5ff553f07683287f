// value_range: which values of an index a query asks for.
//
// Purpose: encoded bounds; since byte order is value order, a query needs no types.
// Invariants: the lower end is included; no lower end is the empty string.
// Thread-safety: values.
#pragma once

#include "joinery/base/bytes.hpp"

namespace joinery::state {

struct value_range {
  enum class end : std::uint8_t { open, at_most, below, prefix };

  bytes low;
  bytes high;  ///< with `prefix`: what the values begin with; `low` is the same then
  end upper = end::open;

  [[nodiscard]] bool under(bytes_view value) const noexcept { return value < low; }
  [[nodiscard]] bool over(bytes_view value) const noexcept {
    switch (upper) {
      case end::at_most: return value > high;
      case end::below: return value >= high;
      case end::prefix: return value > high && !value.starts_with(high);
      case end::open: break;
    }
    return false;
  }
  [[nodiscard]] bool contains(bytes_view value) const noexcept {
    return !under(value) && !over(value);
  }
};

}  // namespace joinery::state
