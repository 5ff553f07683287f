// index_overlay: the entries of records that are newer than their stored form.
//
// Purpose: a stored index says what the stored records say; for a record that has changed since,
// what counts is here.
// Invariants: a covered record's entries are all of its entries, none when it is dead.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "joinery/state/index_key.hpp"

namespace joinery::state {

class index_overlay {
 public:
  void set(bytes_view key, std::vector<bytes> values) {
    erase(key);
    for (const auto& v : values) entries_.insert({v, bytes{key}});
    covered_.emplace(key, std::move(values));
  }
  void erase(bytes_view key) {
    const auto at = covered_.find(key);
    if (at == covered_.end()) return;
    for (const auto& v : at->second) entries_.erase({v, bytes{key}});
    covered_.erase(at);
  }

  [[nodiscard]] bool covers(bytes_view key) const { return covered_.contains(key); }
  /// Ascending by value and key.
  [[nodiscard]] const std::set<index_entry>& entries() const noexcept { return entries_; }

 private:
  std::map<bytes, std::vector<bytes>, std::less<>> covered_;
  std::set<index_entry> entries_;
};

}  // namespace joinery::state
