// watch: change events as the user's structs.
//
// Purpose: what a callback of `replica::watch<Record>` gets: one batch for each changeset, with
// every record as it was and as it is.
// Invariants: those of the feed (change_feed.hpp). Rows may be kept; like all rows they must not
// outlive the replica.
// Thread-safety: values.
#pragma once

#include "joinery/replica/change_feed.hpp"
#include "joinery/replica/row.hpp"

namespace joinery {

/// Keys from `from` on and below `below`; an absent end is open.
struct key_range {
  std::string from;
  std::optional<std::string> below;
};

template <class Record>
struct row_change {
  std::string key;
  change_kind kind{};
  row<Record> before;  ///< empty when there was none
  row<Record> after;   ///< empty when there is none
};

template <class Record>
class change_batch {
 public:
  change_batch(const change_origin& from, std::vector<row_change<Record>> changes)
      : from_(from), changes_(std::move(changes)) {}

  /// The changeset that did it.
  [[nodiscard]] const change_origin& from() const noexcept { return from_; }
  /// Many records may have changed by a snapshot, and none is named here: read again what you show.
  [[nodiscard]] bool is_reset() const noexcept { return from_.from_snapshot; }
  /// Ascending by key; empty only in a reset.
  [[nodiscard]] const std::vector<row_change<Record>>& changes() const noexcept { return changes_; }
  [[nodiscard]] auto begin() const noexcept { return changes_.begin(); }
  [[nodiscard]] auto end() const noexcept { return changes_.end(); }

 private:
  change_origin from_;
  std::vector<row_change<Record>> changes_;
};

namespace detail {

template <class Record>
change_batch<Record> typed_batch(const state::change_batch& batch, tables_port& from) {
  std::vector<row_change<Record>> changes;
  changes.reserve(batch.records.size());
  for (const auto& r : batch.records)
    changes.push_back({bytes{r.key.view()}, r.kind,
                       row<Record>{from.row(r.table, r.key.view(), r.before)},
                       row<Record>{from.row(r.table, r.key.view(), r.after)}});
  return {batch.from, std::move(changes)};
}

}  // namespace detail
}  // namespace joinery
