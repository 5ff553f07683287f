// lww<T>: a last-writer-wins register.
//
// Purpose: one value. Causality decides first, then authority (rank), then time (hlc), then the
// replica's id, so that every replica shows the same. The writes that lost stay visible as a
// conflict until a write saw them all.
// Invariants: those of the register (detail/register_rules.hpp).
// Thread-safety: as a `std::string`.
#pragma once

#include "joinery/crdt/detail/register_rules.hpp"
#include "joinery/crdt/packed.hpp"
#include "joinery/crdt/value.hpp"

namespace joinery::crdt {

template <value T, class B = bytes>
class lww : public packed<detail::register_rules<kind::lww>, B> {
 public:
  using packed<detail::register_rules<kind::lww>, B>::packed;
  using value_type = T;

  /// Shows `v` from now on. A higher `rank` wins over later writes of lower rank that are
  /// concurrent.
  [[nodiscard]] static bytes set(const T& v, std::int64_t rank = 0) {
    bytes d;
    byte_writer{d}.zigzag(rank);
    encode_value_to(d, v);
    return d;
  }
  /// The value shown; nothing when never written, or when it is of another type.
  [[nodiscard]] std::optional<T> get(const causal::roster& replicas) const {
    const auto w = detail::winner(this->state_, replicas);
    return w ? decode_value<T>(w->value) : std::nullopt;
  }
  [[nodiscard]] bool in_conflict() const { return detail::in_conflict(this->state_); }
};

}  // namespace joinery::crdt
