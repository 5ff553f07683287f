// packed<Rules>: a CRDT state as one byte string, with the rules that change it.
//
// Purpose: what every CRDT of joinery has in common, usable alone. `apply(delta, stamp)` integrates
// a changeset's delta, `join` merges two states with their contexts; the two always agree (a law
// under test). Deltas are bytes without dots: pure operations (Baquero, Almeida, Shoker 2017).
// Invariants: deltas are applied once each and in causal order; `unpack` accepts only well-formed
// states.
// Thread-safety: as a `std::string`.
#pragma once

#include <optional>
#include <utility>

#include "joinery/crdt/detail/dots.hpp"
#include "joinery/crdt/detail/splice.hpp"
#include "joinery/crdt/kind.hpp"

namespace joinery::crdt {

using causal::dot;
using causal::replica_index;
using causal::stamp;
using causal::version;
using detail::reindexing;

/// Rules of one kind: pure functions over packed states. An empty state is the type's initial
/// value.
template <class R>
concept rules = requires(bytes_view state, bytes_view delta, const stamp& by, detail::splice& out,
                         const version& seen, const reindexing& map) {
  { R::type() } -> std::same_as<shape>;
  { R::valid(state, replica_index{}) } -> std::same_as<bool>;
  { R::valid_delta(delta) } -> std::same_as<bool>;
  { R::apply(state, delta, by, out) } -> std::same_as<void>;  // `out` changes nothing before
  { R::join(state, seen, state, seen) } -> std::same_as<bytes>;
  { R::reindex(state, map) } -> std::same_as<bytes>;
};

/// `B` is `bytes` for a state of one's own, or `bytes_view` to read one that stands elsewhere.
template <rules R, class B = bytes>
class packed {
 public:
  using rules_type = R;

  packed() = default;
  /// Precondition: `state` is valid; `unpack` is the way for bytes from outside.
  explicit packed(B state) noexcept : state_(std::move(state)) {}

  /// Integrates a delta made by the changeset `by`. Precondition: `R::valid_delta(d)`.
  void apply(bytes_view d, const stamp& by) {
    detail::splice change;
    R::apply(state_, d, by, change);
    change.onto(state_);
  }
  /// Merges `other`, which has seen `seen_by_other`, into this, which has seen `seen`.
  void join(const version& seen, const packed& other, const version& seen_by_other) {
    state_ = R::join(state_, seen, other.state_, seen_by_other);
  }

  [[nodiscard]] bytes_view state() const noexcept { return state_; }
  [[nodiscard]] static constexpr shape type() { return R::type(); }
  /// The state with its replica indexes mapped: for a replica with another roster.
  [[nodiscard]] bytes reindexed(const reindexing& map) const { return R::reindex(state_, map); }

  friend bool operator==(const packed& a, const packed& b) { return a.state_ == b.state_; }

 protected:
  B state_;
};

/// A `C` from its packed state over a roster of `replicas` replicas; nothing when it is malformed.
template <class C>
[[nodiscard]] std::optional<C> unpack(bytes_view state, replica_index replicas) {
  if (!C::rules_type::valid(state, replicas)) return std::nullopt;
  return C{bytes{state}};
}

}  // namespace joinery::crdt
