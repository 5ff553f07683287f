// reader: a replica's state at one version, as your structs, for any thread.
//
// Purpose: reads go on, over one consistent state, while the replica is written to and synced by
// its own thread. Cheap to make and to copy; make one for each task, and let it go soon: it keeps
// the storage from using freed space again, so that it ends after `max_reader_age_ms`.
// Invariants: shows one version, or throws `failure`: reader_expired (too old, or an LMDB store had
// to grow), closed (the replica is gone), and read errors.
// Thread-safety: any number of threads may use one reader, its copies and its rows.
#pragma once

#include "joinery/replica/row.hpp"

namespace joinery {

template <class Schema>
class reader {
 public:
  explicit reader(std::shared_ptr<detail::image_port> image) : image_(std::move(image)) {}

  /// The living record under `key`; an empty row when there is none. Rows may outlive the reader;
  /// one with a large field then keeps what the reader kept.
  template <class Record>
  [[nodiscard]] row<Record> find(std::string_view key) const {
    return row<Record>{tables<Record>().find(Schema::template find<Record>::name, key)};
  }

  /// Walks the living records of a table in key order, from `from` on: `each(key, const Record&)`,
  /// which may return false to stop.
  template <class Record, class F>
  void for_each(F&& each, std::string_view from = {}) const {
    tables<Record>().for_each(
        Schema::template find<Record>::name, from,
        [&](detail::row_record& access) { return detail::call_with_record<Record>(each, access); });
  }

  /// The digest of the canonical state: what the replica's was when the reader was made.
  [[nodiscard]] result<crypto::digest> digest() const { return image_->digest(); }
  /// The open conflicts, in order of table and key.
  [[nodiscard]] result<std::vector<state::conflict>> conflicts() const {
    return image_->conflicts();
  }

  /// What the reader shows: for each index of `replicas` how many changesets.
  [[nodiscard]] const causal::version& version() const noexcept { return image_->seen(); }
  [[nodiscard]] const causal::roster& replicas() const noexcept { return image_->replicas(); }
  /// How many changesets were in the log.
  [[nodiscard]] std::uint64_t log_size() const noexcept { return image_->position(); }

 private:
  // Where the record's table is.
  template <class Record>
  [[nodiscard]] detail::reading_port& tables() const {
    return image_->tables(Schema::template find<Record>::is_local);
  }

  std::shared_ptr<detail::image_port> image_;
};

}  // namespace joinery
