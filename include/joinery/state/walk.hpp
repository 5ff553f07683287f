// walk: the records of a table in key order, from the snapshot and from what is newer than it.
//
// Purpose: one merge for a replica's own walks and for those of its readers. It works in bounded
// batches, so that a table of any size takes little memory, and whoever is called may write: what
// lies beyond the batch is looked up afterwards.
// Invariants: keys ascend strictly over the whole walk, whatever is written meanwhile.
// Thread-safety: as what is walked over.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "joinery/base/byte_buffer.hpp"
#include "joinery/base/result.hpp"
#include "joinery/base/shared_bytes.hpp"
#include "joinery/base/short_bytes.hpp"
#include "joinery/state/names.hpp"

namespace joinery::state {

/// A record as it is stored: its bytes, the log position that they stand for, and the store's
/// number for it, 0 when it has none.
struct stored_record {
  shared_bytes packed;
  std::uint64_t position = 0;
  std::uint32_t number = 0;

  stored_record() = default;
  stored_record(shared_bytes p, std::uint64_t at, std::uint32_t n = 0)
      : packed(std::move(p)), position(at), number(n) {}
};

/// How much is read at once.
struct batch_limits {
  std::size_t records = 256;
  std::size_t size = std::size_t{256} << 10;  ///< about; one record is always read
};

/// Records in key order, one behind the other in one piece of memory, which is used again.
class stored_batch {
 public:
  bool more = false;  ///< there may be others behind the last one

  /// Precondition: neither is part of it.
  void add(bytes_view key, bytes_view packed) {
    places_.push_back({content_.size(), key.size(), packed.size()});
    auto* const at = content_.room(key.size() + packed.size());
    std::copy_n(key.data(), key.size(), at);
    std::copy_n(packed.data(), packed.size(), at + key.size());
    content_.added(key.size() + packed.size());
  }
  void clear() noexcept {
    more = false;
    places_.clear();
    content_.clear();
  }

  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }
  [[nodiscard]] bool empty() const noexcept { return places_.empty(); }
  [[nodiscard]] bytes_view key(std::size_t i) const noexcept {
    const auto& p = places_[i];
    return {content_.view().data() + p.at, p.key};
  }
  [[nodiscard]] bytes_view packed(std::size_t i) const noexcept {
    const auto& p = places_[i];
    return {content_.view().data() + p.at + p.key, p.packed};
  }
  [[nodiscard]] bytes_view last_key() const noexcept { return key(size() - 1); }

 private:
  struct place {
    std::size_t at, key, packed;  // where it begins, and how long its parts are
  };
  byte_buffer content_;
  std::vector<place> places_;
};
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
inline std::optional<bytes_view> known_up_to(const stored_batch& stored, const newer_batch& newer) {
  std::optional<bytes_view> end;
  if (stored.more) end = stored.last_key();
  if (newer.more && (!end || newer.records.back().first < *end)) end = newer.records.back().first;
  return end;
}

/// Calls `each(key, packed) -> bool` for what both hold up to `end`, the newer one where both have
/// a key; false when it stopped.
template <class F>
bool visit_merged(const stored_batch& stored, const newer_batch& newer,
                  const std::optional<bytes_view>& end, F&& each) {
  std::size_t s = 0;
  if (newer.records.empty() && !newer.more) {  // `end` is the last one's key, or nothing
    for (; s < stored.size(); ++s)
      if (!each(stored.key(s), stored.packed(s))) return false;
    return true;
  }
  auto n = newer.records.begin();
  for (;;) {
    const bool has_s = s < stored.size() && (!end || stored.key(s) <= *end);
    const bool has_n = n != newer.records.end() && (!end || n->first <= *end);
    if (!has_s && !has_n) return true;
    const bool take_n = has_n && (!has_s || n->first <= stored.key(s));
    if (take_n && has_s && n->first == stored.key(s)) ++s;
    if (take_n) {
      if (!n->second.empty() && !each(bytes_view{n->first}, bytes_view{n->second})) return false;
      ++n;
    } else {
      if (!each(stored.key(s), stored.packed(s))) return false;
      ++s;
    }
  }
}

}  // namespace detail

/// Walks `table` from `from` on: `each(key, packed) -> bool`, false stops; both last until it
/// returns, whatever it writes. `newer(table, key, limits) -> newer_batch` gives what takes the
/// place of stored records. What `each` sees of a batch is the state when the batch began. After an
/// error `from` is behind what was shown.
template <class Newer, cold_records C, class F>
result<> walk_on(Newer&& newer, C& cold, name_index table, bytes& from, F&& each) {
  const batch_limits limits;
  for (stored_batch spare;;) {
    auto stored = cold.load_from(table, from, limits, std::move(spare));
    if (!stored) return stored.error();
    const newer_batch changed = newer(table, bytes_view{from}, limits);
    const auto end = detail::known_up_to(*stored, changed);
    if (!detail::visit_merged(*stored, changed, end, each)) return {};
    if (!end) return {};
    from.assign(*end).push_back('\0');
    spare = std::move(*stored);
  }
}
template <class Newer, cold_records C, class F>
result<> walk_records(Newer&& newer, C& cold, name_index table, bytes_view from, F&& each) {
  bytes next{from};
  return walk_on(newer, cold, table, next, each);
}

}  // namespace joinery::state
