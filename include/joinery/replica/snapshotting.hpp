// snapshotting: writes dirty records to the storage, a few at a time.
//
// Purpose: LMDB has one writer, so a snapshot is taken in bounded transactions between commits. A
// cycle notes the log position at its start, writes every record that was dirty then, and last the
// mark with that position.
// Invariants: the mark never claims what is not in `records`; a failed step loses nothing and is
// tried again; a staged record of a joined snapshot goes with the transaction that writes it
// joined.
// Thread-safety: none; guarded by its owner.
#pragma once

#include "joinery/history/snapshot.hpp"
#include "joinery/replica/options.hpp"
#include "joinery/replica/pending_join.hpp"
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

  /// Whether so much is waiting that writers must be slowed down: twice what makes a snapshot due,
  /// or more than the memory that records may take.
  [[nodiscard]] bool behind(const replica_state& state,
                            const replica_options& limits) const noexcept {
    return state.records.dirty_count() / 2 > limits.snapshot_records ||
           log_bytes_ / 2 > limits.snapshot_log_bytes ||
           state.records.memory() > limits.cache_bytes;
  }

  /// Steps that are due: one a write keeps up with small writes; after large ones as many follow as
  /// it takes, or memory and the tail of the log would grow without end. Then drops what is clean
  /// and too much. A failed step is remembered, and tried again at the next call.
  template <history::storage S>
  void keep_up(S& storage, replica_state& state, const replica_options& limits) {
    state.refresh_indexes();
    state.records.shrink(limits.cache_bytes);
    if (!due(state, limits) && !behind(state, limits)) return;
    for (;;) {
      const auto done = step(storage, state, limits);
      state.records.shrink(limits.cache_bytes);
      if (!done || *done || !behind(state, limits)) return;
    }
  }

  /// One transaction of the cycle; begins one when none is under way. True when the snapshot is
  /// complete.
  template <history::storage S>
  result<bool> step(S& storage, replica_state& state, const replica_options& limits) {
    if (!active_) {
      if (position_ == state.last_position && state.records.dirty_count() == 0) return true;
      begin(state);
    }
    std::size_t count = 0;
    auto stored = storage.write([&](auto& writer) -> result<> {
      std::size_t size = 0;
      count = 0;
      state.records.for_each_to_write([&](const auto& slot) {
        const bool full =
            count >= limits.snapshot_step_records || size >= limits.snapshot_step_bytes;
        if (full && count > 0) return false;
        const auto& [table, key] = slot.name();
        state.indexes.store(writer, state.vocabulary(), table, key, slot.packed);
        if (state::is_parts(table))
          history::put_part(writer, table, key, slot.position, slot.packed);
        else
          history::put_record(writer, table, key, slot.position, slot.packed);
        if (state.joining) writer.erase(history::area::staged, staged_key(table, key));
        size += slot.packed.size();
        ++count;
        return true;
      });
      if (count == state.records.to_write())
        history::put_sealed(writer, history::area::meta, "snapshot", history::write_mark(next_));
      return {};
    });
    const std::lock_guard lock(state.publication);
    if (!stored) {
      last_error_ = stored.error();
      state.records.give_up_writing();
      log_bytes_ += cycle_bytes_;  // still due
      active_ = false;
      return stored.error();
    }
    last_error_.reset();
    state.records.for_each_to_write([&, left = count](const auto& slot) mutable {
      if (left-- == 0) return false;
      state.indexes.settled(state.names, slot.name().table, slot.name().key);
      return true;
    });
    state.records.written(count);
    if (state.records.to_write() > 0) return false;
    position_ = next_.position;
    active_ = false;
    return position_ == state.last_position;
  }

 private:
  void begin(replica_state& state) {
    const std::lock_guard lock(state.publication);
    next_ = {state.last_position, state.clock.highest(), state.origins, state.logged_bytes};
    state.records.begin_writing();
    cycle_bytes_ = std::exchange(log_bytes_, 0);
    active_ = true;
  }

  bool active_ = false;
  history::snapshot_mark next_;
  std::size_t log_bytes_ = 0;    // since the last cycle began
  std::size_t cycle_bytes_ = 0;  // before it
  std::uint64_t position_ = 0;
  std::optional<error> last_error_;
};

}  // namespace joinery::detail
