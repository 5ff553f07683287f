// roster: which replica each index stands for.
//
// Purpose: interns 128-bit replica ids, so that the rest of a replica's memory speaks in small
// integers.
// Invariants: an index never changes its meaning; indexes are dense from 0. Rosters of two replicas
// differ: nothing that holds indexes may leave its replica without being mapped.
// Thread-safety: guarded by its owner, but for `first`, which any thread may call.
#pragma once

#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "joinery/base/movable_mutex.hpp"
#include "joinery/causal/dot.hpp"
#include "joinery/causal/replica_id.hpp"

namespace joinery::causal {

class roster {
 public:
  /// The index of `id`, given one if it is new.
  replica_index add(const replica_id& id) {
    if (const auto known = find(id)) return *known;
    const std::lock_guard lock(growing_);
    const auto index = static_cast<replica_index>(ids_.size());
    ids_.push_back(id);
    index_.emplace(id, index);
    return index;
  }
  [[nodiscard]] std::optional<replica_index> find(const replica_id& id) const {
    const auto at = index_.find(id);
    if (at == index_.end()) return std::nullopt;
    return at->second;
  }
  /// None for an index that was never given: only a forged store holds one.
  [[nodiscard]] const replica_id& operator[](replica_index index) const {
    static constexpr replica_id nobody{};
    return index < ids_.size() ? ids_[index] : nobody;
  }
  [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }

  /// Forgets every index from `size` on: undoes additions that came to nothing.
  void shrink(std::size_t size) {
    if (ids_.size() <= size) return;
    const std::lock_guard lock(growing_);
    while (ids_.size() > size) {
      index_.erase(ids_.back());
      ids_.pop_back();
    }
  }

  /// The first `size` entries, which are never forgotten, as a roster of their own.
  [[nodiscard]] roster first(std::size_t size) const {
    const std::lock_guard lock(growing_);
    roster out;
    for (std::size_t r = 0; r < size; ++r) out.add(ids_[r]);
    return out;
  }

 private:
  mutable movable_mutex growing_;
  std::vector<replica_id> ids_;
  std::unordered_map<replica_id, replica_index> index_;
};

}  // namespace joinery::causal
