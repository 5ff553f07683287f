// flag: a boolean in which enabling wins over a concurrent disabling.
//
// Purpose: switches that should rather stay on, such as "share my workouts with my coach".
// Packed as the dots of the enablings in force. Delta: u8 (1 enable, 0 disable).
// Invariants: enabled exactly when a dot is left.
// Thread-safety: as a `std::string`.
#pragma once

#include "joinery/crdt/packed.hpp"

namespace joinery::crdt {

namespace detail {

struct flag_rules {
  static constexpr shape type() { return kind::flag; }

  static bool valid(bytes_view state, replica_index replicas) {
    return valid_dots(state, replicas);
  }
  static bool valid_delta(bytes_view delta) {
    byte_reader in{delta};
    return in.u8() <= 1 && in.finished();
  }
  static void apply(bytes_view state, bytes_view delta, const stamp& by, splice& out) {
    out.removed = state.size();
    buffer_writer w{out.inserted};
    write_changed_dots(w, state, by, delta[0] != 0);
  }
  static bytes join(bytes_view a, const version& seen_by_a, bytes_view b,
                    const version& seen_by_b) {
    return join_dots(a, seen_by_a, b, seen_by_b);
  }
  static bytes reindex(bytes_view state, const reindexing& map) { return reindex_dots(state, map); }
};

}  // namespace detail

class flag : public packed<detail::flag_rules> {
 public:
  using packed::packed;

  [[nodiscard]] static bytes set(bool enabled) { return bytes(1, enabled ? '\1' : '\0'); }
  [[nodiscard]] bool get() const noexcept { return !state_.empty(); }
};

}  // namespace joinery::crdt
