// Comparing keys and names: most are short, or differ in their first bytes, and are told in place.
//
// Purpose: what would be a call for each of many.
// Invariants: the same answers as of the strings' own comparisons.
// Thread-safety: pure functions.
#pragma once

#include "joinery/base/cursor.hpp"

namespace joinery {

/// The first eight bytes of a key as a number: where two differ, the keys do in the same order.
[[gnu::always_inline]] inline std::uint64_t first_bytes(bytes_view key) noexcept {
  std::uint64_t raw = 0;
  if (key.size() >= sizeof raw)
    std::memcpy(&raw, key.data(), sizeof raw);
  else if (!key.empty())
    std::memcpy(&raw, key.data(), key.size());
  return big_endian(raw);
}

/// Whether `a` comes before `b`, byte by byte; most are told from their first ones.
inline bool comes_before(bytes_view a, bytes_view b) noexcept {
  if (a.size() >= 8 && b.size() >= 8)
    if (const auto x = first_bytes(a), y = first_bytes(b); x != y) return x < y;
  return a < b;
}

/// As `a.compare(b)`. What stands behind the type of an encoded value decides nearly always.
[[gnu::always_inline]] inline int compare_keys(bytes_view a, bytes_view b) {
  const auto two = [](bytes_view key) {
    return static_cast<std::uint8_t>(key[0]) << 8 | static_cast<std::uint8_t>(key[1]);
  };
  if (a.size() > 1 && b.size() > 1 && two(a) != two(b)) return two(a) - two(b);
  return a.compare(b);
}

/// Both ends of a string of up to 16 bytes: with its size they say all of it.
struct string_ends {
  [[gnu::always_inline]] explicit string_ends(bytes_view s) noexcept {
    const char* const p = s.data();
    const auto n = s.size();
    if (n >= 8) {
      std::memcpy(&first, p, sizeof first);
      std::memcpy(&last, p + n - sizeof last, sizeof last);
    } else if (n >= 4) {
      std::uint32_t a = 0, b = 0;
      std::memcpy(&a, p, sizeof a);
      std::memcpy(&b, p + n - sizeof b, sizeof b);
      first = a;
      last = b;
    } else if (n > 0) {
      const auto byte = [&](std::size_t i) {
        return std::uint64_t{static_cast<unsigned char>(p[i])};
      };
      first = byte(0) | byte(n / 2) << 8 | byte(n - 1) << 16;
    }
  }
  friend bool operator==(const string_ends& a, const string_ends& b) noexcept {
    return a.first == b.first && a.last == b.last;
  }

  std::uint64_t first = 0;
  std::uint64_t last = 0;
};
inline constexpr std::size_t told_by_ends = 16;

/// Whether two strings are the same; most are short, and told without a call.
inline bool same_bytes(bytes_view a, bytes_view b) noexcept {
  if (a.size() != b.size()) return false;
  return a.size() <= told_by_ends ? string_ends{a} == string_ends{b} : a == b;
}

}  // namespace joinery
