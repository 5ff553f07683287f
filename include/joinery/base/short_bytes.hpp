// short_bytes: a byte string that is seldom long, and never changed.
//
// Purpose: keys. The sixteen bytes of a random key fit in place, where a `std::string` would ask
// the allocator for each record in memory and each record of a walk.
// Invariants: up to `room` bytes stand in the object itself, longer ones on the heap.
// Thread-safety: as a `std::string`.
#pragma once

#include <compare>
#include <cstdint>
#include <cstring>
#include <utility>

#include "joinery/base/bytes.hpp"

namespace joinery {

class short_bytes {
 public:
  static constexpr std::size_t room = 20;

  short_bytes() noexcept = default;
  short_bytes(bytes_view content) : size_(static_cast<std::uint32_t>(content.size())) {
    if (size_ == 0) return;
    char* at = in_place_;
    if (size_ > room) {
      at = new char[size_];
      std::memcpy(in_place_, &at, sizeof at);
    }
    std::memcpy(at, content.data(), size_);
  }
  short_bytes(const bytes& content) : short_bytes(bytes_view{content}) {}
  short_bytes(const short_bytes& other) : short_bytes(other.view()) {}
  short_bytes(short_bytes&& other) noexcept { take(other); }
  short_bytes& operator=(short_bytes other) noexcept {
    drop();
    take(other);
    return *this;
  }
  ~short_bytes() { drop(); }

  [[nodiscard]] bytes_view view() const noexcept {
    return {size_ > room ? heap() : in_place_, size_};
  }
  operator bytes_view() const noexcept { return view(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// How many bytes it takes on the heap.
  [[nodiscard]] std::size_t memory() const noexcept { return size_ > room ? on_heap(size_) : 0; }

  [[nodiscard]] bool starts_with(bytes_view prefix) const noexcept {
    return view().starts_with(prefix);
  }

  friend bool operator==(const short_bytes& a, const short_bytes& b) noexcept {
    return a.view() == b.view();
  }
  friend auto operator<=>(const short_bytes& a, const short_bytes& b) noexcept {
    return a.view() <=> b.view();
  }
  friend bool operator==(const short_bytes& a, bytes_view b) noexcept { return a.view() == b; }
  friend auto operator<=>(const short_bytes& a, bytes_view b) noexcept { return a.view() <=> b; }

 private:
  [[nodiscard]] char* heap() const noexcept {
    char* at = nullptr;
    std::memcpy(&at, in_place_, sizeof at);
    return at;
  }
  void drop() noexcept {
    if (size_ > room) delete[] heap();
  }
  // Precondition: this has nothing on the heap.
  void take(short_bytes& other) noexcept {
    size_ = std::exchange(other.size_, 0);
    std::memcpy(in_place_, other.in_place_, room);
  }

  std::uint32_t size_ = 0;
  char in_place_[room] = {};  // or, of long ones, where they are
};

}  // namespace joinery
