// Index keys: how an entry of an index is named in the storage.
//
// Purpose: fixed32 index id ‖ value, escaped ‖ end ‖ record key, in an order that is the order of
// (value, record key). Within the value each 00 is followed by FF; the end is 00 01. Keys of a
// storage are short: of a longer value only the beginning stands in the key, its end is 00 02, and
// the whole value is the entry's content.
// Invariants: entries of one cut beginning are neighbours, in the order of their record keys;
// whoever reads them puts them in the order of their values.
// Thread-safety: pure functions.
#pragma once

#include <optional>

#include "joinery/base/cursor.hpp"
#include "joinery/state/index_entry.hpp"

namespace joinery::state {

namespace detail {

// 4 for the id, 2 for the end, up to 400 for the record's key: 511 is what LMDB allows.
inline constexpr std::size_t max_index_value = 104;

struct escaped_value {
  bytes data;
  bool cut = false;
};
inline escaped_value escape_index_value(bytes_view value) {
  escaped_value out;
  for (const char c : value) {
    const std::size_t width = c == '\0' ? 2 : 1;
    if (out.data.size() + width > max_index_value) {
      out.cut = true;
      break;
    }
    out.data.push_back(c);
    if (c == '\0') out.data.push_back('\xFF');
  }
  return out;
}

inline bytes index_prefix(std::uint32_t id) {
  bytes out;
  byte_writer w{out};
  for (int shift = 24; shift >= 0; shift -= 8) w.u8(static_cast<std::uint8_t>(id >> shift));
  return out;
}

}  // namespace detail

/// An entry as it is stored: the whole value stands in the content when it is cut in the key.
struct stored_entry {
  bytes key;
  bytes content;
};
inline stored_entry index_storage_entry(std::uint32_t id, bytes_view value, bytes_view key) {
  auto escaped = detail::escape_index_value(value);
  stored_entry out{detail::index_prefix(id) + escaped.data, {}};
  out.key.push_back('\0');
  out.key.push_back(escaped.cut ? '\2' : '\1');
  out.key += key;
  if (escaped.cut) out.content = bytes{value};
  return out;
}

/// Where the entries begin whose values are `value` or begin with it; none of a lower value comes
/// after it but such as share the same cut beginning.
inline bytes index_lower_bound(std::uint32_t id, bytes_view value) {
  return detail::index_prefix(id) + detail::escape_index_value(value).data;
}
/// Behind the last entry whose value is `value`, begins with it, or is lower.
inline bytes index_upper_bound(std::uint32_t id, bytes_view value) {
  auto out = index_lower_bound(id, value);
  while (!out.empty() && out.back() == '\xFF') out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<unsigned char>(out.back()) + 1);
  return out;
}

/// A storage key taken apart.
struct index_key_parts {
  bytes value;       ///< or the beginning of it
  bool cut = false;  ///< only the beginning
  bytes_view key;
};
inline std::optional<index_key_parts> read_index_key(bytes_view full) {
  byte_reader in{full};
  in.take(4);
  index_key_parts out;
  while (in.ok()) {
    const auto c = in.u8();
    if (c != 0) {
      out.value.push_back(static_cast<char>(c));
      continue;
    }
    const auto mark = in.u8();
    if (mark == 0xFF) {
      out.value.push_back('\0');
      continue;
    }
    if (!in.ok() || (mark != 1 && mark != 2)) break;
    out.cut = mark == 2;
    out.key = in.rest();
    return out;
  }
  return std::nullopt;
}

}  // namespace joinery::state
