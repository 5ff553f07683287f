// pending_join: a snapshot that was joined, record by record from now on.
//
// Purpose: joining a peer's snapshot is one short transaction that moves version, floor and mark.
// The records follow lazily: until a staged record is written into `records`, reading it joins
// both.
// Keys: `meta` has "join" → sealed varint position, both versions. `staged` has "r", fixed32 table
// index, key → sealed varint number of the version it was read at, packed record.
// Invariants: while a record is staged, its entry in `records` is as it was at the join.
// Thread-safety: values; otherwise as the view or writer that is passed in.
#pragma once

#include <cstring>
#include <memory>

#include "joinery/history/floor.hpp"
#include "joinery/history/snapshot.hpp"
#include "joinery/state/large_field.hpp"
#include "joinery/state/working_set.hpp"

namespace joinery::detail {

struct pending_join {
  std::uint64_t position = 0;  ///< of the join; what the joined records stand for
  causal::version own;         ///< what this replica had seen before
  causal::version other;       ///< what the staged records have seen
};

/// Shared, since a reader keeps the one of its moment; null when there is none.
using joined_snapshot = std::shared_ptr<const pending_join>;

inline bytes write_join(const pending_join& join) {
  bytes out;
  byte_writer w{out};
  w.varint(join.position);
  history::write_version(w, join.own);
  history::write_version(w, join.other);
  return out;
}
inline result<pending_join> read_join(bytes_view content) {
  byte_reader in{content};
  pending_join join;
  join.position = in.varint();
  join.own = history::read_version(in);
  join.other = history::read_version(in);
  if (!in.finished())
    return error{errc::malformed, "the mark of a joined snapshot is not readable",
                 "meta entry join", "restore the store"};
  return join;
}

/// Under the key that it has in `records`.
inline bytes staged_key(bytes_view record_key) { return bytes{"r"} += record_key; }
inline bytes staged_key(state::name_index table, bytes_view key) {
  return staged_key(history::record_key(table, key));
}

struct staged_record {
  std::uint64_t number = 0;  ///< of the version at which it was read
  bytes_view packed;
};
inline result<staged_record> open_staged(bytes_view key, bytes_view value) {
  auto content = history::open_sealed(history::area::staged, key, value);
  if (!content) return content.error();
  byte_reader in{*content};
  staged_record r;
  r.number = in.varint();
  r.packed = in.rest();
  return r;
}

/// A stored record in one piece: its large fields are read from their parts. They are as they were
/// at the join as long as the record is: nobody names another generation before it is written.
template <history::storage_view V>
result<bytes> stored_whole(V& view, state::name_index table, bytes_view key, bytes_view packed) {
  return state::whole_record(packed, [&](const state::packed_field& f, auto&& each) {
    const auto prefix = history::record_key(state::parts_of(table),
                                            state::parts_prefix({table, key, f.id, f.parts}));
    result<> read;
    view.scan(history::area::records, prefix, [&](bytes_view full, bytes_view value) {
      if (!full.starts_with(prefix)) return false;
      auto part = history::open_record(full, value);
      if (!part) read = part.error();
      return part && each(full.substr(prefix.size()), part->packed);
    });
    return read;
  });
}

/// A record as `records` and, while a join is pending, the staged one together say. `join` may be
/// null.
template <history::storage_view V>
result<std::optional<state::stored_record>> read_record(V& view, const pending_join* join,
                                                        state::name_index table, bytes_view key) {
  std::optional<state::stored_record> found;
  const auto full = history::short_record_key(table, key);
  if (const auto value = view.get(history::area::records, full)) {
    const auto record = history::unsealed_record(full, *value);
    if (!record) return history::damaged_entry(history::area::records, full);
    found.emplace(shared_bytes{record->packed}, record->position, record->number);
  }
  if (join == nullptr) return found;
  const auto other = staged_key(table, key);
  const auto value = view.get(history::area::staged, other);
  if (!value) return found;
  auto staged = open_staged(other, *value);
  if (!staged) return staged.error();
  auto own = stored_whole(view, table, key, found ? bytes_view{found->packed} : bytes_view{});
  if (!own) return own.error();
  return std::optional<state::stored_record>{
      {state::join_record(*own, join->own, staged->packed, join->other), join->position,
       found ? found->number : 0}};
}

/// As `starts_with`, and quick for the length that nearly all prefixes have.
inline bool begins_with(bytes_view key, bytes_view prefix) noexcept {
  constexpr std::size_t index = 4;
  if (prefix.size() != index || key.size() < index) return key.starts_with(prefix);
  return std::memcmp(key.data(), prefix.data(), index) == 0;
}

/// Entries of `where` from `from` on, as far as they begin with `prefix` and within `limits`:
/// `open(key, value)` gives each one's packed bytes, nothing for a damaged one. What `skip(key)`
/// says is left out; `damaged(key)` is told of each that cannot be read, all of a batch at once.
/// The memory of `out`, an earlier batch, is used again.
template <history::storage_view V, class Open, class Skip, class Damaged>
result<state::stored_batch> read_batch(V& view, history::area where, const bytes& prefix,
                                       const bytes& from, state::batch_limits limits,
                                       state::stored_batch out, Open&& open, Skip&& skip,
                                       Damaged&& damaged) {
  result<> outcome;
  std::size_t size = 0;
  out.clear();
  view.scan(where, from, [&](bytes_view full, bytes_view value) {
    if (!begins_with(full, prefix)) return false;
    if ((out.size() >= limits.records || size >= limits.size) && !out.empty()) {
      out.more = true;
      return false;
    }
    const auto key = full.substr(prefix.size());
    if (skip(key)) return true;
    const std::optional<bytes_view> packed = open(full, value);
    if (!packed) {
      damaged(key);
      outcome = history::damaged_entry(where, full);
      return true;
    }
    size += packed->size();
    out.add(key, *packed);
    return true;
  });
  if (!outcome) return outcome.error();
  return out;
}

/// As `read_record`, for records of a table from `key` on, ascending; `skip` and `damaged` as for
/// `read_batch`.
template <history::storage_view V, class Skip, class Damaged>
result<state::stored_batch> read_records(V& view, const pending_join* join, state::name_index table,
                                         bytes_view key, state::batch_limits limits,
                                         state::stored_batch spare, Skip&& skip,
                                         Damaged&& damaged) {
  auto own = read_batch(
      view, history::area::records, history::index_key(table), history::record_key(table, key),
      limits, std::move(spare),
      [](bytes_view full, bytes_view value) -> std::optional<bytes_view> {
        const auto record = history::unsealed_record(full, value);
        return record ? std::optional{record->packed} : std::nullopt;
      },
      skip, damaged);
  if (!own || join == nullptr) return own;
  auto other = read_batch(
      view, history::area::staged, staged_key(table, {}), staged_key(table, key), limits, {},
      [](bytes_view full, bytes_view value) -> std::optional<bytes_view> {
        const auto staged = open_staged(full, value);
        return staged ? std::optional{staged->packed} : std::nullopt;
      },
      skip, damaged);
  if (!other) return other;

  // Up to where both are known.
  std::optional<bytes_view> end;
  for (const auto* batch : {&*own, &*other})
    if (batch->more && (!end || batch->last_key() < *end)) end = batch->last_key();
  state::stored_batch out;
  out.more = end.has_value();
  std::size_t o = 0, s = 0;  // of the own ones, and the staged ones
  const auto within = [&](const state::stored_batch& all, std::size_t at) {
    return at < all.size() && (!end || all.key(at) <= *end);
  };
  for (;;) {
    const bool has_o = within(*own, o), has_s = within(*other, s);
    if (!has_o && !has_s) return out;
    if (has_o && (!has_s || own->key(o) < other->key(s))) {
      out.add(own->key(o), own->packed(o));
      ++o;
      continue;
    }
    const auto k = other->key(s);
    const bool both = has_o && own->key(o) == k;
    auto whole = stored_whole(view, table, k, both ? own->packed(o) : bytes_view{});
    if (!whole) return damaged(k), whole.error();
    out.add(k, state::join_record(*whole, join->own, other->packed(s), join->other));
    o += both ? 1 : 0;
    ++s;
  }
}

}  // namespace joinery::detail
