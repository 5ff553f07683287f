// cold_reader: reads records from the snapshot.
//
// Purpose: the `cold_records` of the working set over a storage, or over an image of one.
// Invariants: reads only; every record's checksum is checked; what is read at once is bounded;
// while a joined snapshot is not written whole, its staged records count; with a list of damage a
// damaged record is noted there, and one that is missing is told apart from one that never was.
// Thread-safety: as what it reads from, and the list.
#pragma once

#include "joinery/replica/damage.hpp"
#include "joinery/replica/pending_join.hpp"

namespace joinery::detail {

/// `Source` has `read(body)`, as a storage has.
template <class Source>
class cold_reader {
 public:
  /// `join`: where to find the snapshot whose records are not all in `records` yet, at each read;
  /// null there when there is none.
  cold_reader(Source& source, const joined_snapshot& join, damage* known = nullptr) noexcept
      : source_(source), join_(join), known_(known) {}

  result<std::optional<state::stored_record>> load(state::name_index table, bytes_view key) {
    if (is_missing(table, key))
      return damage::quarantined(
          history::place_of(history::area::records, history::record_key(table, key)));
    result<std::optional<state::stored_record>> found{std::nullopt};
    auto done = source_.read([&](auto& view) -> result<> {
      found = read_record(view, join_.get(), table, key);
      if (!found) return met(table, key), found.error();
      return {};
    });
    if (!done) return done.error();
    return found;
  }

  /// Whether a record of `table` is missing, and not merely absent.
  [[nodiscard]] bool lacks_any(state::name_index table) const {
    return known_ != nullptr && known_->missing_from(table, {});
  }

  result<state::stored_batch> load_from(state::name_index table, bytes_view key,
                                        state::batch_limits limits,
                                        state::stored_batch spare = {}) {
    state::stored_batch out;
    auto done = source_.read([&](auto& view) -> result<> {
      const bool some = known_ != nullptr && known_->missing_from(table, key);
      auto batch = read_records(
          view, join_.get(), table, key, limits, std::move(spare),
          [&](bytes_view k) { return some && is_missing(table, k); },
          [&](bytes_view k) { met(table, k); });
      if (!batch) return batch.error();
      out = std::move(*batch);
      return {};
    });
    if (!done) return done.error();
    return out;
  }

 private:
  bool is_missing(state::name_index table, bytes_view key) const {
    return known_ != nullptr && known_->missing({table, key});
  }
  void met(state::name_index table, bytes_view key) {
    if (known_ != nullptr) known_->met(table, key);
  }

  Source& source_;
  const joined_snapshot& join_;
  damage* known_;
};

}  // namespace joinery::detail
