// shared_bytes: a byte string with several owners, copied when one of them changes it.
//
// Purpose: readers keep a record as it was while its replica goes on changing it, and a copy is
// made only if somebody does.
// Invariants: content never changes while it has more than one owner; empty content takes no
// memory until it is edited.
// Thread-safety: each object as a `std::string`; objects of different threads may share content.
#pragma once

#include <atomic>
#include <utility>

#include "joinery/base/bytes.hpp"

namespace joinery {

class shared_bytes {
 public:
  shared_bytes() noexcept = default;
  shared_bytes(bytes content) : block_(content.empty() ? nullptr : new block(std::move(content))) {}
  shared_bytes(const shared_bytes& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  shared_bytes(shared_bytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  shared_bytes& operator=(shared_bytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~shared_bytes() {
    if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete block_;
  }

  [[nodiscard]] bytes_view view() const noexcept {
    return block_ != nullptr ? bytes_view{block_->content} : bytes_view{};
  }
  operator bytes_view() const noexcept { return view(); }
  friend bool operator==(const shared_bytes& a, bytes_view b) noexcept { return a.view() == b; }
  [[nodiscard]] std::size_t size() const noexcept { return view().size(); }
  [[nodiscard]] bool empty() const noexcept { return view().empty(); }

  /// The content, to change it: it has this one owner then.
  bytes& edit() {
    if (block_ == nullptr)
      block_ = new block(bytes{});
    else if (!is_sole_owner())
      *this = shared_bytes{new block(bytes{block_->content})};
    return block_->content;
  }
  /// Whether a change would be made in place. Acquires what former owners did with the content.
  [[nodiscard]] bool is_sole_owner() const noexcept {
    return block_ == nullptr || block_->owners.load(std::memory_order_acquire) == 1;
  }
  /// About how many bytes it takes on the heap.
  [[nodiscard]] std::size_t memory() const noexcept {
    constexpr std::size_t of_allocation = 16;
    if (block_ == nullptr) return 0;
    const bool is_inline = block_->content.capacity() <= bytes{}.capacity();
    return sizeof(block) + of_allocation +
           (is_inline ? 0 : block_->content.capacity() + 1 + of_allocation);
  }

 private:
  struct block {
    explicit block(bytes c) : content(std::move(c)) {}
    std::atomic<std::size_t> owners{1};
    bytes content;
  };
  explicit shared_bytes(block* b) noexcept : block_(b) {}

  block* block_ = nullptr;
};

}  // namespace joinery
