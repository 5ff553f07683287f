// or_set<T> as a field: `p.badges.insert("first-5k")`.
//
// Purpose: an add-wins set in a record; changing it never reads it.
// Invariants: those of joinery/crdt/or_set.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/or_set.hpp"
#include "joinery/schema/field.hpp"

namespace joinery {

template <class T>
class or_set : public schema::field {
 public:
  static_assert(crdt::value<T>,
                "joinery: an element of an or_set must be a value: bool, an integer, an enum, "
                "double, std::string, blob, an id, a "
                "time point, an optional or tuple of these, or a type with crdt::value_traits");

  static constexpr crdt::shape type() { return crdt::kind::or_set; }
  static std::string values() { return std::string{crdt::value_traits<T>::name}; }

  /// Also a change when `v` is there already: it then survives a concurrent removal.
  void insert(const T& v) { access().change(name(), type(), crdt::or_set<T>::insert(v)); }
  /// Removes every insertion of `v` that is known here.
  void erase(const T& v) { access().change(name(), type(), crdt::or_set<T>::erase(v)); }

  [[nodiscard]] bool contains(const T& v) const { return view().contains(v); }
  [[nodiscard]] std::size_t size() const { return view().size(); }
  [[nodiscard]] bool empty() const { return access().state(name(), type()).empty(); }
  /// Calls `each(T)` in ascending order. Throws `failure` (type_mismatch) when an element is of
  /// another type.
  template <class F>
  void for_each(F&& each) const {
    std::size_t n = 0;
    // A copy: `each` may read and change this record and others.
    const crdt::or_set<T> v{bytes{access().state(name(), type())}};
    v.for_each([&](T element) {
      ++n;
      each(std::move(element));
    });
    if (n != v.size()) mismatch();
  }
  [[nodiscard]] std::vector<T> get() const {
    std::vector<T> out;
    for_each([&](T v) { out.push_back(std::move(v)); });
    return out;
  }

 private:
  [[nodiscard]] crdt::or_set<T, bytes_view> view() const {
    return crdt::or_set<T, bytes_view>{access().state(name(), type())};
  }
};

}  // namespace joinery
