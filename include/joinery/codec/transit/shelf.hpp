// shelf: byte strings that were mentioned before, by number.
//
// Purpose: the memory of both sides of a stream: what was mentioned in full once is named by its
// slot from then on.
// Invariants: writer and reader that put the same strings hold the same ones in the same slots.
// Bounded in strings and bytes: when it is full the oldest make room.
// Thread-safety: none.
#pragma once

#include <cstring>
#include <utility>
#include <vector>

#include "joinery/base/comparing.hpp"
#include "joinery/codec/checksum.hpp"
#include "joinery/codec/transit/bits.hpp"
#include "joinery/codec/transit/slot_index.hpp"

namespace joinery::codec::transit {

class shelf {
 public:
  /// At most so many strings of so many bytes in all. Precondition: both are at least 1.
  shelf(std::size_t most, std::size_t most_bytes) : most_(most), most_bytes_(most_bytes) {}

  /// Puts a string, along with a number. Precondition: it is at most `most_bytes` long.
  std::uint32_t put(bytes_view text, std::uint32_t label) {
    const auto at = room_for(text.size());
    if (live_ == most_) drop();
    const auto slot = static_cast<std::uint32_t>(next_);
    if (slot == slots_.size()) slots_.emplace_back();
    next_ = next_ + 1 == most_ ? 0 : next_ + 1;
    ++live_;
    slots_[slot] = {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(text.size()), label};
    std::memcpy(room_.data() + at, text.data(), text.size());
    end_ = at + text.size();
    return slot;
  }

  /// Whether `slot` holds a string.
  [[nodiscard]] bool holds(std::uint64_t slot) const noexcept {
    if (slot >= slots_.size()) return false;
    // How many were put since; those from `next_` on in the round before.
    const auto age = next_ - 1 - static_cast<std::size_t>(slot) + (slot < next_ ? 0 : most_);
    return age < live_;
  }
  /// Valid until the next call of `put`. Precondition: `holds(slot)`.
  [[nodiscard]] bytes_view text(std::size_t slot) const noexcept {
    return {room_.data() + slots_[slot].at, slots_[slot].size};
  }
  /// Has memory fetch where a slot's string is, or, once that is there, the string.
  void prefetch(std::size_t slot) const noexcept {
    if (slot < slots_.size()) joinery::prefetch(&slots_[slot]);
  }
  void prefetch_text(std::size_t slot) const noexcept {
    if (slot < slots_.size()) joinery::prefetch(room_.data() + slots_[slot].at);
  }
  [[nodiscard]] std::uint32_t label(std::size_t slot) const noexcept { return slots_[slot].label; }

 private:
  struct place {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
    std::uint32_t label = 0;
  };

  [[nodiscard]] std::size_t oldest() const noexcept {
    return next_ - live_ + (live_ <= next_ ? 0 : most_);
  }
  void drop() noexcept { --live_; }

  /// Where the next `size` bytes go: behind the newest string, or at the front again.
  std::size_t room_for(std::size_t size) {
    auto at = live_ == 0 ? 0 : end_;
    if (at + size > most_bytes_) {
      while (live_ > 0 && slots_[oldest()].at >= at) drop();  // what stood behind it is older
      at = 0;
    }
    while (live_ > 0 && slots_[oldest()].at >= at && slots_[oldest()].at < at + size) drop();
    if (at + size > room_.size()) room_.resize(std::min(most_bytes_, 2 * (at + size) + 256));
    return at;
  }

  std::size_t most_;
  std::size_t most_bytes_;
  std::vector<place> slots_;
  bytes room_;
  std::size_t next_ = 0;  ///< the slot of the next string
  std::size_t live_ = 0;
  std::size_t end_ = 0;  ///< behind the newest string
};

/// A shelf that finds its strings.
class indexed_shelf {
 public:
  indexed_shelf(std::size_t most, std::size_t most_bytes) : shelf_(most, most_bytes) {}

  /// Of the ends of a string, which are all of one of up to 16 bytes: what collides is looked for
  /// in one bucket all the same.
  static std::uint64_t hash(bytes_view text, std::uint32_t label) noexcept {
    if (text.size() > told_by_ends) return checksum(text, label);
    const string_ends ends{text};
    std::uint64_t h = ends.first ^ (std::uint64_t{label} << 8 | text.size()) * factor;
    h = ((h ^ h >> 29) * factor) ^ ends.last;
    h = (h ^ h >> 32) * factor;
    return h ^ h >> 29;
  }

  [[nodiscard]] std::optional<std::uint32_t> find(std::uint64_t hash, bytes_view text,
                                                  std::uint32_t label) const {
    return index_.find(hash, [&](std::uint32_t slot) { return is(slot, text, label); });
  }
  /// Whether that is what the slot holds.
  [[nodiscard]] bool is(std::uint32_t slot, bytes_view text, std::uint32_t label) const noexcept {
    return shelf_.holds(slot) && shelf_.label(slot) == label && same_bytes(shelf_.text(slot), text);
  }
  /// As that of the index; then, one after the other, what `shelf` has of them.
  [[nodiscard]] const slot_index& index() const noexcept { return index_; }
  std::uint32_t put(std::uint64_t hash, bytes_view text, std::uint32_t label) {
    const auto slot = shelf_.put(text, label);
    if (slot == hashes_.size()) hashes_.emplace_back();
    hashes_[slot] = hash;
    index_.put(hash, slot, hashes_.size(), [&](std::uint32_t s) { return hashes_[s]; });
    return slot;
  }
  [[nodiscard]] const shelf& strings() const noexcept { return shelf_; }

 private:
  static constexpr std::uint64_t factor = 0x9E3779B97F4A7C15u;

  shelf shelf_;
  slot_index index_;
  std::vector<std::uint64_t> hashes_;  ///< by slot
};

}  // namespace joinery::codec::transit
