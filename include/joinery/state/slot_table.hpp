// slot_table: finds what stands under a hash, in one row of memory.
//
// Purpose: the index of the working set. Whoever merges looks a record up for each operation, so
// that a look-up costs one place in memory, and a second one only for the record itself.
// Invariants: linear probing; at most three of four places are taken; an erased place is closed up
// at once, so that a search ends at the first free one. Pointers only: what they point to stays
// where it is. It becomes smaller only by `fit`.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "joinery/base/prefetch.hpp"

namespace joinery::state {

template <class T>
class slot_table {
 public:
  /// The item with this hash for which `is_it(const T&)` holds; null when there is none.
  template <class F>
  [[nodiscard]] T* find(std::uint64_t hash, F&& is_it) const {
    if (places_.empty()) return nullptr;
    for (auto i = home(hash); places_[i].item != nullptr; i = next(i))
      if (places_[i].hash == hash && is_it(*places_[i].item)) return places_[i].item;
    return nullptr;
  }
  /// Precondition: the item is not in it.
  void insert(std::uint64_t hash, T* item) {
    if (4 * (size_ + 1) > 3 * places_.size()) resize(places_.empty() ? least : 2 * places_.size());
    put(hash, item);
    ++size_;
  }
  /// Precondition: the item is in it.
  void erase(std::uint64_t hash, const T* item) noexcept {
    auto hole = home(hash);
    while (places_[hole].item != item) hole = next(hole);
    for (auto i = next(hole); places_[i].item != nullptr; i = next(i)) {
      // It may move into the hole unless its search would begin behind it.
      const auto way = (i - home(places_[i].hash)) & (places_.size() - 1);
      if (way < ((i - hole) & (places_.size() - 1))) continue;
      places_[hole] = places_[i];
      hole = i;
    }
    places_[hole] = {};
    --size_;
  }
  // A search touches a place of the table, and then an item. Whoever is about to search for many
  // tells the processor of all places first, then of all items, and waits for memory once.

  /// A search for this hash comes soon.
  void expect(std::uint64_t hash) const noexcept {
    if (!places_.empty()) prefetch(&places_[home(hash)]);
  }
  /// So soon that its place is known already.
  void expect_item(std::uint64_t hash) const noexcept {
    if (places_.empty()) return;
    for (auto i = home(hash); places_[i].item != nullptr; i = next(i))
      if (places_[i].hash == hash) return places_[i].item->expect();
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// How many bytes it takes on the heap, beyond what the smallest one takes.
  [[nodiscard]] std::size_t memory() const noexcept {
    return places_.size() <= least ? 0 : on_heap(places_.size() * sizeof(place));
  }
  /// Gives memory back when it has become much too large.
  void fit() {
    if (places_.size() > least && 16 * size_ < 3 * places_.size()) resize(places_.size() / 2);
  }
  template <class F>
  void for_each(F&& each) const {
    for (const auto& p : places_)
      if (p.item != nullptr) each(p.item);
  }

 private:
  static constexpr std::size_t least = 16;

  struct place {
    std::uint64_t hash = 0;
    T* item = nullptr;
  };

  [[nodiscard]] std::size_t home(std::uint64_t hash) const noexcept {
    return static_cast<std::size_t>(hash) & (places_.size() - 1);
  }
  [[nodiscard]] std::size_t next(std::size_t i) const noexcept {
    return (i + 1) & (places_.size() - 1);
  }
  void put(std::uint64_t hash, T* item) noexcept {
    auto i = home(hash);
    while (places_[i].item != nullptr) i = next(i);
    places_[i] = {hash, item};
  }
  void resize(std::size_t places) {
    std::vector<place> old(places);
    old.swap(places_);
    for (const auto& p : old)
      if (p.item != nullptr) put(p.hash, p.item);
  }

  std::vector<place> places_;  // a power of two, or none
  std::size_t size_ = 0;
};

}  // namespace joinery::state
