// shared_bytes: a byte string with several owners, copied when one of them changes it.
//
// Purpose: readers keep a record as it was while its replica goes on changing it, and a copy is
// made only if somebody does. One allocation holds the count of owners and the bytes.
// Invariants: content never changes while it has more than one owner; empty content takes no
// memory.
// Thread-safety: each object as a `std::string`; objects of different threads may share content.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "joinery/base/bytes.hpp"

namespace joinery {

class shared_bytes {
 public:
  shared_bytes() noexcept = default;
  shared_bytes(bytes_view content) {
    if (content.empty()) return;
    block_ = make(content.size());
    put(0, content);
    block_->size = content.size();
  }
  shared_bytes(const bytes& content) : shared_bytes(bytes_view{content}) {}
  shared_bytes(const shared_bytes& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  shared_bytes(shared_bytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  shared_bytes& operator=(shared_bytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~shared_bytes() { clear(); }

  [[nodiscard]] bytes_view view() const noexcept {
    return block_ != nullptr ? bytes_view{block_->content(), block_->size} : bytes_view{};
  }
  operator bytes_view() const noexcept { return view(); }
  friend bool operator==(const shared_bytes& a, bytes_view b) noexcept { return a.view() == b; }
  [[nodiscard]] std::size_t size() const noexcept { return block_ != nullptr ? block_->size : 0; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

  void clear() noexcept {
    if (block_ != nullptr && is_sole_owner())
      drop(block_);
    else if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
      drop(block_);
    block_ = nullptr;
  }
  /// As std::string's; the content has this one owner then. Precondition: `at + removed <= size()`,
  /// and `by` is not part of the content.
  void replace(std::size_t at, std::size_t removed, bytes_view by) {
    const auto tail = size() - at - removed;
    const auto size = at + by.size() + tail;
    if (block_ == nullptr || size > block_->capacity || !is_sole_owner()) {
      if (size == 0) return clear();
      shared_bytes changed;
      changed.block_ =
          make(size + (block_ != nullptr ? size / 8 : 0));  // it grows again, most likely
      const auto old = view();
      changed.put(0, old.substr(0, at));
      changed.put(at, by);
      changed.put(at + by.size(), old.substr(at + removed));
      changed.block_->size = size;
      std::swap(block_, changed.block_);
      return;
    }
    if (removed != by.size())
      std::memmove(block_->content() + at + by.size(), block_->content() + at + removed, tail);
    put(at, by);
    block_->size = size;
  }
  /// Whether a change would be made in place. Acquires what former owners did with the content.
  [[nodiscard]] bool is_sole_owner() const noexcept {
    return block_ == nullptr || block_->owners.load(std::memory_order_acquire) == 1;
  }
  /// About how many bytes it takes on the heap.
  [[nodiscard]] std::size_t memory() const noexcept {
    constexpr std::size_t of_allocation = 8;
    return block_ == nullptr ? 0 : sizeof(block) + of_allocation + block_->capacity;
  }

 private:
  struct block {
    explicit block(std::size_t room) : capacity(room) {}
    [[nodiscard]] char* content() noexcept { return reinterpret_cast<char*>(this + 1); }
    std::atomic<std::uint32_t> owners{1};
    std::size_t size = 0;
    std::size_t capacity;
  };

  // What the allocator would round up anyway is room.
  static block* make(std::size_t room) {
    constexpr std::size_t step = 16;
    const auto whole = (sizeof(block) + room + 8 + step - 1) / step * step - 8;
    return new (::operator new(whole)) block(whole - sizeof(block));
  }
  static void drop(block* b) noexcept {
    b->~block();
    ::operator delete(b);
  }
  void put(std::size_t at, bytes_view data) noexcept {
    if (!data.empty()) std::memcpy(block_->content() + at, data.data(), data.size());
  }

  block* block_ = nullptr;
};

}  // namespace joinery
