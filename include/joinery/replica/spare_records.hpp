// spare_records: the memory of records that nobody looks at any more.
//
// Purpose: what a watcher is to see makes a copy of each record that changes, and the allocator
// would take longer than the copying.
// Invariants: holds up to 1 MiB, of which nobody else has a view.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <algorithm>
#include <array>
#include <new>
#include <utility>
#include <vector>

#include "joinery/base/shared_bytes.hpp"

namespace joinery::detail {

class spare_records {
 public:
  /// `record` as it is. It may become a copy of itself, in memory that was given here.
  [[nodiscard]] shared_bytes keep(shared_bytes& record) {
    constexpr std::size_t growth = 16;  // more than most changes add
    if (record.empty()) return record;
    const auto fits = (record.size() + growth + step - 1) / step;
    for (auto at = fits; at < std::min(fits + 3, steps); ++at) {
      if (given_[at].empty()) continue;
      auto copy = std::move(given_[at].back());
      given_[at].pop_back();
      size_ -= copy.capacity();
      copy.overwrite(record);
      return std::exchange(record, std::move(copy));
    }
    return record;
  }
  void give(shared_bytes& record) noexcept {
    constexpr std::size_t most = 1 << 20;
    const auto size = record.capacity();
    const auto at = size / step;
    if (record.empty() || at >= steps || !record.is_sole_owner()) return;
    if (size_ + size > most) *this = {};  // what nobody took is of other sizes
    try {
      given_[at].push_back(std::move(record));
      size_ += size;
    } catch (const std::bad_alloc&) {  // then it is not kept
    }
  }

 private:
  static constexpr std::size_t step = 32, steps = 64;
  std::array<std::vector<shared_bytes>, steps> given_;  // by capacity; each with one owner
  std::size_t size_ = 0;
};

}  // namespace joinery::detail
