// lww<T> as a field: `p.name = "Ana"`.
//
// Purpose: a last-writer-wins register in a record; absent reads as `T{}`.
// Invariants: those of joinery/crdt/lww.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/lww.hpp"
#include "joinery/schema/field.hpp"

namespace joinery {

template <class T>
class lww : public schema::field {
 public:
  static_assert(crdt::value<T>,
                "joinery: what an lww holds must be a value: bool, an integer, an enum, double, "
                "std::string, blob, an id, a "
                "time point, an optional or tuple of these, or a type with crdt::value_traits");

  static constexpr crdt::shape type() { return crdt::kind::lww; }
  static std::string values() { return std::string{crdt::value_traits<T>::name}; }

  lww() = default;
  lww(const lww&) = default;
  lww& operator=(const lww&) = delete;
  lww& operator=(const T& v) {
    access().change(name(), type(), crdt::lww<T>::set(v, access().rank()));
    return *this;
  }

  /// The value shown, `T{}` when never written. Throws `failure` (type_mismatch) when it is of
  /// another type.
  [[nodiscard]] T get() const {
    const auto w = crdt::detail::winner(access().state(name(), type()), access().replicas());
    if (!w) return T{};
    auto v = crdt::decode_value<T>(w->value);
    if (!v) mismatch();
    return std::move(*v);
  }
  [[nodiscard]] T operator*() const { return get(); }
  [[nodiscard]] bool is_set() const { return !access().state(name(), type()).empty(); }
  /// Whether concurrent writes of different values wait for a decision.
  [[nodiscard]] bool in_conflict() const {
    return crdt::detail::in_conflict(access().state(name(), type()));
  }
};

}  // namespace joinery
