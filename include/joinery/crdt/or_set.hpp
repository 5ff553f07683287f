// or_set<T>: an add-wins set without tombstones (Bieniusa et al. 2012).
//
// Purpose: a set of values. An add wins over a concurrent remove; a remove takes away exactly the
// adds that it saw. Adding what is already there is a change: its new dot must survive a concurrent
// remove.
// Packed as entries element → dots. Delta: u8 (1 add, 0 remove), element.
// Invariants: no element without a dot.
// Thread-safety: as a `std::string`.
#pragma once

#include "joinery/crdt/detail/entries.hpp"
#include "joinery/crdt/packed.hpp"
#include "joinery/crdt/value.hpp"

namespace joinery::crdt {

namespace detail {

struct or_set_rules {
  static constexpr shape type() { return kind::or_set; }

  static bool valid(bytes_view state, replica_index replicas) {
    return valid_entries(state, [&](entry e) { return valid_dots(e.payload, replicas); });
  }
  static bool valid_delta(bytes_view delta) {
    byte_reader in{delta};
    return in.u8() <= 1 && in.ok() && !in.at_end();
  }
  static void apply(bytes_view state, bytes_view delta, const stamp& by, splice& out) {
    const auto element = delta.substr(1);
    const auto place = find_entry(state, element);
    put_entry(place, element, out,
              [&](buffer_writer& w) { write_changed_dots(w, place.payload, by, delta[0] != 0); });
  }
  static bytes join(bytes_view a, const version& seen_by_a, bytes_view b,
                    const version& seen_by_b) {
    return join_entries(a, b, [&](bytes_view x, bytes_view y, buffer_writer& out) {
      write_joined_dots(out, x, seen_by_a, y, seen_by_b);
    });
  }
  static bytes reindex(bytes_view state, const reindexing& map) {
    return map_entries(state, [&](bytes_view dots) { return reindex_dots(dots, map); });
  }
};

}  // namespace detail

template <value T, class B = bytes>
class or_set : public packed<detail::or_set_rules, B> {
 public:
  using packed<detail::or_set_rules, B>::packed;
  using value_type = T;

  [[nodiscard]] static bytes insert(const T& v) {
    bytes d(1, '\1');
    encode_value_to(d, v);
    return d;
  }
  [[nodiscard]] static bytes erase(const T& v) {
    bytes d(1, '\0');
    encode_value_to(d, v);
    return d;
  }

  [[nodiscard]] bool contains(const T& v) const {
    return detail::find_entry(this->state_, encode_value(v)).size != 0;
  }
  /// How many elements; linear.
  [[nodiscard]] std::size_t size() const {
    std::size_t n = 0;
    detail::for_each_entry(this->state_, [&](detail::entry) { ++n; });
    return n;
  }
  /// Calls `each(T)` in ascending order; elements of another type are left out.
  template <class F>
  void for_each(F&& each) const {
    detail::for_each_entry(this->state_, [&](detail::entry e) {
      if (auto v = decode_value<T>(e.key)) each(std::move(*v));
    });
  }
};

}  // namespace joinery::crdt
