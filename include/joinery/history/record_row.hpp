// record_row: a record of the snapshot, as it is stored.
//
// Purpose: each record, and each part of a large field, stands with the log position that it stands
// for, and with its number, by which entries of the log name it (record_numbers.hpp).
// Keys: `records` has fixed32 table index, key → sealed varint 2 × position, and with a number 1
// more and varint number, packed record. `local` has its records in the same form, and stands for
// no position.
// Invariants: a part and a local record have no number; a number too high, as in a forged store,
// counts as none.
// Thread-safety: as the view or writer that is passed in.
#pragma once

#include "joinery/base/built_key.hpp"
#include "joinery/history/sealed.hpp"

namespace joinery::history {

/// Numbers are below this: records beyond have none, and entries name them in full.
inline constexpr std::uint32_t most_numbers = 1u << 16;

namespace detail {

inline void write_record_key(std::uint32_t table, bytes_view key, char* to) noexcept {
  for (std::size_t i = 0; i < 4; ++i)
    to[i] = static_cast<char>(static_cast<std::uint8_t>(table >> (24 - 8 * i)));
  key.copy(to + 4, key.size());
}

}  // namespace detail

inline bytes record_key(std::uint32_t table, bytes_view key) {
  bytes full(4 + key.size(), '\0');
  detail::write_record_key(table, key, full.data());
  return full;
}
/// The same to look something up by.
inline built_key<68> short_record_key(std::uint32_t table, bytes_view key) {
  return {4 + key.size(), [&](char* to) { detail::write_record_key(table, key, to); }};
}

template <storage_writer W>
void put_record(W& to, std::uint32_t table, bytes_view key, std::uint64_t position,
                std::uint32_t number, bytes_view packed, area where = area::records) {
  bytes content;
  byte_writer w{content};
  w.varint(2 * position + (number != 0 ? 1 : 0));
  if (number != 0) w.varint(number);
  w.raw(packed);
  put_sealed(to, where, record_key(table, key), content);
}

/// The same for a part of a large field: an empty one is not stored.
template <storage_writer W>
void put_part(W& to, std::uint32_t parts, bytes_view key, std::uint64_t position,
              bytes_view packed) {
  if (packed.empty())
    to.erase(area::records, record_key(parts, key));
  else
    put_record(to, parts, key, position, 0, packed);
}

struct record_content {
  std::uint64_t position = 0;
  std::uint32_t number = 0;
  bytes_view packed;
};
/// A record's content; nothing when it is damaged.
inline std::optional<record_content> unsealed_record(bytes_view key, bytes_view value,
                                                     area where = area::records) {
  const auto content = codec::unsealed(static_cast<std::uint8_t>(where), key, value);
  if (!content) return std::nullopt;
  byte_reader in{*content};
  record_content r;
  const auto position = in.varint();
  r.position = position / 2;
  const auto number = (position & 1) != 0 ? in.varint() : 0;
  if (number < most_numbers) r.number = static_cast<std::uint32_t>(number);
  r.packed = in.rest();
  return r;
}
inline result<record_content> open_record(bytes_view key, bytes_view value,
                                          area where = area::records) {
  if (const auto content = unsealed_record(key, value, where)) return *content;
  return damaged_entry(where, key);
}

}  // namespace joinery::history
