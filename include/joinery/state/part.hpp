// part: a few entries of a large field, apart from its record.
//
// Purpose: an or_set, tally or map that has grown stands in the working set and in the snapshot
// entry by entry, beside its record, so that changing or asking one element touches that element
// alone. This header says what parts are called and where they are read from.
// Format: docs/format.md. A part is a state of the field: the entries whose elements begin with the
// same `part_cut` bytes, nearly always one. Its table index is the record's with the highest bit
// set; its key names record, field, generation and beginning.
// Invariants: parts in the order of their keys, one after the other, are the field's whole state. A
// generation is used once: parts of any other than the record names do not count, so that whoever
// drops a large field need not touch its entries.
// Thread-safety: values and pure functions.
#pragma once

#include <functional>

#include "joinery/base/built_key.hpp"
#include "joinery/base/cursor.hpp"
#include "joinery/base/shared_bytes.hpp"
#include "joinery/crdt/kind.hpp"
#include "joinery/state/names.hpp"

namespace joinery::state {

struct field_id {
  name_index name = 0;
  crdt::shape type;
  friend constexpr auto operator<=>(const field_id&, const field_id&) = default;
};

/// When a field was taken apart: all that came up to then is in its parts.
struct generation {
  static constexpr unsigned operation_bits = 22;

  std::uint32_t epoch = 0;  ///< of the store: grows when its log is written anew
  std::uint64_t made = 0;   ///< log position and number of an operation there; 0 is none

  [[nodiscard]] static constexpr generation at(std::uint32_t epoch, std::uint64_t position,
                                               std::uint64_t operation) noexcept {
    return {epoch, position << operation_bits | operation};
  }
  [[nodiscard]] constexpr std::uint64_t position() const noexcept { return made >> operation_bits; }
  constexpr explicit operator bool() const noexcept { return made != 0; }
  friend constexpr auto operator<=>(const generation&, const generation&) = default;
};

/// Of an element only so much stands in a part's key: a key has at most 511 bytes.
inline constexpr std::size_t part_cut = 64;
inline constexpr name_index parts_bit = 0x8000'0000;

constexpr name_index parts_of(name_index table) noexcept { return table | parts_bit; }
constexpr bool is_parts(name_index table) noexcept { return (table & parts_bit) != 0; }
constexpr name_index table_of(name_index parts) noexcept { return parts & ~parts_bit; }

/// Whether fields of this kind can be taken apart: those that are sorted entries.
constexpr bool has_entries(crdt::shape type) noexcept {
  const auto outer = type.outer();
  return outer == crdt::kind::or_set || outer == crdt::kind::tally || outer == crdt::kind::map;
}
/// How an element's part begins.
constexpr bytes_view beginning(bytes_view element) noexcept { return element.substr(0, part_cut); }

/// Whose parts.
struct part_group {
  name_index table = 0;  ///< the record's
  bytes_view key;        ///< the record's
  field_id field;
  generation made;
};

/// How the keys of all parts of a record begin.
inline bytes parts_prefix(bytes_view record_key) {
  bytes out;
  out.push_back(static_cast<char>(record_key.size() >> 8));
  out.push_back(static_cast<char>(record_key.size() & 0xFF));
  return out += record_key;
}
namespace detail {

inline std::size_t part_key_size(const part_group& g, bytes_view part) noexcept {
  return 2 + g.key.size() + 20 + part.size();
}
inline void write_part_key(const part_group& g, bytes_view part, char* to) noexcept {
  const auto put = [&](const void* from, std::size_t size) {
    if (size > 0) std::memcpy(to, from, size);
    to += size;
  };
  const auto put_number = [&](std::uint64_t number, std::size_t size) {
    const auto ordered = big_endian(number << (64 - 8 * size));
    put(&ordered, size);
  };
  put_number(g.key.size(), 2);
  put(g.key.data(), g.key.size());
  put_number(g.field.name, 4);
  put_number(g.field.type.code(), 4);
  put_number(g.made.epoch, 4);
  put_number(g.made.made, 8);
  put(part.data(), part.size());
}

}  // namespace detail

/// The key of the part that has the entry of `element`.
inline bytes part_key(const part_group& g, bytes_view element) {
  const auto part = beginning(element);
  bytes out(detail::part_key_size(g, part), '\0');
  detail::write_part_key(g, part, out.data());
  return out;
}
/// The same to look something up by.
inline built_key<128> short_part_key(const part_group& g, bytes_view element) {
  const auto part = beginning(element);
  return {detail::part_key_size(g, part), [&](char* to) { detail::write_part_key(g, part, to); }};
}
/// How the keys of the group's parts begin.
inline bytes parts_prefix(const part_group& g) { return part_key(g, {}); }

/// The group and the beginning that a part's key names; views into `key`.
inline std::optional<std::pair<part_group, bytes_view>> read_part_key(name_index parts,
                                                                      bytes_view key) {
  byte_reader in{key};
  part_group g;
  g.table = table_of(parts);
  const auto size = static_cast<std::size_t>(in.u8()) << 8;
  g.key = in.take(size | in.u8());
  const auto names = in.fixed64();
  g.field.name = static_cast<name_index>(names >> 32);
  g.field.type = crdt::shape::from_code(static_cast<std::uint32_t>(names));
  byte_reader epoch{in.take(4)};
  for (int n = 0; n < 4; ++n) g.made.epoch = g.made.epoch << 8 | epoch.u8();
  g.made.made = in.fixed64();
  if (!in.ok() || !g.field.type.valid()) return std::nullopt;
  return std::pair{g, in.rest()};
}

/// Where the parts of records are read from. Throws `failure` on read errors.
class part_source {
 public:
  /// Views are valid during the call.
  using visitor = std::function<bool(bytes_view beginning, bytes_view part)>;

  virtual ~part_source() = default;
  /// The part that has the entry of `element`, if there is one.
  virtual shared_bytes part(const part_group& of, bytes_view element) = 0;
  /// Visits the parts in order, from the one of `element` on, until `each` says false. `each` may
  /// read from here.
  virtual void for_each_part(const part_group& of, bytes_view element, const visitor& each) = 0;

 protected:
  part_source() = default;
  part_source(const part_source&) = default;
  part_source(part_source&&) = default;
  part_source& operator=(const part_source&) = default;
  part_source& operator=(part_source&&) = default;
};

}  // namespace joinery::state
