// Keys and sealed values: how entries are named and protected.
//
// Purpose: every area but the indexes holds values with a checksum that is bound to their key, and
// most keys are numbers.
// Keys: big-endian, so that they order as their numbers.
// Invariants: a value that is damaged, or stands under another key, is errc::checksum.
// Thread-safety: as the view or writer that is passed in.
#pragma once

#include "joinery/causal/dot.hpp"
#include "joinery/codec/checksum.hpp"
#include "joinery/history/storage_rules.hpp"

namespace joinery::history {

using causal::dot;

inline bytes position_key(std::uint64_t position) {
  bytes key;
  byte_writer{key}.fixed64(position);
  return key;
}
inline std::uint64_t position_of(bytes_view key) { return byte_reader{key}.fixed64(); }

/// A big-endian 32-bit index as a key, or the start of one.
inline bytes index_key(std::uint32_t index) {
  bytes key;
  for (int shift = 24; shift >= 0; shift -= 8)
    key.push_back(static_cast<char>(static_cast<std::uint8_t>(index >> shift)));
  return key;
}
inline std::uint32_t index_of(bytes_view key) {
  std::uint32_t index = 0;
  for (const char c : key.substr(0, 4)) index = index << 8 | static_cast<std::uint8_t>(c);
  return index;
}

/// What a key has after its index; nothing when it is too short for one, as in a forged store.
inline bytes_view after_index(bytes_view key) {
  return key.substr(key.size() < 4 ? key.size() : 4);
}

inline bytes dot_key(dot d) {
  auto key = index_key(d.replica);
  byte_writer{key}.fixed64(d.seq);
  return key;
}

/// Puts `content` under `key`, with its checksum.
template <storage_writer W>
void put_sealed(W& to, area where, bytes_view key, bytes_view content) {
  to.put(where, key, codec::sealed(static_cast<std::uint8_t>(where), key, content));
}

/// The same of a content of about `size` bytes that `write(bytes&)` appends: it is sealed where it
/// is, and taken over by a storage that keeps values as they are given.
template <storage_writer W, class F>
void put_sealed_in_place(W& to, area where, bytes_view key, std::size_t size, F&& write) {
  bytes value;
  value.reserve(8 + size);
  value.assign(8, '\0');
  write(value);
  codec::seal(static_cast<std::uint8_t>(where), key, value);
  to.put(where, key, std::move(value));
}

inline error damaged_entry(area where, bytes_view key) {
  return {errc::checksum, "a stored entry is damaged",
          std::string{name_of(where)} + " entry 0x" + to_hex(key),
          "restore the store from a backup, or sync into a new one"};
}

/// Takes the checksum off a value that was read from `where`.
inline result<bytes_view> open_sealed(area where, bytes_view key, bytes_view value) {
  if (const auto content = codec::unsealed(static_cast<std::uint8_t>(where), key, value))
    return *content;
  return damaged_entry(where, key);
}

template <storage_view V>
result<std::optional<bytes_view>> get_sealed(V& from, area where, bytes_view key) {
  const auto value = from.get(where, key);
  if (!value) return std::optional<bytes_view>{};
  auto content = open_sealed(where, key, *value);
  if (!content) return content.error();
  return std::optional<bytes_view>{*content};
}

}  // namespace joinery::history
