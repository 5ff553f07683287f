// overlay: the dirty records of one moment.
//
// Purpose: a stored image and the records that are newer than it are a whole state; this is the
// second part, held by readers while the working set goes on.
// Invariants: never changes; shares the records' bytes with the working set.
// Thread-safety: any number of threads may read it.
#pragma once

#include "joinery/state/working_set.hpp"

namespace joinery::state {

class overlay {
 public:
  explicit overlay(const working_set& records) {
    std::vector<const working_set::slot*> slots;
    slots.reserve(records.dirty_count());
    records.for_each_dirty(first_name().table, {}, [&](const auto& slot) {
      slots.push_back(&slot);
      return true;
    });
    // They lie anywhere in memory: while one is copied the next ones are fetched.
    constexpr std::size_t ahead = 16;
    records_.reserve(slots.size());
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (i + 2 * ahead < slots.size()) slots[i + 2 * ahead]->expect();
      if (i + ahead < slots.size()) slots[i + ahead]->packed.expect(1);
      const auto name = slots[i]->name();
      records_.push_back({{name.table, name.key}, slots[i]->packed});
    }
  }

  struct record {
    record_name name;
    shared_bytes packed;
  };
  /// `records` stand in order, each once.
  explicit overlay(std::vector<record> records) : records_(std::move(records)) {}

  /// `newest`, and what `records` has dirty beside it.
  overlay(const overlay& newest, const working_set& records) {
    const overlay other{records};
    std::set_union(newest.records_.begin(), newest.records_.end(), other.records_.begin(),
                   other.records_.end(), std::back_inserter(records_),
                   [](const record& a, const record& b) { return record_order{}(a.name, b.name); });
  }

  /// The record, if it is newer than its stored form; null when it is not.
  [[nodiscard]] const shared_bytes* find(name_index table, bytes_view key) const {
    const auto at = lower_bound(table, key);
    if (at == records_.end() || at->name.table != table || at->name.key != key) return nullptr;
    return &at->packed;
  }

  /// Records of `table` from `key` on (walk.hpp).
  [[nodiscard]] newer_batch newer(name_index table, bytes_view key, batch_limits limits) const {
    newer_batch out;
    for (auto at = lower_bound(table, key); at != records_.end() && at->name.table == table; ++at) {
      out.more = out.records.size() >= limits.records;
      if (out.more) break;
      out.records.emplace_back(at->name.key, at->packed);
    }
    return out;
  }

 private:
  [[nodiscard]] std::vector<record>::const_iterator lower_bound(name_index table,
                                                                bytes_view key) const {
    return std::lower_bound(
        records_.begin(), records_.end(), record_name_view{table, key},
        [](const record& r, const record_name_view& n) { return record_order{}(r.name, n); });
  }

  std::vector<record> records_;  // in order
};

}  // namespace joinery::state
