// output: changesets being written again, within a limit.
//
// Purpose: MessagePack in its shortest forms, straight into one buffer.
// Invariants: never longer than its limit: what would be is not written, and `full()` says so.
// Thread-safety: none.
#pragma once

#include <algorithm>
#include <cstring>

#include "joinery/base/bytes.hpp"

namespace joinery::codec::transit {

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
/// The head of an array; takes five bytes.
inline char* write_array(char* to, std::size_t n) noexcept {
  if (n < 16) return *to = static_cast<char>(0x90 | n), to + 1;
  const auto steps = n < 0x10000 ? 1u : 2u;
  *to++ = static_cast<char>(0xDB + steps);
  for (auto i = 1u << steps; i-- > 0;) *to++ = static_cast<char>(n >> 8 * i);
  return to;
}

class output {
 public:
  /// Begins anew.
  void begin(std::size_t limit) {
    if (buffer_.size() > kept) buffer_ = bytes{};
    limit_ = limit;
    used_ = 0;
    full_ = false;
  }
  [[nodiscard]] bool full() const noexcept { return full_; }
  void overflow() noexcept { full_ = true; }
  [[nodiscard]] std::size_t size() const noexcept { return used_; }
  [[nodiscard]] std::size_t left() const noexcept { return used_ < limit_ ? limit_ - used_ : 0; }
  /// Valid until the next call.
  [[nodiscard]] bytes_view view(std::size_t from, std::size_t size) const noexcept {
    return bytes_view{buffer_}.substr(from, size);
  }

  void array(std::size_t n) {
    if (char* to = room(5)) ends(write_array(to, n));
  }
  void u64(std::uint64_t v) {
    if (char* to = room(9)) ends(write_u64(to, v));
  }
  void text(bytes_view v) {
    char* to = room(5 + v.size());
    if (to == nullptr) return;
    if (v.size() < 32)
      *to++ = static_cast<char>(0xA0 | v.size());
    else
      to = write_length(to, 0xD9, v.size());
    ends(copy(to, v));
  }
  void binary(bytes_view v) {
    if (char* to = room(5 + v.size())) ends(copy(write_length(to, 0xC4, v.size()), v));
  }
  void raw(bytes_view v) {
    if (char* to = room(v.size())) ends(copy(to, v));
  }

  /// Room for `n` bytes, of which as many count as `ends` says; null when there is none.
  char* room(std::size_t n) {
    if (used_ + n > buffer_.size()) grow(n);
    return full_ ? nullptr : buffer_.data() + used_;
  }
  void ends(const char* at) {
    used_ = static_cast<std::size_t>(at - buffer_.data());
    if (used_ > limit_) full_ = true;
  }

 private:
  static constexpr std::size_t kept = 16u << 10;

  // More than the limit by what may be asked for and not be used.
  void grow(std::size_t n) {
    if (n > left() + slack) return void(full_ = true);
    buffer_.resize(std::min(limit_ + slack, std::max(2 * buffer_.size(), used_ + n + 512)));
  }
  static char* copy(char* to, bytes_view v) noexcept {
    if (!v.empty()) std::memcpy(to, v.data(), v.size());
    return to + v.size();
  }

  static constexpr std::size_t slack = 64;

  bytes buffer_;
  std::size_t limit_ = 0;
  std::size_t used_ = 0;
  bool full_ = false;
};

}  // namespace joinery::codec::transit
