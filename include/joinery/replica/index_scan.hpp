// index_scan: the entries of an index, in order, from the storage and from memory.
//
// Purpose: gives the next few entries of a query behind a position. Entries are (value, record key)
// in that order, or in its reverse.
// Invariants: an entry tells where to look, not what is there: whoever reads the record checks it.
// Works in batches: reads of the storage do not nest, and the caller may change anything between
// two of them.
// Thread-safety: none; lives for one call.
#pragma once

#include "joinery/replica/index_query.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery {

namespace detail {

struct entry_batch {
  std::vector<state::index_entry> entries;
  bool last = true;  ///< nothing is behind them
};

/// Whether `e` comes behind `position` in the query's order.
inline bool is_behind(const index_query& q, const std::optional<state::index_entry>& position,
                      const state::index_entry& e) {
  return !position || (q.descending ? e < *position : *position < e);
}
inline void put_in_order(const index_query& q, std::vector<state::index_entry>& entries) {
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  if (q.descending) std::reverse(entries.begin(), entries.end());
}

/// Takes stored entries one after the other.
class entry_collector {
 public:
  entry_collector(const secondary_index& index, const index_query& q,
                  const std::optional<state::index_entry>& position)
      : index_(index), q_(q), position_(position), prefix_(state::detail::index_prefix(index.id)) {}

  entry_batch out;
  std::optional<error> fault;

  /// Where a scan begins: at this key, or, descending, below it.
  [[nodiscard]] bytes start() const {
    const auto id = index_.id;
    const auto whole = position_ ? state::index_storage_entry(id, position_->value, position_->key)
                                 : state::stored_entry{};
    // Entries that share a cut beginning are read all over again.
    const bool cut = !whole.content.empty();
    if (q_.descending) {
      const bool open = q_.range.upper == state::value_range::end::open;
      auto below = state::index_upper_bound(id, open ? bytes{} : q_.range.high);
      if (!position_) return below;
      return std::min(below, cut ? state::index_upper_bound(id, position_->value) : whole.key);
    }
    auto from = state::index_lower_bound(id, q_.range.low);
    if (!position_) return from;
    return std::max(from, cut ? state::index_lower_bound(id, position_->value) : whole.key);
  }

  /// False when it has enough, or has seen the last one.
  bool take(bytes_view full, bytes_view sealed) {
    if (!full.starts_with(prefix_)) return false;
    auto parts = state::read_index_key(full);
    auto content = history::open_sealed(history::area::indexes, full, sealed);
    if (!parts || !content) {
      fault = content ? error{errc::malformed, "a damaged entry of an index", "indexes", ""}
                      : content.error();
      return false;
    }
    const auto run = full.substr(0, full.size() - parts->key.size());
    if (out.entries.size() >= q_.batch && !(parts->cut && run == run_)) {
      out.last = false;
      return false;
    }
    run_.assign(run);
    // What lies outside the range in the direction of the scan ends it, but for a cut value, which
    // is not known in full.
    const auto& r = q_.range;
    state::index_entry e{parts->cut ? bytes{*content} : std::move(parts->value), bytes{parts->key}};
    if (!parts->cut && (q_.descending ? r.under(e.value) : r.over(e.value))) return false;
    if (r.contains(e.value) && is_behind(q_, position_, e) && !index_.overlay.covers(e.key))
      out.entries.push_back(std::move(e));
    return true;
  }

  /// Adds what memory has, as far as the storage was read.
  void add_overlay() {
    put_in_order(q_, out.entries);
    const auto end = out.last ? std::nullopt : std::optional{out.entries.back()};
    const auto& all = index_.overlay.entries();
    const state::index_entry least{q_.range.low, {}};
    const bool further = position_ && !q_.descending && least < *position_;
    auto at = further ? all.upper_bound(*position_) : all.lower_bound(least);
    for (; at != all.end() && !q_.range.over(at->value); ++at)
      if (is_behind(q_, position_, *at) && (!end || !is_behind(q_, end, *at)))
        out.entries.push_back(*at);
    put_in_order(q_, out.entries);
  }

 private:
  const secondary_index& index_;
  const index_query& q_;
  const std::optional<state::index_entry>& position_;
  bytes prefix_;
  bytes run_;
};

/// The entries behind `position`: about `q.batch` of them.
template <history::storage S>
result<entry_batch> next_entries(S& storage, const secondary_index& index, const index_query& q,
                                 const std::optional<state::index_entry>& position) {
  entry_batch out;
  auto done = storage.read([&](auto& view) -> result<> {
    entry_collector collector{index, q, position};
    const auto take = [&](bytes_view k, bytes_view v) { return collector.take(k, v); };
    if (q.descending)
      view.scan_back(history::area::indexes, collector.start(), take);
    else
      view.scan(history::area::indexes, collector.start(), take);
    if (collector.fault) return *collector.fault;
    collector.add_overlay();
    out = std::move(collector.out);
    return {};
  });
  if (!done) return done.error();
  return out;
}

/// The same without the help of an index: walks the table.
template <class Engine>
result<entry_batch> all_entries(Engine& engine, const secondary_index& index, const index_query& q,
                                const std::optional<state::index_entry>& position,
                                record_vocabulary v) {
  entry_batch all;
  auto walked = engine.for_each(q.table, {}, [&](bytes_view key, bytes_view packed) {
    for (auto& value : index.values(packed, v)) {
      state::index_entry e{std::move(value), bytes{key}};
      if (q.range.contains(e.value) && is_behind(q, position, e))
        all.entries.push_back(std::move(e));
    }
    return true;
  });
  if (!walked) return walked.error();
  put_in_order(q, all.entries);
  return all;
}

template <class Engine, history::storage S, class State>
result<entry_batch> entries_behind(Engine& engine, S& storage, State& state, secondary_index& index,
                                   const index_query& q,
                                   const std::optional<state::index_entry>& position) {
  state.refresh_indexes();
  if (index.complete && !state.joining) {  // what is staged is listed once it is written
    auto found = next_entries(storage, index, q, position);
    const auto code = found ? errc{} : found.error().code;
    if (code != errc::checksum && code != errc::malformed) return found;
    state.indexes.give_up(storage, index, found.error());
  }
  return all_entries(engine, index, q, position, state.vocabulary());
}

/// Walks the living records that an index lists, with their records checked. For the engine, and
/// for its tables that stay on the device: `State` has the indexes and their vocabulary.
template <class Engine, history::storage S, class State, class F>
result<> scan_index(Engine& engine, S& storage, State& state, const index_query& q, F&& each) {
  auto* index = state.indexes.find(q.table, q.field, q.type);
  if (index == nullptr)
    return error{errc::invalid_argument, "there is no such index", q.table + "." + q.field,
                 "declare it: table<…, index<&record::field>>"};
  auto position = q.after;
  for (bool more = true; more;) {
    auto batch = entries_behind(engine, storage, state, *index, q, position);
    if (!batch) return batch.error();
    more = !batch->last;
    for (auto& e : batch->entries) {
      auto packed = engine.record(q.table, e.key);
      if (!packed) return packed.error();
      const auto values = index->values(*packed, state.vocabulary());
      if (!std::binary_search(values.begin(), values.end(), e.value)) continue;
      if (!each(bytes_view{e.value}, bytes_view{e.key}, *packed)) return {};
    }
    if (more) position = std::move(batch->entries.back());
  }
  return {};
}

}  // namespace detail
}  // namespace joinery
