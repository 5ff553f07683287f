// row_access: the record behind a row.
//
// Purpose: shows a packed record to a struct's handles, by the names that its replica gave them.
// Invariants: reading only; writing through it throws `failure` (read_only). Large fields are read
// from where they are when they are asked. The record's bytes are owned, or outlast it.
// Thread-safety: as what it was made from.
#pragma once

#include <algorithm>
#include <concepts>

#include "joinery/replica/ports.hpp"
#include "joinery/state/large_field.hpp"

namespace joinery::detail {

class row_access final : public row_record {
 public:
  row_access(std::string_view table, bytes_view key, shared_bytes packed,
             const state::name_table& names, const causal::roster& replicas,
             state::part_source* parts, std::shared_ptr<const void> keeps = nullptr)
      : row_access(table, key, packed.view(), names, replicas, parts, std::move(keeps)) {
    owned_ = std::move(packed);
  }
  row_access(std::string_view table, bytes_view key, bytes_view packed,
             const state::name_table& names, const causal::roster& replicas,
             state::part_source* parts, std::shared_ptr<const void> keeps = nullptr)
      : table_(table),
        key_(key),
        packed_(packed),
        names_(names),
        replicas_(replicas),
        parts_(parts),
        keeps_(std::move(keeps)) {}

  [[nodiscard]] bytes_view key() const noexcept override { return key_; }

  bytes_view state(std::string_view field, crdt::shape type) override {
    const auto found = find(field, type);
    if (!found.parts) return found.state;
    throw failure({errc::too_large, "a large field in one piece",
                   where() + " field " + std::string{field}, "read it entry by entry"});
  }
  schema::part_of_field part(std::string_view field, crdt::shape type,
                             bytes_view element) override {
    const auto found = find(field, type);
    if (!found.parts) return {{}, found.state};
    schema::part_of_field out{parts_->part(group(found), element), {}};
    out.state = out.keeps;
    return out;
  }
  void for_each_part(std::string_view field, crdt::shape type, bytes_view element,
                     const part_visitor& each) override {
    const auto found = find(field, type);
    if (!found.parts) {
      each(found.state);
      return;
    }
    parts_->for_each_part(group(found), element,
                          [&](bytes_view, bytes_view part) { return each(part); });
  }
  void change(std::string_view field, crdt::shape, bytes) override {
    throw failure({errc::read_only, "a change outside a write transaction",
                   where() + " field " + std::string{field}, "make it inside replica::write"});
  }
  [[nodiscard]] const causal::roster& replicas() const override { return replicas_; }
  [[nodiscard]] causal::replica_index self() const override { return 0; }
  [[nodiscard]] std::string where() const override {
    return std::string{table_} + "[" + printable(key_) + "]";
  }

  /// A key for messages: as it is when it is printable, in hexadecimal when not.
  static std::string printable(bytes_view key) {
    const bool plain = std::all_of(key.begin(), key.end(), [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F;
    });
    return plain ? "\"" + std::string{key} + "\"" : "0x" + to_hex(key);
  }

 private:
  [[nodiscard]] state::packed_field find(std::string_view field, crdt::shape type) const {
    const auto name = names_.find(field);
    if (!name) return {};
    return state::find_field(crdt::read_cell(packed_).value, {*name, type});
  }
  [[nodiscard]] state::part_group group(const state::packed_field& f) const {
    return {names_.find(table_).value_or(0), key_, f.id, f.parts};
  }

  std::string_view table_;
  short_bytes key_;
  shared_bytes owned_;
  bytes_view packed_;
  const state::name_table& names_;
  const causal::roster& replicas_;
  state::part_source* parts_;          // null where no field is large
  std::shared_ptr<const void> keeps_;  // whatever owns these, when the replica does not
};

/// Shows the living records of a table to `each`, as what `access(key, packed)` makes of them.
template <class From, class Access>
void show_living(From&& from, std::string_view table, bytes_view start,
                 function_ref<bool(row_record&)> each, Access&& access) {
  from.for_each(table, start,
                [&](bytes_view key, bytes_view packed) {
                  if (!crdt::read_cell(packed).alive()) return true;
                  row_access row = access(key, packed);
                  return each(row);
                })
      .value();
}

/// Where the large fields of `from`'s records are read; null for who has none.
template <class From>
state::part_source* parts_in(From& from) {
  if constexpr (std::derived_from<From, state::part_source>)
    return &from;
  else
    return nullptr;
}

}  // namespace joinery::detail
