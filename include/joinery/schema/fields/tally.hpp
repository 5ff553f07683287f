// tally<K> as a field: `p.xp.grant(workout, 120)`.
//
// Purpose: amounts under keys, each key counting once.
// Invariants: those of joinery/crdt/tally.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/tally.hpp"
#include "joinery/schema/field.hpp"

namespace joinery {

template <class K>
class tally : public schema::field {
 public:
  static_assert(crdt::value<K>,
                "joinery: the key of a tally must be a value: bool, an integer, an enum, double, "
                "std::string, blob, an id, a "
                "time point, an optional or tuple of these, or a type with crdt::value_traits");

  static constexpr crdt::shape type() { return crdt::kind::tally; }
  static std::string values() { return std::string{crdt::value_traits<K>::name}; }

  /// Of several amounts under one key, the greatest counts.
  void grant(const K& key, std::uint64_t amount) {
    access().change(name(), type(), crdt::tally<K>::grant(key, amount));
  }

  /// The sum over all keys, cut to 64 bits where it must be.
  [[nodiscard]] std::int64_t get() const { return view().get().value; }
  [[nodiscard]] std::int64_t operator*() const { return get(); }
  [[nodiscard]] bool clamped() const { return view().get().clamped; }
  [[nodiscard]] std::optional<std::uint64_t> at(const K& key) const { return view().at(key); }
  /// Calls `each(K, amount)` in ascending order of keys. Throws `failure` (type_mismatch) when one
  /// is of another type.
  template <class F>
  void for_each(F&& each) const {
    // A copy: `each` may read and change this record and others.
    const bytes state{access().state(name(), type())};
    crdt::detail::for_each_entry(state, [&](crdt::detail::entry e) {
      auto key = crdt::decode_value<K>(e.key);
      if (!key) mismatch();
      each(std::move(*key), crdt::detail::tally_rules::amount(e.payload));
    });
  }

 private:
  [[nodiscard]] crdt::tally<K, bytes_view> view() const {
    return crdt::tally<K, bytes_view>{access().state(name(), type())};
  }
};

}  // namespace joinery
