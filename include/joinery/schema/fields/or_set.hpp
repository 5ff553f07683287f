// or_set<T> as a field: `p.badges.insert("first-5k")`.
//
// Purpose: an add-wins set in a record; changing it never reads it, asking for an element reads
// little more than that, and a walk goes from part to part, however large it is.
// Invariants: those of joinery/crdt/or_set.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/or_set.hpp"
#include "joinery/schema/entries_field.hpp"

namespace joinery {

template <class T>
class or_set : public schema::entries_field {
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

  [[nodiscard]] bool contains(const T& v) const {
    const auto element = crdt::encode_value(v);
    const auto part = access().part(name(), type(), element);
    return crdt::detail::find_entry(part.state, element).size != 0;
  }
  /// How many elements; linear.
  [[nodiscard]] std::size_t size() const {
    std::size_t n = 0;
    walk_entries(type(), {}, [&](crdt::detail::entry) { return ++n > 0; });
    return n;
  }
  [[nodiscard]] bool empty() const {
    bool none = true;
    walk_entries(type(), {}, [&](crdt::detail::entry) { return none = false; });
    return none;
  }
  /// Calls `each(T)` in ascending order; it may return false to stop, and read and change this
  /// record and others. Throws `failure` (type_mismatch) when an element is of another type.
  template <class F>
  void for_each(F&& each) const {
    walk({}, each);
  }
  /// The same for the elements from `first` on.
  template <class F>
  void for_each_from(const T& first, F&& each) const {
    walk(crdt::encode_value(first), each);
  }
  [[nodiscard]] std::vector<T> get() const {
    std::vector<T> out;
    for_each([&](T v) { out.push_back(std::move(v)); });
    return out;
  }

 private:
  template <class F>
  void walk(const bytes& first, F& each) const {
    walk_entries(type(), first, [&](crdt::detail::entry e) {
      auto v = crdt::decode_value<T>(e.key);
      if (!v) mismatch();
      return go_on(each, std::move(*v));
    });
  }
};

}  // namespace joinery
