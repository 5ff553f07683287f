// slot_index: from a hash to the slots of a dictionary.
//
// Purpose: the writer's look-up of what it mentioned before.
// Invariants: a look-up reads one bucket of eight, whoever chose the keys. What was forgotten
// (a full bucket, a slot that holds something else by now) is only mentioned in full again.
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "joinery/base/prefetch.hpp"

namespace joinery::codec::transit {

class slot_index {
 public:
  /// The slot of `hash` for which `same(slot)` holds.
  template <class F>
  [[nodiscard]] std::optional<std::uint32_t> find(std::uint64_t hash, F&& same) const {
    if (entries_.empty()) return std::nullopt;
    const auto* way = &entries_[bucket_of(hash)];
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t i = 0; i < ways; ++i)
      if (way[i].tag == tag && way[i].used && same(way[i].slot)) return way[i].slot;
    return std::nullopt;
  }

  /// Has memory fetch what a look-up will read.
  void prefetch(std::uint64_t hash) const noexcept {
    if (!entries_.empty()) joinery::prefetch(&entries_[bucket_of(hash)]);
  }
  /// The first slot that may hold what has `hash`.
  [[nodiscard]] std::optional<std::uint32_t> guess(std::uint64_t hash) const noexcept {
    return find(hash, [](std::uint32_t) { return true; });
  }

  /// Notes that `slot` holds what has `hash`; `hash_of(slot)` gives the hash of what a slot holds.
  template <class F>
  void put(std::uint64_t hash, std::uint32_t slot, F&& hash_of) {
    if (3 * ++count_ > entries_.size()) grow(hash_of);
    place(hash, slot, hash_of);
  }

 private:
  static constexpr std::size_t ways = 8;
  struct entry {
    std::uint32_t tag = 0;
    std::uint32_t slot : 31 = 0;
    std::uint32_t used : 1 = 0;
  };

  [[nodiscard]] std::size_t bucket_of(std::uint64_t hash) const noexcept {
    return static_cast<std::size_t>(hash) & (entries_.size() - 1) & ~(ways - 1);
  }

  template <class F>
  void place(std::uint64_t hash, std::uint32_t slot, F&& hash_of) {
    auto* way = &entries_[bucket_of(hash)];
    std::size_t at = static_cast<std::size_t>(hash >> 16) % ways;  // of a full bucket
    for (std::size_t i = 0; i < ways; ++i)
      if (!way[i].used || stale(way[i], hash_of)) {
        at = i;
        break;
      }
    way[at] = {static_cast<std::uint32_t>(hash >> 32), slot & 0x7FFFFFFFu, 1};
  }
  template <class F>
  static bool stale(const entry& e, F&& hash_of) {
    return static_cast<std::uint32_t>(hash_of(e.slot) >> 32) != e.tag;
  }

  /// Twice as large, unless most of it is stale.
  template <class F>
  void grow(F&& hash_of) {
    std::vector<entry> old(entries_.size());
    old.swap(entries_);
    std::size_t live = 0;
    for (const auto& e : old) live += e.used && !stale(e, hash_of) ? 1 : 0;
    std::size_t size = 4 * ways;
    while (size < 4 * live) size *= 2;
    entries_.assign(size, {});
    count_ = live + 1;
    for (const auto& e : old)
      if (e.used && !stale(e, hash_of)) place(hash_of(e.slot), e.slot, hash_of);
  }

  std::vector<entry> entries_;
  std::size_t count_ = 0;  ///< how often something was put since it grew, and what it held then
};

}  // namespace joinery::codec::transit
