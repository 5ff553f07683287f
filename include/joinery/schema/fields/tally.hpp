// tally<K> as a field: `p.xp.grant(workout, 120)`.
//
// Purpose: amounts under keys, each key counting once.
// Invariants: those of joinery/crdt/tally.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/tally.hpp"
#include "joinery/schema/entries_field.hpp"

namespace joinery {

template <class K>
class tally : public schema::entries_field {
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

  /// The sum over all keys, cut to 64 bits where it must be; linear.
  [[nodiscard]] std::int64_t get() const { return sum().value; }
  [[nodiscard]] std::int64_t operator*() const { return get(); }
  [[nodiscard]] bool clamped() const { return sum().clamped; }
  [[nodiscard]] std::optional<std::uint64_t> at(const K& key) const {
    const auto element = crdt::encode_value(key);
    const auto part = access().part(name(), type(), element);
    const auto place = crdt::detail::find_entry(part.state, element);
    if (place.size == 0) return std::nullopt;
    return crdt::detail::tally_rules::amount(place.payload);
  }
  /// Calls `each(K, amount)` in ascending order of keys; it may return false to stop, and read and
  /// change this record and others. Throws `failure` (type_mismatch) when a key is of another type.
  template <class F>
  void for_each(F&& each) const {
    walk({}, each);
  }
  /// The same for the keys from `first` on.
  template <class F>
  void for_each_from(const K& first, F&& each) const {
    walk(crdt::encode_value(first), each);
  }

 private:
  template <class F>
  void walk(const bytes& first, F& each) const {
    walk_entries(type(), first, [&](crdt::detail::entry e) {
      auto key = crdt::decode_value<K>(e.key);
      if (!key) mismatch();
      return go_on(each, std::move(*key), crdt::detail::tally_rules::amount(e.payload));
    });
  }
  [[nodiscard]] crdt::clamped_sum sum() const {
    crdt::detail::wide all = 0;
    walk_entries(type(), {}, [&](crdt::detail::entry e) {
      all += crdt::detail::tally_rules::amount(e.payload);
      return true;
    });
    return crdt::detail::clamp(all);
  }
};

}  // namespace joinery
