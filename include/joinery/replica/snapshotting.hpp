// snapshotting: writes dirty records to the storage, a few at a time.
//
// Purpose: LMDB has one writer, so a snapshot is taken in bounded transactions between commits. A
// cycle notes the log position at its start, writes every record that was dirty then, and last the
// mark with that position.
// Invariants: the mark never claims what is not in `records`; a failed step loses nothing and is
// tried again.
// Thread-safety: none; guarded by its owner.
#pragma once

#include "joinery/history/snapshot.hpp"
#include "joinery/replica/options.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

class snapshotting {
 public:
  /// To be told of each changeset that went into the log.
  void logged(std::size_t size) noexcept { log_bytes_ += size; }
  /// The position that the stored snapshot covers.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  void restored(std::uint64_t position) noexcept { position_ = position; }
  [[nodiscard]] const std::optional<error>& last_error() const noexcept { return last_error_; }

  [[nodiscard]] bool due(const replica_state& state, const replica_options& limits) const noexcept {
    return active_ || state.records.dirty_count() >= limits.snapshot_records ||
           log_bytes_ >= limits.snapshot_log_bytes;
  }

  /// How many records of the cycle under way are not written yet.
  [[nodiscard]] std::size_t pending() const noexcept { return todo_.size() - done_; }
  /// Whether so much is waiting that writers must be slowed down: twice what makes a snapshot due.
  [[nodiscard]] bool behind(const replica_state& state,
                            const replica_options& limits) const noexcept {
    return (pending() + state.records.dirty_count()) / 2 > limits.snapshot_records ||
           log_bytes_ / 2 > limits.snapshot_log_bytes;
  }

  /// One transaction of the cycle; begins one when none is under way. True when the snapshot is
  /// complete.
  template <history::storage S>
  result<bool> step(S& storage, replica_state& state, const replica_options& limits) {
    if (!active_) {
      if (position_ == state.last_position) return true;
      next_ = {state.last_position, state.clock.highest(), state.origins};
      todo_ = state.records.take_dirty();
      done_ = 0;
      cycle_bytes_ = std::exchange(log_bytes_, 0);
      active_ = true;
    }
    std::size_t end = done_;
    auto stored = storage.write([&](auto& writer) -> result<> {
      std::size_t size = 0;
      for (end = done_; end < todo_.size(); ++end) {
        const bool full =
            end - done_ >= limits.snapshot_step_records || size >= limits.snapshot_step_bytes;
        if (full && end > done_) break;
        const auto* slot = state.records.find(todo_[end].table, todo_[end].key);
        history::put_record(writer, todo_[end].table, todo_[end].key, slot->position, slot->packed);
        size += slot->packed.size();
      }
      if (end == todo_.size())
        history::put_sealed(writer, history::area::meta, "snapshot", history::write_mark(next_));
      return {};
    });
    if (!stored) {
      last_error_ = stored.error();
      todo_.erase(todo_.begin(), todo_.begin() + static_cast<std::ptrdiff_t>(done_));
      state.records.give_back(std::move(todo_));
      todo_.clear();
      done_ = 0;
      log_bytes_ += cycle_bytes_;  // still due
      active_ = false;
      return stored.error();
    }
    last_error_.reset();
    for (; done_ < end; ++done_)
      state.records.find(todo_[done_].table, todo_[done_].key)->dirty = false;
    if (done_ < todo_.size()) return false;
    position_ = next_.position;
    todo_.clear();
    done_ = 0;
    active_ = false;
    return position_ == state.last_position;
  }

 private:
  bool active_ = false;
  history::snapshot_mark next_;
  std::vector<state::record_name> todo_;
  std::size_t done_ = 0;
  std::size_t log_bytes_ = 0;    // since the last cycle began
  std::size_t cycle_bytes_ = 0;  // before it
  std::uint64_t position_ = 0;
  std::optional<error> last_error_;
};

}  // namespace joinery::detail
