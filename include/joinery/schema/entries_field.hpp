// entries_field: what handles of sets, tallies and maps have in common.
//
// Purpose: goes over a field's entries, part by part, so that a large field is never read at once.
// Invariants: entries in ascending order; of a field that is changed on the way, what lies ahead is
// seen as it is when the walk gets near.
// Thread-safety: as the access behind it.
#pragma once

#include "joinery/crdt/or_set.hpp"
#include "joinery/schema/field.hpp"

namespace joinery::schema {

class entries_field : public field {
 protected:
  /// Calls `each(entry) -> bool` from the entry under `first` (encoded) on, until it says false.
  template <class F>
  void walk_entries(crdt::shape type, bytes_view first, F&& each) const {
    access().for_each_part(name(), type, first, [&](bytes_view part) {
      byte_reader in{part};
      while (!in.at_end()) {
        const auto e = crdt::detail::read_entry(in);
        if (in.ok() && e.key >= first && !each(e)) return false;
      }
      return true;
    });
  }
  /// Calls `each`; whether to go on, which it need not say.
  template <class F, class... T>
  static bool go_on(F& each, T&&... values) {
    if constexpr (std::is_void_v<decltype(each(std::forward<T>(values)...))>) {
      each(std::forward<T>(values)...);
      return true;
    } else {
      return static_cast<bool>(each(std::forward<T>(values)...));
    }
  }
};

}  // namespace joinery::schema
