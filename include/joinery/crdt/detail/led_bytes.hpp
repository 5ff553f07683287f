// led_bytes: bytes that others may come before.
//
// Purpose: what is packed into something longer has its length before it there, which is known only
// once the bytes are written. There is room for it, so that both lie in one piece and nothing
// moves.
// Invariants: five numbers always have room, and what else is short.
// Thread-safety: as a `std::string`.
#pragma once

#include "joinery/base/cursor.hpp"

namespace joinery::crdt::detail {

class led_bytes {
 public:
  led_bytes() { clear(); }
  led_bytes(bytes_view content) : led_bytes() { content_.append(content); }
  led_bytes(const bytes& content) : led_bytes(bytes_view{content}) {}
  led_bytes& operator=(bytes_view content) {
    clear();
    content_.append(content);
    return *this;
  }

  [[nodiscard]] bytes_view view() const noexcept {
    return {content_.view().data() + start_, content_.size() - start_};
  }
  operator bytes_view() const noexcept { return view(); }
  /// To be appended to.
  operator byte_buffer&() noexcept { return content_; }
  [[nodiscard]] std::size_t size() const noexcept { return content_.size() - start_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  void clear() {
    content_.clear();
    static_cast<void>(content_.room(numbers_room + short_room));
    content_.added(start_ = numbers_room + short_room);
  }

  /// Puts a number before them. Precondition: it is one of the first five.
  void prepend(std::uint64_t number) noexcept {
    start_ -= varint_size(number);
    put_varint(&content_[start_], number);
  }
  void prepend(bytes_view data) {
    if (start_ < numbers_room + data.size()) return content_.replace(start_, 0, data);
    start_ -= data.size();
    if (!data.empty()) std::memcpy(&content_[start_], data.data(), data.size());
  }

 private:
  static constexpr std::size_t numbers_room = 5 * max_varint, short_room = 46;
  byte_buffer content_;
  std::size_t start_ = 0;
};

}  // namespace joinery::crdt::detail
