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

#include "joinery/base/edits.hpp"
#include "joinery/base/prefetch.hpp"

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
  ~shared_bytes() {
    if (block_ != nullptr) clear();
  }

  [[nodiscard]] bytes_view view() const noexcept {
    return block_ != nullptr ? bytes_view{block_->content(), block_->size} : bytes_view{};
  }
  operator bytes_view() const noexcept { return view(); }
  friend bool operator==(const shared_bytes& a, bytes_view b) noexcept { return a.view() == b; }
  [[nodiscard]] std::size_t size() const noexcept { return block_ != nullptr ? block_->size : 0; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

  /// Tells the processor that the content will be wanted soon, or no more than its beginning.
  void expect(std::size_t most = 384) const noexcept {
    if (block_ != nullptr) prefetch(block_, most);
  }

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
    const byte_edit one{at, removed, by};
    change({&one, 1});
  }
  friend void make_edits(shared_bytes& content, byte_edits all) { content.change(all); }
  /// Takes over `content` where it stands. Precondition: neither is empty, this is the sole owner,
  /// and has room for it.
  void overwrite(bytes_view content) noexcept {
    put(0, content);
    block_->size = content.size();
  }
  [[nodiscard]] std::size_t capacity() const noexcept {
    return block_ != nullptr ? block_->capacity : 0;
  }
  /// Whether a change would be made in place. Acquires what former owners did with the content.
  [[nodiscard]] bool is_sole_owner() const noexcept {
    return block_ == nullptr || block_->owners.load(std::memory_order_acquire) == 1;
  }
  /// How many bytes it takes on the heap.
  [[nodiscard]] std::size_t memory() const noexcept {
    return block_ == nullptr ? 0 : on_heap(sizeof(block) + block_->capacity);
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

  void change(byte_edits all) {
    auto size = this->size();
    auto most = size;  // on the way: the edits are made from the last to the first
    for (const auto& e : all) {
      size += e.by.size() - e.removed;
      if (e.by.size() > e.removed) most += e.by.size() - e.removed;
    }
    if (block_ == nullptr || most > block_->capacity || !is_sole_owner()) return renew(all, size);
    auto* const content = block_->content();
    for (auto e = all.rbegin(); e != all.rend(); ++e) {
      if (e->removed != e->by.size()) {
        std::memmove(content + e->at + e->by.size(), content + e->at + e->removed,
                     block_->size - e->at - e->removed);
        block_->size += e->by.size() - e->removed;
      }
      put(e->at, e->by);
    }
  }
  // Puts the content, with the edits, elsewhere.
  void renew(byte_edits all, std::size_t size) {
    if (size == 0) return clear();
    shared_bytes changed;
    changed.block_ =
        make(size + (block_ != nullptr ? size / 8 : 0));  // it grows again, most likely
    changed.block_->size = size;
    const auto old = view();
    std::size_t from = 0, to = 0;
    const auto add = [&](bytes_view data) {
      changed.put(to, data);
      to += data.size();
    };
    for (const auto& e : all) {
      add({old.data() + from, e.at - from});
      add(e.by);
      from = e.at + e.removed;
    }
    add({old.data() + from, old.size() - from});
    std::swap(block_, changed.block_);
  }

  block* block_ = nullptr;
};

}  // namespace joinery
