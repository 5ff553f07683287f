// Bits: a string of bits, written and read from the lowest of each byte up.
//
// Purpose: what the transit form of changesets is made of.
// Invariants: a reader never looks beyond its bytes: there it reads zeros, and `overrun()` says so.
// Thread-safety: none needed; both are short-lived values.
#pragma once

#include <bit>
#include <cstring>

#include "joinery/base/bytes.hpp"

namespace joinery::codec::transit {

namespace detail {

inline std::uint64_t load_word(const char* at) noexcept {
  std::uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, at, sizeof word);
  } else {
    for (unsigned i = 0; i < 8; ++i)
      word |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << 8 * i;
  }
  return word;
}

inline void store_word(char* at, std::uint64_t word) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(at, &word, sizeof word);
  } else {
    for (unsigned i = 0; i < 8; ++i) at[i] = static_cast<char>(word >> 8 * i);
  }
}

constexpr std::uint64_t low_bits(unsigned n) noexcept { return (std::uint64_t{1} << n) - 1; }

}  // namespace detail

class bit_writer {
 public:
  /// The most bits that one call takes.
  static constexpr unsigned most = 56;

  /// Appends the lowest `n` bits of `value`. Precondition: `n <= most`, and no higher bit is set.
  [[gnu::always_inline]] void put(std::uint64_t value, unsigned n) {
    if (filled_ + n >= 64) store();
    word_ |= value << filled_;
    filled_ += n;
  }
  void put_long(std::uint64_t value, unsigned n) {
    if (n <= most) return put(value, n);
    put(value & detail::low_bits(32), 32);
    put(value >> 32, n - 32);
  }

  /// How many bits there are.
  [[nodiscard]] std::size_t size() const noexcept { return 8 * used_ + filled_; }

  /// A place to go back to.
  struct mark {
    std::size_t used;
    std::uint64_t word;
    unsigned filled;
  };
  [[nodiscard]] mark here() const noexcept { return {used_, word_, filled_}; }
  void back_to(const mark& m) noexcept {
    used_ = m.used;
    word_ = m.word;
    filled_ = m.filled;
  }

  /// Appends all of `other`.
  void append(bit_writer& other) {
    other.store();
    std::size_t at = 0;
    for (; at + most / 8 <= other.used_; at += most / 8)
      put(detail::load_word(other.out_.data() + at) & detail::low_bits(most), most);
    for (; at < other.used_; ++at) put(static_cast<unsigned char>(other.out_[at]), 8);
    put(other.word_, other.filled_);
  }

  /// The bytes, the last one filled up with zeros. Valid until the next call.
  [[nodiscard]] bytes_view view() {
    store();
    return bytes_view{out_}.substr(0, used_ + (filled_ > 0 ? 1 : 0));
  }
  /// Empties it; large buffers are given back.
  void clear() {
    used_ = 0;
    word_ = 0;
    filled_ = 0;
    if (out_.size() > kept) out_ = bytes{};
  }

 private:
  static constexpr std::size_t kept = 16u << 10;

  /// Stores the word, and keeps of it what makes no whole byte.
  [[gnu::noinline]] void store() {
    if (used_ + 8 > out_.size()) out_.resize(2 * out_.size() + 64);
    detail::store_word(out_.data() + used_, word_);
    used_ += filled_ / 8;
    word_ >>= filled_ & ~7u;
    filled_ %= 8;
  }

  bytes out_;
  std::size_t used_ = 0;    ///< bytes that are stored
  std::uint64_t word_ = 0;  ///< the bits behind them
  unsigned filled_ = 0;     ///< how many: below 64, so that they can be shifted out
};

class bit_reader {
 public:
  explicit bit_reader(bytes_view data) noexcept : data_(data) {}

  /// The next bits, at least 56 of them, without taking them.
  [[nodiscard, gnu::always_inline]] std::uint64_t peek() const noexcept {
    const auto at = at_ / 8;
    if (at + 8 <= data_.size()) return detail::load_word(data_.data() + at) >> at_ % 8;
    return peek_at_end();
  }
  void skip(unsigned n) noexcept { at_ += n; }
  std::uint64_t get(unsigned n) noexcept {
    const auto value = peek() & detail::low_bits(n);
    skip(n);
    return value;
  }
  std::uint64_t get_long(unsigned n) noexcept {
    if (n <= 32) return get(n);
    const auto low = get(32);
    return low | get(n - 32) << 32;
  }

  [[nodiscard]] bool overrun() const noexcept { return at_ > 8 * data_.size(); }
  /// Whether all was read, but for zeros that fill the last byte.
  [[nodiscard]] bool finished() const noexcept {
    return !overrun() && 8 * data_.size() - at_ < 8 && peek() == 0;
  }

 private:
  [[nodiscard, gnu::noinline]] std::uint64_t peek_at_end() const noexcept {
    if (data_.size() >= 8) {  // the last word, without what was read of it
      const auto read = at_ - 8 * (data_.size() - 8);
      return read < 64 ? detail::load_word(data_.data() + data_.size() - 8) >> read : 0;
    }
    char padded[8] = {};
    if (!data_.empty()) std::memcpy(padded, data_.data(), data_.size());
    return at_ < 64 ? detail::load_word(padded) >> at_ : 0;
  }

  bytes_view data_;
  std::size_t at_ = 0;
};

}  // namespace joinery::codec::transit
