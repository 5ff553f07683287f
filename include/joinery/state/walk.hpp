// walk: the records of a table in key order, from the snapshot and from what is newer than it.
//
// Purpose: one merge for a replica's own walks and for those of its readers. It works in bounded
// batches, so that a table of any size takes little memory, and whoever is called may write: what
// lies beyond the batch is looked up afterwards.
// Invariants: keys ascend strictly over the whole walk, whatever is written meanwhile.
// Thread-safety: as what is walked over.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "joinery/base/result.hpp"
#include "joinery/base/shared_bytes.hpp"
#include "joinery/base/short_bytes.hpp"
#include "joinery/state/names.hpp"

namespace joinery::state {

/// A record as it is stored: its bytes, and the log position that they stand for.
struct stored_record {
  shared_bytes packed;
  std::uint64_t position = 0;
};

/// How much is read at once.
struct batch_limits {
  std::size_t records = 256;
  std::size_t size = std::size_t{256} << 10;  ///< about; one record is always read
};

/// Records in key order; `more` when there may be others behind the last one.
struct stored_batch {
  std::vector<std::pair<short_bytes, stored_record>> records;
  bool more = false;
};
/// Puts a record in the place of the one at `at`, whose memory is used again, or behind the last.
inline void put_at(stored_batch& batch, std::size_t at, bytes_view key, bytes_view packed,
                   std::uint64_t position) {
  if (at == batch.records.size()) batch.records.emplace_back();
  auto& [name, record] = batch.records[at];
  name = short_bytes{key};
  record.packed.replace(0, record.packed.size(), packed);
  record.position = position;
}
struct newer_batch {
  std::vector<std::pair<short_bytes, shared_bytes>> records;
  bool more = false;
};

/// Where cold records are read from.
template <class C>
concept cold_records = requires(C& c, name_index table, bytes_view key, batch_limits limits,
                                stored_batch spare) {
  { c.load(table, key) } -> std::same_as<result<std::optional<stored_record>>>;
  /// Records of `table` with keys >= `key`, ascending. At least one when there are any. The memory
  /// of `spare` may be used again.
  { c.load_from(table, key, limits, std::move(spare)) } -> std::same_as<result<stored_batch>>;
};

namespace detail {

/// The last key up to which both batches are complete; nothing when both are to their ends.
inline std::optional<short_bytes> known_up_to(const stored_batch& stored,
                                              const newer_batch& newer) {
  std::optional<short_bytes> end;
  if (stored.more) end = stored.records.back().first;
  if (newer.more && (!end || newer.records.back().first < *end)) end = newer.records.back().first;
  return end;
}

/// Calls `each(key, packed) -> bool` for what both hold up to `end`, the newer one where both have
/// a key; false when it stopped.
template <class F>
bool visit_merged(stored_batch& stored, const newer_batch& newer,
                  const std::optional<short_bytes>& end, F&& each) {
  auto s = stored.records.begin();
  auto n = newer.records.begin();
  const auto within = [&](auto at, const auto& records) {
    return at != records.end() && (!end || at->first <= *end);
  };
  for (;;) {
    const bool has_s = within(s, stored.records), has_n = within(n, newer.records);
    if (!has_s && !has_n) return true;
    const bool take_n = has_n && (!has_s || n->first <= s->first);
    if (take_n && has_s && s->first == n->first) ++s;
    if (take_n) {
      if (!n->second.empty() && !each(bytes_view{n->first}, n->second)) return false;
      ++n;
    } else {
      if (!each(bytes_view{s->first}, std::as_const(s->second.packed))) return false;
      ++s;
    }
  }
}

}  // namespace detail

/// Walks `table` from `from` on: `each(key, const shared_bytes&) -> bool`, false stops.
/// `newer(table, key, limits) -> newer_batch` gives what takes the place of stored records. What
/// `each` sees of a batch is the state when the batch began.
template <class Newer, cold_records C, class F>
result<> walk_records(Newer&& newer, C& cold, name_index table, bytes_view from, F&& each) {
  const batch_limits limits;
  bytes next{from};
  for (stored_batch spare;;) {
    auto stored = cold.load_from(table, next, limits, std::move(spare));
    if (!stored) return stored.error();
    const newer_batch changed = newer(table, bytes_view{next}, limits);
    const auto end = detail::known_up_to(*stored, changed);
    if (!detail::visit_merged(*stored, changed, end, each)) return {};
    if (!end) return {};
    next.assign(end->view()).push_back('\0');
    spare = std::move(*stored);
  }
}

}  // namespace joinery::state
