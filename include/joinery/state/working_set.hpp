// working_set: the records in memory, over those in the snapshot.
//
// Purpose: finds a record in memory or reads it in when it is cold, remembers which ones the
// snapshot has not got yet, and walks a table in key order across both.
// Invariants: a record in memory is at least as new as its stored form; a dirty one is never
// dropped. `position` is the log position that the record stands for: replay skips what it already
// holds.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "joinery/base/result.hpp"
#include "joinery/state/record.hpp"

namespace joinery::state {

struct record_name {
  name_index table = 0;
  bytes key;
};
struct record_name_view {
  name_index table = 0;
  bytes_view key;
  record_name_view(name_index t, bytes_view k) : table(t), key(k) {}
  record_name_view(const record_name& n) : table(n.table), key(n.key) {}
};
struct record_order {
  using is_transparent = void;
  bool operator()(const record_name_view& a, const record_name_view& b) const {
    return std::tie(a.table, a.key) < std::tie(b.table, b.key);
  }
};

/// A record as it is stored: its bytes, and the log position that they stand for.
struct stored_record {
  bytes packed;
  std::uint64_t position = 0;
};

/// Where cold records are read from.
template <class C>
concept cold_records = requires(C& c, name_index table, bytes_view key, std::size_t limit) {
  { c.load(table, key) } -> std::same_as<result<std::optional<stored_record>>>;
  /// Up to `limit` records of `table` with keys >= `key`, ascending.
  {
    c.load_from(table, key, limit)
    } -> std::same_as<result<std::vector<std::pair<bytes, stored_record>>>>;
};

class working_set {
 public:
  struct slot {
    bytes packed;
    std::uint64_t position = 0;
    bool dirty = false;
  };
  using slots = std::map<record_name, slot, record_order>;

  /// The slot of a record, read in when it is cold, made empty when there is none.
  template <cold_records C>
  result<slot*> load(C& cold, name_index table, bytes_view key) {
    const auto at = slots_.find(record_name_view{table, key});
    if (at != slots_.end()) return &at->second;
    auto stored = cold.load(table, key);
    if (!stored) return stored.error();
    auto& fresh = slots_[{table, bytes{key}}];
    if (*stored) {
      fresh.packed = std::move((*stored)->packed);
      fresh.position = (*stored)->position;
    }
    memory_ += weight(key, fresh);
    return &fresh;
  }

  /// The slot of a record that was loaded before; null when it was not.
  slot* find(name_index table, bytes_view key) {
    const auto at = slots_.find(record_name_view{table, key});
    return at == slots_.end() ? nullptr : &at->second;
  }

  /// To be told after a slot's bytes have changed from `size_before`.
  void changed(const record_name_view& name, slot& s, std::size_t size_before,
               std::uint64_t position) {
    memory_ += s.packed.size();
    memory_ -= size_before;
    s.position = position;
    if (!s.dirty) dirty_.push_back({name.table, bytes{name.key}});
    s.dirty = true;
  }

  /// Walks `table` from `from` in key order; `each(key, packed) -> bool`, false stops. Works in
  /// batches: what `each` sees of a batch is the state when the batch began.
  template <cold_records C, class F>
  result<> for_each(C& cold, name_index table, bytes_view from, F&& each) {
    constexpr std::size_t batch_size = 256;
    bytes next{from};
    for (;;) {
      auto batch = cold.load_from(table, next, batch_size);
      if (!batch) return batch.error();
      const bool last = batch->size() < batch_size;
      // Up to the batch's last key, memory and snapshot are both known.
      std::map<bytes, bytes> merged;
      for (auto& [key, stored] : *batch) merged[key] = std::move(stored.packed);
      const bytes end = last ? bytes{} : batch->back().first;
      for (auto at = slots_.lower_bound(record_name_view{table, next});
           at != slots_.end() && at->first.table == table && (last || at->first.key <= end); ++at)
        merged[at->first.key] = at->second.packed;
      for (const auto& [key, packed] : merged)
        if (!packed.empty() && !each(bytes_view{key}, bytes_view{packed})) return {};
      if (last) return {};
      next = end + '\0';
    }
  }

  /// The records that the snapshot has not got yet, in the order in which they became dirty; from
  /// now on they count as being written, and whoever took them calls `written` for each or
  /// `give_back` for the rest.
  [[nodiscard]] std::vector<record_name> take_dirty() { return std::exchange(dirty_, {}); }
  void give_back(std::vector<record_name> names) {
    dirty_.insert(dirty_.end(), std::make_move_iterator(names.begin()),
                  std::make_move_iterator(names.end()));
  }
  [[nodiscard]] std::size_t dirty_count() const noexcept { return dirty_.size(); }

  /// Drops clean records until the memory used is within `limit` bytes, or only dirty ones are
  /// left.
  void shrink(std::size_t limit) {
    for (auto at = slots_.begin(); memory_ > limit && at != slots_.end();) {
      if (at->second.dirty) {
        ++at;
        continue;
      }
      memory_ -= weight(at->first.key, at->second);
      at = slots_.erase(at);
    }
  }
  /// About how many bytes the records in memory take.
  [[nodiscard]] std::size_t memory() const noexcept { return memory_; }
  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

 private:
  static std::size_t weight(bytes_view key, const slot& s) {
    constexpr std::size_t node = 160;  // map node, two strings
    return node + key.size() + s.packed.size();
  }

  slots slots_;
  std::vector<record_name> dirty_;
  std::size_t memory_ = 0;
};

}  // namespace joinery::state
