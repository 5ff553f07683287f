// max_of<T> and min_of<T> as fields: `p.longest_km.put(21.1)`.
//
// Purpose: the greatest or least value ever put.
// Invariants: those of joinery/crdt/extremum.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/extremum.hpp"
#include "joinery/schema/field.hpp"

namespace joinery {

namespace schema {

template <class T, crdt::kind Kind>
class extremum_field : public field {
 public:
  static_assert(crdt::value<T>,
                "joinery: what a max_of or min_of holds must be a value: bool, an integer, an "
                "enum, double, std::string, blob, an id, a "
                "time point, an optional or tuple of these, or a type with crdt::value_traits");

  static constexpr crdt::shape type() { return Kind; }
  static std::string values() { return std::string{crdt::value_traits<T>::name}; }

  void put(const T& v) { access().change(name(), type(), crdt::extremum<T, Kind>::put(v)); }

  /// Nothing when never written. Throws `failure` (type_mismatch) when the value is of another
  /// type.
  [[nodiscard]] std::optional<T> get() const {
    const auto state = access().state(name(), type());
    if (state.empty()) return std::nullopt;
    auto v = crdt::decode_value<T>(state);
    if (!v) mismatch();
    return v;
  }
};

}  // namespace schema

template <class T>
class max_of : public schema::extremum_field<T, crdt::kind::max_of> {};
template <class T>
class min_of : public schema::extremum_field<T, crdt::kind::min_of> {};

}  // namespace joinery
