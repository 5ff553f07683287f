// name_table: which table or field name each index stands for.
//
// Purpose: interns names inside a replica, so that packed records hold small integers. Ids of
// tables and fields are their names: indexes never leave the replica.
// Invariants: an index never changes its meaning; indexes are dense from 0.
// Thread-safety: guarded by its owner, but for `first`, which any thread may call.
#pragma once

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "joinery/base/movable_mutex.hpp"

namespace joinery::state {

using name_index = std::uint32_t;

class name_table {
 public:
  name_index add(std::string_view name) {
    if (const auto known = find(name)) return *known;
    const std::lock_guard lock(growing_);
    const auto& kept = names_.emplace_back(name);
    return index_[kept] = static_cast<name_index>(names_.size() - 1);
  }
  [[nodiscard]] std::optional<name_index> find(std::string_view name) const {
    const auto at = index_.find(name);
    if (at == index_.end()) return std::nullopt;
    return at->second;
  }
  /// Empty for an index that was never given: only a forged store holds one.
  [[nodiscard]] std::string_view operator[](name_index index) const {
    return index < names_.size() ? std::string_view{names_[index]} : std::string_view{};
  }
  [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }

  /// All names, as copies: the table may grow meanwhile.
  [[nodiscard]] std::vector<std::string> sorted() const {
    std::vector<std::string> out(names_.begin(), names_.end());
    std::sort(out.begin(), out.end());
    return out;
  }

  /// Forgets every index from `size` on: undoes additions that came to nothing.
  void shrink(std::size_t size) {
    if (names_.size() <= size) return;
    const std::lock_guard lock(growing_);
    while (names_.size() > size) {
      index_.erase(names_.back());
      names_.pop_back();
    }
  }

  /// The first `size` names, which are never forgotten, as a table of their own.
  [[nodiscard]] name_table first(std::size_t size) const {
    const std::lock_guard lock(growing_);
    name_table out;
    for (std::size_t n = 0; n < size; ++n) out.add(names_[n]);
    return out;
  }

 private:
  mutable movable_mutex growing_;
  std::deque<std::string> names_;  // a deque: the index holds views into it
  std::unordered_map<std::string_view, name_index> index_;
};

}  // namespace joinery::state
