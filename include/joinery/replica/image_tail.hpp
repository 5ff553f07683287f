// image_tail: what is pending of the log, for one reader's image.
//
// Purpose: the image of a replica that has not folded its whole tail in yet does that for itself,
// beside the replica: for the record that is asked for, and for all of them when a table is walked.
// Invariants: a record that the replica had folded stands in the image's overlay, and counts
// instead; fields are never taken apart here.
// Thread-safety: any number of threads.
#pragma once

#include "joinery/replica/tail_progress.hpp"
#include "joinery/state/overlay.hpp"

namespace joinery::detail {

class image_tail {
 public:
  explicit image_tail(shared_tail tail) : tail_(std::move(tail)), progress_(tail_) {}

  /// A record, or a part of one, that something was pending of; nothing when it is as `newer` and
  /// the storage say.
  template <state::cold_records C>
  result<std::optional<shared_bytes>> find(C& cold, const state::overlay& newer,
                                           state::name_index table, bytes_view key) {
    using nothing = std::optional<shared_bytes>;
    const auto part = state::is_parts(table) ? state::read_part_key(table, key) : std::nullopt;
    const auto* r =
        part ? tail_->find(part->first.table, part->first.key) : tail_->find(table, key);
    if (r == nullptr || newer.find(r->table, r->key) != nullptr) return nothing{};
    const std::lock_guard lock(mutex_);
    if (progress_.find(r->table, r->key) != nullptr)
      if (auto done = fold(*r, cold, damaged_records::known_left_out); !done) return done.error();
    const auto* slot = records_.find(table, key);
    return slot != nullptr ? nothing{slot->packed} : nothing{};
  }

  /// `newer` with all that was pending. What is damaged is left out: whoever reads on meets it.
  template <state::cold_records C>
  result<std::shared_ptr<const state::overlay>> all(C& cold, const state::overlay& newer) {
    const std::lock_guard lock(mutex_);
    while (!all_) {
      const auto* r = progress_.next();
      if (r == nullptr)
        all_ = std::make_shared<const state::overlay>(newer, records_);
      else if (newer.find(r->table, r->key) != nullptr)
        progress_.pass_over(*r);
      else if (auto done = fold(*r, cold, damaged_records::left_out); !done)
        return done.error();
    }
    return all_;
  }

 private:
  struct no_lock {
    void lock() noexcept {}
    void unlock() noexcept {}
  };

  template <state::cold_records C>
  result<> fold(const pending_tail::record& r, C& cold, damaged_records damaged) {
    no_lock none;
    return progress_.fold(r, records_, cold, damaged, rules_, none,
                          [](state::field_id) { return false; });
  }

  shared_tail tail_;
  std::mutex mutex_;  // guards these
  tail_progress progress_;
  state::working_set records_;
  part_rules rules_;
  std::shared_ptr<const state::overlay> all_;
};

}  // namespace joinery::detail
