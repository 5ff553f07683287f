// built_key: a key that is put together of several things to be looked up, and then forgotten.
//
// Purpose: nearly all are short, and stand in the object itself, so that looking something up does
// not ask the allocator.
// Invariants: up to `Room` bytes stand in place, longer ones on the heap; it stays where it was
// made.
// Thread-safety: as a `std::string`.
#pragma once

#include "joinery/base/bytes.hpp"

namespace joinery {

template <std::size_t Room>
class built_key {
 public:
  /// `write(char* to)` writes all `size` bytes of it.
  template <class F>
  built_key(std::size_t size, F&& write) : size_(size) {
    if (size > Room) long_.resize(size);
    write(size > Room ? long_.data() : room_);
  }
  built_key(const built_key&) = delete;
  built_key& operator=(const built_key&) = delete;
  operator bytes_view() const noexcept { return {size_ > Room ? long_.data() : room_, size_}; }

 private:
  char room_[Room];
  bytes long_;
  std::size_t size_;
};

}  // namespace joinery
