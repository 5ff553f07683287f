// 128-bit identifiers, one type for each use.
//
// Purpose: replica and space ids that cannot be confused with one another.
// Invariants: ordered as unsigned bytes; all zeros means "none".
// Thread-safety: values.
#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <optional>

#include "joinery/base/bytes.hpp"

namespace joinery {

template <class Tag>
struct id128 {
  std::array<unsigned char, 16> data{};

  friend constexpr auto operator<=>(const id128&, const id128&) = default;

  [[nodiscard]] bool is_none() const noexcept { return *this == id128{}; }
  /// The sixteen bytes themselves; valid while this id lives.
  [[nodiscard]] bytes_view view() const noexcept {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }
  [[nodiscard]] std::string hex() const { return to_hex(view()); }

  /// From exactly sixteen bytes.
  static std::optional<id128> from_bytes(bytes_view raw) noexcept {
    if (raw.size() != 16) return std::nullopt;
    id128 out;
    std::memcpy(out.data.data(), raw.data(), 16);
    return out;
  }
  /// From 32 hexadecimal digits, as `hex` writes them; upper case is taken too.
  static std::optional<id128> from_hex(std::string_view text) noexcept {
    if (text.size() != 32) return std::nullopt;
    const auto digit = [](char c) {
      if (c >= '0' && c <= '9') return c - '0';
      if (c >= 'a' && c <= 'f') return c - 'a' + 10;
      return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    id128 out;
    for (std::size_t i = 0; i < out.data.size(); ++i) {
      const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
      if (high < 0 || low < 0) return std::nullopt;
      out.data[i] = static_cast<unsigned char>(high << 4 | low);
    }
    return out;
  }
};

}  // namespace joinery

template <class Tag>
struct std::hash<joinery::id128<Tag>> {
  std::size_t operator()(const joinery::id128<Tag>& id) const noexcept {
    std::uint64_t lo, hi;
    std::memcpy(&lo, id.data.data(), 8);
    std::memcpy(&hi, id.data.data() + 8, 8);
    return static_cast<std::size_t>(lo ^ hi * 0x9E3779B97F4A7C15ull);
  }
};
