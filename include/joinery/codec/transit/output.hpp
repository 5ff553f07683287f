// output: changesets being written again, within a limit.
//
// Purpose: MessagePack in its shortest forms, straight into one buffer.
// Invariants: never longer than its limit: what would be is not written, and `full()` says so.
// Thread-safety: none.
#pragma once

#include <algorithm>
#include <cstring>

#include "joinery/codec/pack.hpp"

namespace joinery::codec::transit {

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
    if (char* to = room(5 + v.size())) ends(write_text(to, v));
  }
  void binary(bytes_view v) {
    if (char* to = room(5 + v.size())) ends(write_binary(to, v));
  }
  void raw(bytes_view v) {
    if (char* to = room(v.size())) ends(write_raw(to, v));
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

  static constexpr std::size_t slack = 64;

  bytes buffer_;
  std::size_t limit_ = 0;
  std::size_t used_ = 0;
  bool full_ = false;
};

}  // namespace joinery::codec::transit
