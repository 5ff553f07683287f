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
    for (std::size_t i = 0; i < ways; ++i)
      if ((way[i] ^ hash) >> 32 == 0 && used(way[i]) && same(slot_of(way[i])))
        return slot_of(way[i]);
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

  /// Notes that `slot` holds what has `hash`; `hash_of(slot)` gives the hash of what a slot holds,
  /// of each of the `slots` that there are.
  template <class F>
  void put(std::uint64_t hash, std::uint32_t slot, std::size_t slots, F&& hash_of) {
    if (3 * ++count_ > entries_.size()) return build(slots, hash_of);
    place(hash, slot, hash_of);
  }

 private:
  static constexpr std::size_t ways = 8;

  // A way: the upper half of a hash, a slot of 31 bits, and a 1; or 0.
  static constexpr std::uint64_t way_of(std::uint64_t hash, std::uint32_t slot) noexcept {
    return (hash & ~std::uint64_t{0xFFFFFFFF}) | std::uint64_t{slot & 0x7FFFFFFF} << 1 | 1;
  }
  static constexpr std::uint32_t slot_of(std::uint64_t way) noexcept {
    return static_cast<std::uint32_t>(way) >> 1;
  }
  static constexpr bool used(std::uint64_t way) noexcept { return (way & 1) != 0; }
  /// Whether it is free, or its slot holds something else by now.
  template <class F>
  static bool vacant(std::uint64_t way, F&& hash_of) {
    return !used(way) || (hash_of(slot_of(way)) ^ way) >> 32 != 0;
  }

  [[nodiscard]] std::size_t bucket_of(std::uint64_t hash) const noexcept {
    return static_cast<std::size_t>(hash) & (entries_.size() - 1) & ~(ways - 1);
  }

  template <class F>
  void place(std::uint64_t hash, std::uint32_t slot, F&& hash_of) {
    auto* way = &entries_[bucket_of(hash)];
    std::size_t at = 0;
    while (at < ways && !vacant(way[at], hash_of)) ++at;
    if (at == ways) at = static_cast<std::size_t>(hash >> 16) % ways;  // of a full bucket
    way[at] = way_of(hash, slot);
  }

  /// Anew, of what the slots hold now.
  template <class F>
  void build(std::size_t slots, F&& hash_of) {
    std::size_t size = 4 * ways;
    while (size < 4 * slots) size *= 2;
    entries_.assign(size, 0);
    count_ = slots;
    for (std::uint32_t slot = 0; slot < slots; ++slot) place(hash_of(slot), slot, hash_of);
  }

  std::vector<std::uint64_t> entries_;
  std::size_t count_ = 0;  ///< what it held when it was built, and what was put since
};

}  // namespace joinery::codec::transit
