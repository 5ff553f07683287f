// byte_buffer: bytes that are written often and kept never.
//
// Purpose: scratch memory of whoever works out the next state of something, again and again. Unlike
// a string it keeps no terminator and appends without a call.
// Invariants: clearing it keeps its memory.
// Thread-safety: as a `std::string`.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>

#include "joinery/base/bytes.hpp"

namespace joinery {

class byte_buffer {
 public:
  byte_buffer() = default;
  byte_buffer(bytes_view content) { append(content.data(), content.size()); }
  byte_buffer(const bytes& content) : byte_buffer(bytes_view{content}) {}
  byte_buffer(const byte_buffer& other) : byte_buffer(other.view()) {}
  byte_buffer(byte_buffer&& other) noexcept { swap(other); }
  byte_buffer& operator=(byte_buffer other) noexcept {
    swap(other);
    return *this;
  }
  byte_buffer& operator=(bytes_view content) {
    clear();
    append(content.data(), content.size());
    return *this;
  }
  ~byte_buffer() = default;

  [[nodiscard]] bytes_view view() const noexcept { return {data_.get(), size_}; }
  operator bytes_view() const noexcept { return view(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] char& operator[](std::size_t at) noexcept { return data_[at]; }
  void clear() noexcept { size_ = 0; }

  void push_back(char c) {
    *room(1) = c;
    ++size_;
  }
  /// Precondition: `data` is not part of it.
  [[gnu::always_inline]] void append(const char* data, std::size_t n) {
    if (n == 0) return;
    std::memcpy(room(n), data, n);
    size_ += n;
  }
  void append(bytes_view data) { append(data.data(), data.size()); }
  /// As std::string's. Precondition: `by` is not part of it.
  void replace(std::size_t at, std::size_t removed, bytes_view by) {
    const auto tail = size_ - at - removed;
    static_cast<void>(room(by.size()));
    std::memmove(data_.get() + at + by.size(), data_.get() + at + removed, tail);
    if (!by.empty()) std::memcpy(data_.get() + at, by.data(), by.size());
    size_ = at + by.size() + tail;
  }

  /// Where the next `n` bytes may be written, of which `added` tells how many were.
  [[nodiscard]] char* room(std::size_t n) {
    if (capacity_ - size_ < n) grow(n);
    return data_.get() + size_;
  }
  void added(std::size_t n) noexcept { size_ += n; }

 private:
  [[gnu::noinline]] void grow(std::size_t n) {
    const auto capacity = std::max<std::size_t>({2 * capacity_, size_ + n, 64});
    std::unique_ptr<char[]> data(new char[capacity]);
    if (size_ > 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }
  void swap(byte_buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace joinery
