// Bytes: how joinery carries raw data.
//
// Purpose: one owning and one viewing type for byte strings. `std::string` is used on purpose:
// small values stay inline, and its ordering is that of unsigned bytes, which is joinery's order of
// values.
// Invariants: none; a `bytes_view` never owns what it shows.
// Thread-safety: as the standard types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace joinery {

using bytes = std::string;
using bytes_view = std::string_view;

/// Lower-case hexadecimal of `data`, two digits a byte.
inline std::string to_hex(bytes_view data) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(data.size() * 2);
  for (const char c : data) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15]);
  }
  return out;
}

/// What a block of so many bytes takes on the heap, as most allocators have it: with a word of
/// theirs, in steps of two words, and never less than two steps.
constexpr std::size_t on_heap(std::size_t size) noexcept {
  constexpr std::size_t word = sizeof(void*), step = 2 * word;
  const auto whole = (size + word + step - 1) / step * step;
  return size == 0 ? 0 : whole < 2 * step ? 2 * step : whole;
}

}  // namespace joinery
