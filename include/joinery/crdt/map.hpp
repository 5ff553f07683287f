// map<K, C>: keys to CRDTs, each entry a cell.
//
// Purpose: entries that can be removed and come back fresh. Removing an entry takes away what the
// remover saw; a concurrent update of the same incarnation brings the whole entry back (update
// wins).
// Packed as entries key → cell (detail/cell.hpp). Delta: block key, cell delta.
// Invariants: an entry that was removed and made again shows nothing of before, on any replica.
// Thread-safety: as a `std::string`.
#pragma once

#include "joinery/crdt/dispatch.hpp"
#include "joinery/crdt/value.hpp"

namespace joinery::crdt {

namespace detail {

template <class C>
struct map_rules {
  static_assert(C::type().levels() < shape::max_levels, "joinery: maps nest at most three deep");
  static constexpr shape type() { return shape::map_of(C::type()); }
  static bool valid(bytes_view state, replica_index replicas) {
    return crdt::valid(type(), state, replicas);
  }
  static bool valid_delta(bytes_view delta) { return crdt::valid_delta(type(), delta); }
  static void apply(bytes_view state, bytes_view delta, const stamp& by, splice& out) {
    crdt::apply(type(), state, delta, by, out);
  }
  static bytes join(bytes_view a, const version& seen_by_a, bytes_view b,
                    const version& seen_by_b) {
    return crdt::join(type(), a, seen_by_a, b, seen_by_b);
  }
  static bytes reindex(bytes_view state, const reindexing& map) {
    return crdt::reindex(type(), state, map);
  }
};

}  // namespace detail

template <value K, class C, class B = bytes>
class map : public packed<detail::map_rules<C>, B> {
 public:
  using packed<detail::map_rules<C>, B>::packed;
  using key_type = K;
  using mapped_type = C;

  /// Makes the entry: afresh when it is absent, as a touch when it is there.
  [[nodiscard]] bytes create(const K& key) const {
    const auto c = cell(key);
    return with_key(key, detail::cell_delta(incarnation_to_create(c), cell_action::create));
  }
  /// Changes the entry's value by `inner`, a delta of `C`; makes the entry when it is absent.
  [[nodiscard]] bytes update(const K& key, bytes_view inner) const {
    const auto c = cell(key);
    return with_key(key, detail::cell_delta(incarnation_to_create(c), cell_action::update, inner));
  }
  /// Removes the entry; nothing when it is absent.
  [[nodiscard]] std::optional<bytes> erase(const K& key) const {
    const auto c = cell(key);
    if (!c.alive()) return std::nullopt;
    return with_key(key, detail::cell_delta(c.incarnation, cell_action::erase));
  }

  /// The living entry under `key`.
  [[nodiscard]] std::optional<C> at(const K& key) const {
    const auto c = cell(key);
    if (!c.alive()) return std::nullopt;
    return C{bytes{c.value}};
  }
  [[nodiscard]] bool contains(const K& key) const { return cell(key).alive(); }
  /// Calls `each(K, C)` for living entries in ascending order; keys of another type are left out.
  template <class F>
  void for_each(F&& each) const {
    detail::for_each_entry(this->state_, [&](detail::entry e) {
      const auto c = read_cell(e.payload);
      if (!c.alive()) return;
      if (auto k = decode_value<K>(e.key)) each(std::move(*k), C{bytes{c.value}});
    });
  }
  [[nodiscard]] std::size_t size() const {
    std::size_t n = 0;
    detail::for_each_entry(this->state_,
                           [&](detail::entry e) { n += read_cell(e.payload).alive() ? 1 : 0; });
    return n;
  }

 private:
  [[nodiscard]] cell_view cell(const K& key) const {
    return read_cell(detail::find_entry(this->state_, encode_value(key)).payload);
  }
  static bytes with_key(const K& key, bytes_view rest) {
    bytes d;
    byte_writer w{d};
    w.block(encode_value(key));
    w.raw(rest);
    return d;
  }
};

}  // namespace joinery::crdt
