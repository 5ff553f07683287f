// Changes: what one changeset did to the records that somebody watches.
//
// Purpose: a record's packed bytes before and after, gathered while a changeset is folded in.
// Invariants: only what a reader may see counts as a change: a record that was dead and stays dead,
// or that was touched and nothing more, is in no batch. Records stand by table name and key,
// ascending, each once; those of tables that never leave the device come last.
// Thread-safety: values.
#pragma once

#include <vector>

#include "joinery/base/shared_bytes.hpp"
#include "joinery/base/short_bytes.hpp"
#include "joinery/causal/hlc.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/crdt/dispatch.hpp"

namespace joinery {

enum class change_kind : std::uint8_t {
  created,   ///< there was none, or it was deleted; this is a fresh one
  updated,   ///< it lives on with other fields
  deleted,   ///< it was there and is no more
  revived,   ///< an update that did not see its deletion brought it back as it was
  replaced,  ///< deleted and made again: nothing of the old one shows in the new
};

constexpr std::string_view name_of(change_kind k) noexcept {
  constexpr std::string_view names[] = {"created", "updated", "deleted", "revived", "replaced"};
  const auto at = static_cast<std::size_t>(k);
  return at < std::size(names) ? names[at] : "?";
}

/// Where a change came from.
struct change_origin {
  replica_id replica;          ///< who wrote the changeset
  std::uint64_t seq = 0;       ///< its number there; 0 when no changeset brought the change
  causal::hlc time = 0;        ///< its stamp
  bool local = false;          ///< written here, just now
  bool from_snapshot = false;  ///< a snapshot was joined: records may have changed in any way
};

namespace state {

/// What a reader sees of the difference between two packed states of a record; nothing when he sees
/// none. `parts`: whether entries of its large fields changed.
inline std::optional<change_kind> visible_change(bytes_view before, bytes_view after,
                                                 bool parts = false) {
  const auto old = crdt::read_cell(before);
  const auto now = crdt::read_cell(after);
  if (!old.alive() && !now.alive()) return std::nullopt;
  if (!now.alive()) return change_kind::deleted;
  if (!old.alive())
    return old.incarnation == now.incarnation ? change_kind::revived : change_kind::created;
  if (old.incarnation != now.incarnation) return change_kind::replaced;
  if (old.value == now.value && !parts) return std::nullopt;
  return change_kind::updated;
}

/// One record's change, packed (state/record.hpp).
struct record_change {
  record_change() = default;
  record_change(std::string_view of_table, bytes_view of_key, shared_bytes was, shared_bytes is,
                change_kind what, bool of_local)
      : table(of_table),
        key(of_key),
        before(std::move(was)),
        after(std::move(is)),
        kind(what),
        local(of_local) {}

  std::string table;
  short_bytes key;
  shared_bytes before;
  shared_bytes after;
  change_kind kind{};
  bool local = false;  ///< of a table that never leaves the device
};

/// What one changeset changed of what is watched.
struct change_batch {
  change_origin from;
  std::vector<record_change> records;
};

/// What somebody wants to hear of a table.
enum class interest : std::uint8_t { none, some /* it depends on the key */, all };

/// Asked by a fold about each table and, of some, about each record; `keep` gives a record as it
/// is, before it changes. Told about it, before and after, and whether entries of its large fields
/// changed. This one is not interested.
struct no_observer {
  static constexpr interest interest_in(std::string_view) noexcept { return interest::none; }
  static constexpr bool wants(std::string_view, bytes_view) noexcept { return false; }
  static shared_bytes keep(const shared_bytes& record) noexcept { return record; }
  static void changed(std::string_view, bytes_view, const shared_bytes&, const shared_bytes&,
                      bool) noexcept {}
};

}  // namespace state
}  // namespace joinery
