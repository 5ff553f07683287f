// map<K, F> as a field: `p.bests["squat"].put(120)`.
//
// Purpose: keys to fields, each entry a cell that can be removed and come back fresh.
// Invariants: those of joinery/crdt/map.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/map.hpp"
#include "joinery/schema/entries_field.hpp"

namespace joinery {

namespace schema {

/// The access of a map's entry: wraps what happens to the entry's value into deltas of the map.
class entry_access : public record_access {
 public:
  entry_access(record_access& outer, std::string_view field, crdt::shape map_type, bytes key)
      : kept_(outer.keep()),
        outer_(kept_ ? *kept_ : outer),
        field_(field),
        map_type_(map_type),
        key_(std::move(key)) {}

  [[nodiscard]] bool alive() { return cell().alive(); }
  bytes_view state(std::string_view, crdt::shape) override {
    const auto c = cell();
    return c.alive() ? c.value : bytes_view{};
  }
  void change(std::string_view, crdt::shape, bytes delta) override {
    const auto c = cell();
    send(c.incarnation + (c.alive() ? 0 : 1), crdt::cell_action::update, delta);
  }
  void create() {
    const auto c = cell();
    send(c.incarnation + (c.alive() ? 0 : 1), crdt::cell_action::create);
  }
  bool erase() {
    const auto c = cell();
    if (c.alive()) send(c.incarnation, crdt::cell_action::erase);
    return c.alive();
  }
  [[nodiscard]] const causal::roster& replicas() const override { return outer_.replicas(); }
  [[nodiscard]] causal::replica_index self() const override { return outer_.self(); }
  [[nodiscard]] std::int64_t rank() const override { return outer_.rank(); }
  [[nodiscard]] std::string where() const override {
    return outer_.where() + " entry of " + std::string{field_};
  }
  [[nodiscard]] std::shared_ptr<record_access> keep() const override {
    return std::make_shared<entry_access>(*this);
  }

 private:
  [[nodiscard]] crdt::cell_view cell() {
    held_ = outer_.part(field_, map_type_, key_);
    return crdt::read_cell(crdt::detail::find_entry(held_.state, key_).payload);
  }
  void send(std::uint64_t incarnation, crdt::cell_action action, bytes_view inner = {}) {
    if (incarnation == 0)
      throw failure(
          {errc::overflow, "an entry was re-created too often", where(), "use another key"});
    bytes delta;
    byte_writer w{delta};
    w.block(key_);
    w.raw(crdt::detail::cell_delta(incarnation, action, inner));
    outer_.change(field_, map_type_, std::move(delta));
  }

  std::shared_ptr<record_access>
      kept_;  // of a map in a map: the handle of the outer entry may be gone
  record_access& outer_;
  std::string_view field_;
  crdt::shape map_type_;
  bytes key_;
  part_of_field held_;  // what the last view points into
};

/// A handle of an entry: behaves as the `F` inside.
template <field_type F>
class entry : public F {
 public:
  entry(record_access& outer, std::string_view of, crdt::shape map_type, bytes key)
      : entry_(outer, of, map_type, std::move(key)) {
    F::bind(entry_, of);
  }
  entry(const entry&) = delete;
  using F::operator=;

 private:
  entry_access entry_;  // a member: its names must not hide those of F
};

}  // namespace schema

template <class K, class V>
class map : public schema::entries_field {
 public:
  static_assert(crdt::value<K>,
                "joinery: the key of a map must be a value: bool, an integer, an enum, double, "
                "std::string, blob, an id, a "
                "time point, an optional or tuple of these, or a type with crdt::value_traits");
  static_assert(
      schema::field_type<V>,
      "joinery: a map holds fields: lww, mv, or_set, pn_counter, g_counter, tally, max_of, "
      "min_of, flag or map");
  static_assert(V::type().levels() < crdt::shape::max_levels,
                "joinery: maps nest at most three deep");
  static constexpr crdt::shape type() { return crdt::shape::map_of(V::type()); }
  static std::string values() {
    return std::string{crdt::value_traits<K>::name} + " " + V::values();
  }

  /// A handle of the entry under `key`, there or not; changing an absent one makes it. Valid while
  /// the map's is.
  [[nodiscard]] schema::entry<V> operator[](const K& key) const {
    return {access(), name(), type(), crdt::encode_value(key)};
  }
  /// Makes the entry when it is absent; on one that is there it is a touch.
  void create(const K& key) { at(key).create(); }
  /// Removes the entry; false when there is none.
  bool erase(const K& key) { return at(key).erase(); }
  [[nodiscard]] bool contains(const K& key) const { return at(key).alive(); }

  /// Calls `each(K)` for living entries in ascending order of keys; it may return false to stop,
  /// and read and change this record and others. Throws `failure` (type_mismatch) when a key is of
  /// another type.
  template <class F>
  void for_each_key(F&& each) const {
    walk({}, each);
  }
  /// The same for the keys from `first` on.
  template <class F>
  void for_each_key_from(const K& first, F&& each) const {
    walk(crdt::encode_value(first), each);
  }
  /// The keys of living entries, ascending.
  [[nodiscard]] std::vector<K> keys() const {
    std::vector<K> out;
    for_each_key([&](K key) { out.push_back(std::move(key)); });
    return out;
  }
  /// How many living entries; linear.
  [[nodiscard]] std::size_t size() const {
    std::size_t n = 0;
    walk_entries(type(), {}, [&](crdt::detail::entry e) {
      n += crdt::read_cell(e.payload).alive() ? 1 : 0;
      return true;
    });
    return n;
  }

 private:
  template <class F>
  void walk(const bytes& first, F& each) const {
    walk_entries(type(), first, [&](crdt::detail::entry e) {
      if (!crdt::read_cell(e.payload).alive()) return true;
      auto key = crdt::decode_value<K>(e.key);
      if (!key) mismatch();
      return go_on(each, std::move(*key));
    });
  }
  [[nodiscard]] schema::entry_access at(const K& key) const {
    return {access(), name(), type(), crdt::encode_value(key)};
  }
};

}  // namespace joinery
