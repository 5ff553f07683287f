// max_of<T> and min_of<T>: the greatest or least value ever written.
//
// Purpose: personal bests, first dates: a register that only moves one way.
// Packed as the value's bytes, whose order is the value's order. Delta: the value.
// Invariants: empty until first written.
// Thread-safety: as a `std::string`.
#pragma once

#include "joinery/crdt/packed.hpp"
#include "joinery/crdt/value.hpp"

namespace joinery::crdt {

namespace detail {

template <kind Kind>
struct extremum_rules {
  static constexpr shape type() { return Kind; }

  static bool wins(bytes_view challenger, bytes_view holder) {
    if (challenger.empty() || holder.empty()) return holder.empty();
    return Kind == kind::max_of ? challenger > holder : challenger < holder;
  }
  static bool valid(bytes_view, replica_index) { return true; }
  static bool valid_delta(bytes_view delta) { return !delta.empty(); }
  static void apply(bytes_view state, bytes_view delta, const stamp&, splice& out) {
    if (!wins(delta, state)) return;
    out.removed = state.size();
    out.inserted = delta;
  }
  static bytes join(bytes_view a, const version&, bytes_view b, const version&) {
    return bytes{wins(b, a) ? b : a};
  }
  static bytes reindex(bytes_view state, const reindexing&) { return bytes{state}; }
};

}  // namespace detail

template <value T, kind Kind, class B = bytes>
class extremum : public packed<detail::extremum_rules<Kind>, B> {
 public:
  using packed<detail::extremum_rules<Kind>, B>::packed;
  using value_type = T;

  [[nodiscard]] static bytes put(const T& v) { return encode_value(v); }
  /// Nothing when never written, or when it is of another type.
  [[nodiscard]] std::optional<T> get() const {
    if (this->state_.empty()) return std::nullopt;
    return decode_value<T>(this->state_);
  }
};

template <value T>
using max_of = extremum<T, kind::max_of>;
template <value T>
using min_of = extremum<T, kind::min_of>;

}  // namespace joinery::crdt
