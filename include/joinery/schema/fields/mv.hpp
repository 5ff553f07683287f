// mv<T> as a field: shows every value in force.
//
// Purpose: a multi-value register in a record, for conflicts that a person resolves.
// Invariants: those of joinery/crdt/mv.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/mv.hpp"
#include "joinery/schema/field.hpp"

namespace joinery {

template <class T>
class mv : public schema::field {
 public:
  static_assert(crdt::value<T>,
                "joinery: what an mv holds must be a value: bool, an integer, an enum, double, "
                "std::string, blob, an id, a "
                "time point, an optional or tuple of these, or a type with crdt::value_traits");

  static constexpr crdt::shape type() { return crdt::kind::mv; }
  static std::string values() { return std::string{crdt::value_traits<T>::name}; }

  mv() = default;
  mv(const mv&) = default;
  mv& operator=(const mv&) = delete;
  /// Replaces all values that are shown here.
  mv& operator=(const T& v) {
    access().change(name(), type(), crdt::mv<T>::set(v, access().rank()));
    return *this;
  }

  /// All values in force, ascending, each once. Throws `failure` (type_mismatch) when one is of
  /// another type.
  [[nodiscard]] std::vector<T> get() const {
    const auto state = access().state(name(), type());
    for (const auto& w : crdt::detail::read_writes(state))
      if (!crdt::decode_value<T>(w.value)) mismatch();
    return crdt::mv<T, bytes_view>{state}.get();
  }
  [[nodiscard]] bool in_conflict() const {
    return crdt::detail::in_conflict(access().state(name(), type()));
  }
};

}  // namespace joinery
