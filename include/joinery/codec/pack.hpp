// MessagePack, written and read within limits.
//
// Purpose: the envelope of changesets and session messages, so that any program with a MessagePack
// library can take them apart. `pack_writer` writes; `pack_reader` is pulled item by item.
// Invariants: a reader takes no memory, and accepts what its caller asks for and nothing else, in
// any of MessagePack's lengths; an array is never longer than what is left of the document. A
// document was right only when its reader is `finished()`. Its first fault is sticky, as in
// `byte_reader`.
// Thread-safety: none needed; both are short-lived values.
#pragma once

#include <cstdint>
#include <utility>

#include "joinery/base/cursor.hpp"

#include <msgpack/pack.hpp>

namespace joinery::codec {

// For whoever writes many things and knows how much room they take; shortest forms.

/// Writes a number to `to`, which has room for nine bytes, and gives its end.
inline char* write_u64(char* to, std::uint64_t v) noexcept {
  if (v < 0x80) return *to = static_cast<char>(v), to + 1;
  const unsigned steps = v < 0x100 ? 0 : v < 0x10000 ? 1 : v >> 32 == 0 ? 2 : 3;
  *to++ = static_cast<char>(0xCC + steps);
  for (auto i = 1u << steps; i-- > 0;) *to++ = static_cast<char>(v >> 8 * i);
  return to;
}
/// A length after the lead byte of its size, of which `first` is the least; takes five bytes.
inline char* write_length(char* to, unsigned first, std::size_t n) noexcept {
  if (n < 0x100) {
    to[0] = static_cast<char>(first);
    to[1] = static_cast<char>(n);
    return to + 2;
  }
  const unsigned steps = n < 0x10000 ? 1 : 2;
  *to++ = static_cast<char>(first + steps);
  for (auto i = 1u << steps; i-- > 0;) *to++ = static_cast<char>(n >> 8 * i);
  return to;
}
/// The head of an array; takes five bytes, as all lengths.
inline char* write_array(char* to, std::size_t n) noexcept {
  if (n < 16) return *to = static_cast<char>(0x90 | n), to + 1;
  const auto steps = n < 0x10000 ? 1u : 2u;
  *to++ = static_cast<char>(0xDB + steps);
  for (auto i = 1u << steps; i-- > 0;) *to++ = static_cast<char>(n >> 8 * i);
  return to;
}

/// Bytes without a head.
inline char* write_raw(char* to, bytes_view v) noexcept {
  if (!v.empty()) std::memcpy(to, v.data(), v.size());
  return to + v.size();
}
inline char* write_binary(char* to, bytes_view v) noexcept {
  return write_raw(write_length(to, 0xC4, v.size()), v);
}
inline char* write_text(char* to, std::string_view v) noexcept {
  if (v.size() >= 32) return write_raw(write_length(to, 0xD9, v.size()), v);
  *to = static_cast<char>(0xA0 | v.size());
  return write_raw(to + 1, v);
}

class pack_writer {
 public:
  explicit pack_writer(bytes& out) : sink_{out}, packer_(sink_) {}

  // What takes one byte, or a length of one, is written in place: nearly everything is short.

  void array(std::size_t n) {
    if (n < 16) return byte(0x90 | n);
    packer_.pack_array(static_cast<std::uint32_t>(n));
  }
  void u64(std::uint64_t value) {
    if (value < 0x80) return byte(value);
    packer_.pack_uint64(value);
  }
  void boolean(bool value) { value ? packer_.pack_true() : packer_.pack_false(); }
  void text(std::string_view value) {
    if (value.size() < 32)
      byte(0xA0 | value.size());
    else
      packer_.pack_str(static_cast<std::uint32_t>(value.size()));
    sink_.out.append(value.data(), value.size());
  }
  void binary(bytes_view value) {
    if (value.size() < 256)
      byte(0xC4), byte(value.size());
    else
      packer_.pack_bin(static_cast<std::uint32_t>(value.size()));
    sink_.out.append(value.data(), value.size());
  }

 private:
  struct sink {
    bytes& out;
    [[gnu::always_inline]] void write(const char* data, std::size_t n) { out.append(data, n); }
  };
  void byte(std::uint64_t value) { sink_.out.push_back(static_cast<char>(value)); }

  sink sink_;
  msgpack::packer<sink> packer_;
};

class pack_reader {
 public:
  explicit pack_reader(bytes_view data) noexcept : in_(data) {}

  [[nodiscard]] bool ok() const noexcept { return in_.ok(); }
  /// True when everything was read and nothing was wrong.
  [[nodiscard]] bool finished() const noexcept { return in_.finished(); }

  // Whoever merges spends its time in here: what is short is read in place.

  /// The length of the array that comes next; its items follow, each of at least a byte.
  [[gnu::always_inline]] std::size_t array() noexcept {
    const auto lead = in_.u8();
    const auto n = (lead & 0xF0) == 0x90 ? lead & 0x0Fu : sized(lead, 0xDC, 1);
    if (n > in_.left()) return fail(), std::size_t{0};
    return static_cast<std::size_t>(n);
  }
  /// As `array`, for one that must have `n` items.
  [[gnu::always_inline]] void array_of(std::size_t n) noexcept {
    if (array() != n) fail();
  }
  [[gnu::always_inline]] std::uint64_t u64() noexcept {
    const auto lead = in_.u8();
    return lead < 0x80 ? lead : sized(lead, 0xCC, 0, 3);
  }
  [[gnu::always_inline]] std::uint64_t u64_up_to(std::uint64_t limit) noexcept {
    const auto v = u64();
    if (v > limit) return fail(), std::uint64_t{0};
    return v;
  }
  /// Takes the next four numbers if each is of one byte.
  [[gnu::always_inline]] bool four_short(std::uint8_t (&out)[4]) noexcept {
    return in_.four_short(out);
  }
  bool boolean() noexcept {
    const auto lead = in_.u8();
    if ((lead & 0xFE) != 0xC2) return fail(), false;
    return lead == 0xC3;
  }
  /// Views into the document.
  [[gnu::always_inline]] std::string_view text() noexcept {
    const auto lead = in_.u8();
    return in_.take((lead & 0xE0) == 0xA0 ? lead & 0x1Fu : sized(lead, 0xD9, 0));
  }
  [[gnu::always_inline]] bytes_view binary() noexcept {
    const auto lead = in_.u8();
    return in_.take(lead == 0xC4 ? in_.u8() : sized(lead, 0xC4, 0));
  }

  void fail() noexcept { in_.fail(); }

 private:
  [[gnu::always_inline]] std::uint64_t sized(std::uint8_t lead, std::uint8_t first,
                                             unsigned narrowest, unsigned widest = 2) noexcept {
    const auto [value, rest] = number(in_, lead, first, narrowest, widest);
    in_ = rest;
    return value;
  }
  // The number after a lead byte, big-endian: 2^narrowest bytes long for `first`, twice as long for
  // each lead byte above it, up to 2^widest. Not of the reader itself, which can stay in registers
  // like this.
  [[gnu::noinline]] static std::pair<std::uint64_t, byte_reader> number(byte_reader in,
                                                                        std::uint8_t lead,
                                                                        std::uint8_t first,
                                                                        unsigned narrowest,
                                                                        unsigned widest) noexcept {
    const auto steps = static_cast<unsigned>(lead) - first + narrowest;
    if (lead < first || steps > widest) return in.fail(), std::pair{std::uint64_t{0}, in};
    std::uint64_t value = 0;
    for (const char c : in.take(1u << steps)) value = value << 8 | static_cast<std::uint8_t>(c);
    return {value, in};
  }

  byte_reader in_;
};

}  // namespace joinery::codec
