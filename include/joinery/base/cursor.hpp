// Bounded cursors over bytes: `byte_reader` and `byte_writer`.
//
// Purpose: the only way joinery takes packed bytes apart. Integers are LEB128 varints (shortest
// form only), signed ones zigzag-mapped; fixed ones big-endian, so that byte order is number order.
// Invariants: a reader never leaves its bytes. Its first fault is sticky: from then on it is not
// `ok()`, reads give zeros and empties, and it stands at its end, so that loops over it stop.
// Thread-safety: none needed; both are short-lived values.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "joinery/base/byte_buffer.hpp"

namespace joinery {

/// A number whose bytes in memory are in big-endian order, and back.
constexpr std::uint64_t big_endian(std::uint64_t value) noexcept {
  return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}

class byte_reader {
 public:
  explicit byte_reader(bytes_view data) noexcept
      : begin_(data.data()), at_(data.data()), end_(data.data() + data.size()) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool at_end() const noexcept { return at_ == end_; }
  /// True when everything was read and nothing was wrong.
  [[nodiscard]] bool finished() const noexcept { return ok_ && at_end(); }
  [[nodiscard]] std::size_t position() const noexcept {
    return static_cast<std::size_t>(at_ - begin_);
  }
  [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  /// What has not been read yet.
  [[nodiscard]] bytes_view rest() const noexcept { return {at_, left()}; }

  std::uint8_t u8() noexcept {
    if (at_ == end_) return fail(), std::uint8_t{0};
    return static_cast<std::uint8_t>(*at_++);
  }

  // Whoever merges spends its time in here: what is short is read in place.

  [[gnu::always_inline]] std::uint64_t varint() noexcept {
    if (at_ == end_) return fail(), std::uint64_t{0};
    const auto first = static_cast<std::uint8_t>(*at_);
    if (first < 0x80) return ++at_, first;
    if (end_ - at_ > 1)
      if (const auto second = static_cast<std::uint8_t>(at_[1]); second - 1u < 0x7F)
        return at_ += 2, static_cast<std::uint64_t>(first & 0x7F) | std::uint64_t{second} << 7;
    const auto found = long_varint(at_, end_);
    if (found.end == nullptr) return fail(), std::uint64_t{0};
    at_ = found.end;
    return found.value;
  }
  /// Takes the next two varints if both are of one byte.
  [[gnu::always_inline]] bool two_short(std::uint8_t& a, std::uint8_t& b) noexcept {
    if (end_ - at_ < 2 || ((at_[0] | at_[1]) & 0x80) != 0) return false;
    a = static_cast<std::uint8_t>(at_[0]);
    b = static_cast<std::uint8_t>(at_[1]);
    at_ += 2;
    return true;
  }

  /// Takes the next four bytes if none is above 0x7F.
  [[gnu::always_inline]] bool four_short(std::uint8_t (&out)[4]) noexcept {
    std::uint32_t all = 0;
    if (left() < sizeof all) return false;
    std::memcpy(&all, at_, sizeof all);
    if ((all & 0x80808080) != 0) return false;
    std::memcpy(out, at_, sizeof all);
    at_ += sizeof all;
    return true;
  }

  /// A varint that must be at most `limit`.
  [[gnu::always_inline]] std::uint64_t varint_up_to(std::uint64_t limit) noexcept {
    const auto value = varint();
    if (value > limit) return fail(), std::uint64_t{0};
    return value;
  }

  [[gnu::always_inline]] std::int64_t zigzag() noexcept {
    const auto u = varint();
    return static_cast<std::int64_t>(u >> 1) ^ -static_cast<std::int64_t>(u & 1);
  }

  std::uint64_t fixed64() noexcept {
    if (left() < 8) return fail(), std::uint64_t{0};
    std::uint64_t ordered = 0;
    std::memcpy(&ordered, at_, sizeof ordered);
    at_ += sizeof ordered;
    return big_endian(ordered);
  }

  /// The next `n` bytes.
  [[gnu::always_inline]] bytes_view take(std::uint64_t n) noexcept {
    if (n > left()) return fail(), bytes_view{};
    const bytes_view out{at_, static_cast<std::size_t>(n)};
    at_ += n;
    return out;
  }

  /// A varint length, then that many bytes.
  [[gnu::always_inline]] bytes_view block() noexcept { return take(varint()); }

  void fail() noexcept {
    ok_ = false;
    at_ = end_;
  }

 private:
  struct long_number {
    std::uint64_t value;
    const char* end;  // null: it is none
  };
  // Not of the reader itself, which can stay in registers like this.
  [[gnu::noinline]] static long_number long_varint(const char* at, const char* end) noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at == end) break;
      const auto byte = static_cast<std::uint8_t>(*at++);
      if (shift == 63 && byte > 1) break;  // above 64 bits
      if (shift > 0 && byte == 0) break;   // not the shortest form
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return {value, at};
    }
    return {0, nullptr};
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

inline constexpr std::size_t max_varint = 10;

/// Small magnitudes as small numbers.
constexpr std::uint64_t zigzag_of(std::int64_t value) noexcept {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}

/// Writes a varint where there is room for one, and gives its length.
[[gnu::always_inline]] inline std::size_t put_varint(char* to, std::uint64_t value) noexcept {
  if (value < 0x80) return *to = static_cast<char>(value), 1;
  to[0] = static_cast<char>(value | 0x80);
  if (value < 0x4000) return to[1] = static_cast<char>(value >> 7), 2;
  std::size_t n = 1;
  for (value >>= 7; value >= 0x80; value >>= 7) to[n++] = static_cast<char>(value | 0x80);
  to[n++] = static_cast<char>(value);
  return n;
}

/// Appends to bytes that outlive it: a string, or a `byte_buffer`.
template <class Out>
class basic_byte_writer {
 public:
  explicit basic_byte_writer(Out& out) noexcept : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void varint(std::uint64_t value) {
    if constexpr (requires { out_.room(max_varint); }) {
      out_.added(put_varint(out_.room(max_varint), value));
    } else {
      for (; value >= 0x80; value >>= 7) u8(static_cast<std::uint8_t>(value | 0x80));
      u8(static_cast<std::uint8_t>(value));
    }
  }
  void zigzag(std::int64_t value) { varint(zigzag_of(value)); }
  void fixed64(std::uint64_t value) {
    const auto ordered = big_endian(value);
    out_.append(reinterpret_cast<const char*>(&ordered), sizeof ordered);
  }
  void raw(bytes_view data) { out_.append(data); }
  void block(bytes_view data) {
    varint(data.size());
    out_.append(data);
  }
  /// As `byte_buffer`'s, for whoever writes several things at once.
  [[nodiscard]] char* room(std::size_t n) { return out_.room(n); }
  void added(std::size_t n) noexcept { out_.added(n); }

 private:
  Out& out_;
};
using byte_writer = basic_byte_writer<bytes>;
using buffer_writer = basic_byte_writer<byte_buffer>;

/// Puts a varint of `value` before the bytes of `out` from `at` on, where a byte was left for it:
/// for blocks whose length is known only when they are written.
inline void fill_in_length(byte_buffer& out, std::size_t at, std::uint64_t value) {
  if (value < 0x80) {
    out[at] = static_cast<char>(value);
    return;
  }
  char length[max_varint];
  const auto size = put_varint(length, value);
  out.replace(at, 1, {length, size});
}

/// How many bytes `varint(value)` takes.
constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  std::size_t n = 1;
  while (value >= 0x80) value >>= 7, ++n;
  return n;
}

}  // namespace joinery
