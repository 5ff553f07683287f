// Checksums against accidents (XXH3, 64 bits), bound to where the bytes belong.
//
// Purpose: what joinery stores or sends carries a checksum of its content *and its key*, so that
// bit rot and a value written to the wrong place are both found. Forgery is the business of
// crypto/.
// Invariants: a sealed value is fixed64 checksum, then the content.
// Thread-safety: pure functions.
#pragma once

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "joinery/base/cursor.hpp"

namespace joinery::codec {

inline std::uint64_t checksum(bytes_view data, std::uint64_t seed = 0) {
  return XXH3_64bits_withSeed(data.data(), data.size(), seed);
}

/// The checksum of `content` as the value of `key` in the key space `place`.
inline std::uint64_t checksum_at(std::uint8_t place, bytes_view key, bytes_view content) {
  return checksum(content, checksum(key, place));
}

inline bytes sealed(std::uint8_t place, bytes_view key, bytes_view content) {
  bytes out;
  out.reserve(content.size() + 8);
  byte_writer w{out};
  w.fixed64(checksum_at(place, key, content));
  w.raw(content);
  return out;
}

/// Seals `value` in place: eight bytes, and the content behind them.
inline void seal(std::uint8_t place, bytes_view key, bytes& value) {
  auto sum = checksum_at(place, key, bytes_view{value}.substr(8));
  for (std::size_t i = 8; i-- > 0; sum >>= 8) value[i] = static_cast<char>(sum);
}

/// The content of a sealed value, a view into it; nothing when it is damaged or belongs elsewhere.
inline std::optional<bytes_view> unsealed(std::uint8_t place, bytes_view key, bytes_view value) {
  byte_reader in{value};
  const auto expected = in.fixed64();
  if (!in.ok() || expected != checksum_at(place, key, in.rest())) return std::nullopt;
  return in.rest();
}
/// The same unexamined, for whoever checks what becomes of it; empty when there is none.
inline bytes_view unexamined(bytes_view value) {
  return value.substr(std::min<std::size_t>(value.size(), 8));
}

}  // namespace joinery::codec
