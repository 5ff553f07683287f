// The storage concept: what the history asks of a place that keeps bytes.
//
// Purpose: a transactional ordered key-value store with a few separate areas. LMDB models it
// (store/), and so does the in-memory one of this room. Nothing here knows what the bytes mean.
// Invariants: one writer at a time; a write is all or nothing; keys of an area are ordered as
// unsigned bytes; keys of `area::log` are eight bytes, big-endian, and are appended in increasing
// order.
// Thread-safety: each model documents its own.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

#include "joinery/base/bytes.hpp"
#include "joinery/base/result.hpp"

namespace joinery::history {

/// A separate key space within one storage.
enum class area : std::uint8_t {
  meta,          ///< format, identity, snapshot position
  roster,        ///< replica index → replica id
  names,         ///< name index → table or field name
  log,           ///< log position → changeset
  dots,          ///< (replica index, seq) → log position and head digest
  records,       ///< (table, key) → packed record: the snapshot
  held,          ///< changesets that wait for their predecessors or their time
  staged,        ///< a snapshot that is being received, and records of it not joined yet
  evidence,      ///< changesets whose dot the log has for another one
  indexes,       ///< (index, value, key) → nothing: secondary indexes of `records`
  quarantine,    ///< entries that were found damaged
  local,         ///< (table, key) → packed record, of tables that never leave the device
  numbers,       ///< number → record's key: how entries of the log name records
  numbers_copy,  ///< the same again: nothing else tells it
};
inline constexpr std::size_t area_count = 14;

/// When a commit counts as done.
enum class durability : std::uint8_t {
  commit,    ///< synced to the device before `write` returns
  interval,  ///< integrity is kept, but the last writes may be lost until `sync` returns
};

/// What one look at a storage gives. Views are valid until the read (or the next write in it) ends.
template <class V>
concept storage_view = requires(V& v, area a, bytes_view k, bool (*each)(bytes_view, bytes_view)) {
  { v.get(a, k) } -> std::same_as<std::optional<bytes_view>>;
  // Visits entries with key >= k in order until `each` returns false.
  v.scan(a, k, each);
  // Visits entries with key < k, the greatest first, until `each` returns false. `each` changes
  // nothing.
  v.scan_back(a, k, each);
  // The entry with the greatest key.
  { v.last(a) } -> std::same_as<std::optional<std::pair<bytes_view, bytes_view>>>;
};

/// What the body of a write gets: a view that can also change.
template <class W>
concept storage_writer = storage_view<W> && requires(W& w, area a, bytes_view k, bytes_view v) {
  w.put(a, k, v);
  w.erase(a, k);
};

namespace detail {
struct probe_body {
  template <class X>
  result<> operator()(X&) const {
    return {};
  }
};
}  // namespace detail

/// `write(body)` runs `body(writer&) -> result<>` in one transaction: committed when it returns a
/// value, rolled back when it returns an error or throws. The body may be run again from the start
/// (the map grew); nothing of the earlier run stays. Faults of `put` and `erase` are remembered and
/// returned by `write`; a read after one cannot be answered and throws `transaction_lost`
/// (storage_rules.hpp), which the body lets pass. `read(body)` runs `body(view&) -> result<>` over
/// one consistent snapshot. Reads and writes do not nest. `pin()` gives an image that stays as it
/// is: its `read` works like the storage's, in any thread, until the storage ends it (closed,
/// reader_expired). It must not be read beyond the storage's life.
template <class S>
concept storage = std::movable<S> && std::movable<typename S::pinned> &&
    requires(S& s, typename S::pinned& image, detail::probe_body body) {
  { s.write(body) } -> std::same_as<result<>>;
  { s.read(body) } -> std::same_as<result<>>;
  {
    s.sync()
    } -> std::same_as<result<>>;  ///< everything written so far is on the device afterwards
  { s.pin() } -> std::same_as<result<typename S::pinned>>;
  { image.read(body) } -> std::same_as<result<>>;
  { s.mode() } -> std::same_as<durability>;
  { s.read_only() } -> std::same_as<bool>;
};

}  // namespace joinery::history
