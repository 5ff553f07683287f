// tally<K>: amounts under keys, each key counting once.
//
// Purpose: grants that two devices may both hand out, such as XP for one workout imported twice. Of
// several amounts under a key the greatest counts; the tally reads as the sum.
// Packed as entries key → varint amount. Delta: varint amount, key.
// Invariants: grows only. The sum is taken in 128 bits and clamped once.
// Thread-safety: as a `std::string`.
#pragma once

#include "joinery/crdt/counter.hpp"
#include "joinery/crdt/detail/entries.hpp"
#include "joinery/crdt/value.hpp"

namespace joinery::crdt {

namespace detail {

struct tally_rules {
  static constexpr shape type() { return kind::tally; }

  static std::uint64_t amount(bytes_view payload) { return byte_reader{payload}.varint(); }

  static bool valid(bytes_view state, replica_index) {
    return valid_entries(state, [](entry e) {
      byte_reader in{e.payload};
      in.varint();
      return in.finished();
    });
  }
  static bool valid_delta(bytes_view delta) {
    byte_reader in{delta};
    in.varint();
    return in.ok() && !in.at_end();
  }
  static void apply(bytes_view state, bytes_view delta, const stamp&, splice& out) {
    byte_reader in{delta};
    const auto granted = in.varint();
    const auto place = find_entry(state, in.rest());
    if (place.size != 0 && amount(place.payload) >= granted) return;
    put_entry(place, in.rest(), out, [&](buffer_writer& w) { w.varint(granted); });
  }
  static bytes join(bytes_view a, const version&, bytes_view b, const version&) {
    return join_entries(a, b, [](bytes_view x, bytes_view y, buffer_writer& out) {
      out.raw(y.empty() || (!x.empty() && amount(x) >= amount(y)) ? x : y);
    });
  }
  static bytes reindex(bytes_view state, const reindexing&) { return bytes{state}; }
};

inline clamped_sum tally_sum(bytes_view state) {
  wide sum = 0;
  for_each_entry(state, [&](entry e) { sum += tally_rules::amount(e.payload); });
  return clamp(sum);
}

}  // namespace detail

template <value K, class B = bytes>
class tally : public packed<detail::tally_rules, B> {
 public:
  using packed<detail::tally_rules, B>::packed;
  using key_type = K;

  /// Grants `amount` under `key`; a smaller amount than is there already changes nothing.
  [[nodiscard]] static bytes grant(const K& key, std::uint64_t amount) {
    bytes d;
    byte_writer{d}.varint(amount);
    encode_value_to(d, key);
    return d;
  }
  [[nodiscard]] clamped_sum get() const { return detail::tally_sum(this->state_); }
  /// The amount under `key`; nothing when none was granted.
  [[nodiscard]] std::optional<std::uint64_t> at(const K& key) const {
    const auto place = detail::find_entry(this->state_, encode_value(key));
    if (place.size == 0) return std::nullopt;
    return detail::tally_rules::amount(place.payload);
  }
  /// Calls `each(K, amount)` in ascending order of keys; keys of another type are left out.
  template <class F>
  void for_each(F&& each) const {
    detail::for_each_entry(this->state_, [&](detail::entry e) {
      if (auto k = decode_value<K>(e.key))
        each(std::move(*k), detail::tally_rules::amount(e.payload));
    });
  }
};

}  // namespace joinery::crdt
