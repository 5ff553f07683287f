// input: decisions drawn from a fuzzer's bytes.
//
// Purpose: structured fuzzing: each decision takes a few bytes from the front, so that a mutation
// of one byte changes one decision. At the end of the bytes all decisions are 0, and loops over
// `more` stop.
// Invariants: never fails, never leaves its bytes. Several decisions for the arguments of one call
// are drawn one after the other: compilers differ in the order of arguments.
// Thread-safety: none needed; a value.
#pragma once

#include <algorithm>

#include "fuzz/support/target.hpp"

namespace fuzz {

class input {
 public:
  explicit input(bytes_view data) noexcept : left_(data) {}

  [[nodiscard]] bool more() const noexcept { return !left_.empty(); }
  [[nodiscard]] bytes_view rest() const noexcept { return left_; }

  std::uint8_t u8() noexcept {
    if (left_.empty()) return 0;
    const auto out = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return out;
  }
  std::uint16_t u16() noexcept {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint64_t u64() noexcept {
    std::uint64_t out = 0;
    for (int n = 0; n < 8; ++n) out = out << 8 | u8();
    return out;
  }
  /// A number: nearly always small, now and then any.
  std::uint64_t number() noexcept {
    const auto n = u8();
    if (n < 0xF0) return n;
    return u64() >> (4 * (n & 0x0F));
  }
  /// One of 0 … n − 1.
  std::size_t below(std::size_t n) noexcept { return n < 2 ? 0 : u8() % n; }
  bool chance(unsigned of_256) noexcept { return u8() >= 256 - std::min(of_256, 256u); }

  bytes_view take(std::size_t n) noexcept {
    const auto out = left_.substr(0, n);
    left_.remove_prefix(out.size());
    return out;
  }
  /// A length of one byte (two when it is 255), and so much.
  bytes_view block() noexcept {
    std::size_t n = u8();
    if (n == 255) n += u16();
    return take(n);
  }
  template <class Items>
  const auto& pick(const Items& items) {
    return *std::next(std::begin(items), static_cast<std::ptrdiff_t>(below(std::size(items))));
  }

 private:
  bytes_view left_;
};

/// As `input::block` reads it.
inline void write_block(bytes& out, bytes_view data) {
  const auto size = std::min<std::size_t>(data.size(), 255 + 0xFFFF);
  if (size < 255) {
    out.push_back(static_cast<char>(size));
  } else {
    out.push_back('\xFF');
    out.push_back(static_cast<char>((size - 255) >> 8));
    out.push_back(static_cast<char>((size - 255) & 0xFF));
  }
  out.append(data.substr(0, size));
}

}  // namespace fuzz
