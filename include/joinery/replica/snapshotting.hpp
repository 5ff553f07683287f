// snapshotting: writes dirty records to the storage, a few at a time.
//
// Purpose: LMDB has one writer, so a snapshot is taken in bounded transactions between commits. A
// cycle notes the log position at its start, writes every record that was dirty then, and last the
// mark with that position.
// Invariants: the mark never claims what is not in `records`; a failed step loses nothing and is
// tried again; a staged record of a joined snapshot goes with the transaction that writes it
// joined; a record has the number that its row has only once that is stored.
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

  /// A step that is due is written in the transaction of somebody else's write, which is synced
  /// once for both: `board` before that write has changed anything in memory, `ride_along` in the
  /// transaction, then `rode_along` once it is committed, or `fell_off` when it failed.
  void board(replica_state& state, const replica_options& limits) {
    riding_ = false;
    if (!active_ && due(state, limits) && !behind(state, limits)) begin(state);
  }
  template <history::storage_writer W>
  void ride_along(W& writer, replica_state& state, const replica_options& limits) {
    riding_ = active_ && !behind(state, limits);
    if (riding_) write_step(writer, state, limits);
  }
  [[nodiscard]] bool riding() const noexcept { return riding_; }
  void rode_along(replica_state& state) {
    if (std::exchange(riding_, false)) static_cast<void>(finish_step(state));
  }
  void fell_off(replica_state& state, const error& why) {
    if (std::exchange(riding_, false)) fail_step(state, why);
  }

  /// As many steps of their own as it takes, or memory and the tail of the log would grow without
  /// end; where less is waiting, the next write takes one along. Then drops what is clean and too
  /// much. A failed step is remembered, and tried again at the next call.
  template <history::storage S>
  void keep_up(S& storage, replica_state& state, const replica_options& limits) {
    state.refresh_indexes();
    state.records.shrink(limits.cache_bytes);
    while (behind(state, limits)) {
      const auto done = step(storage, state, limits);
      state.records.shrink(limits.cache_bytes);
      if (!done || *done) return;
    }
    prepare(state, limits);
  }

  /// One transaction of the cycle; begins one when none is under way. True when the snapshot is
  /// complete.
  template <history::storage S>
  result<bool> step(S& storage, replica_state& state, const replica_options& limits) {
    if (!active_) {
      if (position_ == state.last_position && state.records.dirty_count() == 0) return true;
      begin(state);
    }
    auto stored = storage.write([&](auto& writer) -> result<> {
      write_step(writer, state, limits);
      return {};
    });
    if (stored) return finish_step(state);
    fail_step(state, stored.error());
    return stored.error();
  }

 private:
  // A cycle writes in order, and no write should have to put thousands of records in order because
  // it is the one that begins the cycle. So each does some: the nearer the cycle, the smaller the
  // part of what is dirty that may be out of order.
  void prepare(replica_state& state, const replica_options& limits) {
    const auto part = [](std::size_t of, std::size_t limit) {
      return static_cast<double>(of) / static_cast<double>(std::max<std::size_t>(limit, 1));
    };
    const auto dirty = state.records.dirty_count();
    const auto near = std::min(1.0, std::max(part(dirty, limits.snapshot_records),
                                             part(log_bytes_, limits.snapshot_log_bytes)));
    state.records.put_in_order(static_cast<std::size_t>((1.0 - near) * static_cast<double>(dirty)));
  }

  void begin(replica_state& state) {
    const std::lock_guard lock(state.publication);
    next_ = {state.last_position, state.clock.highest(), state.origins, state.logged_bytes};
    state.records.begin_writing();
    cycle_bytes_ = std::exchange(log_bytes_, 0);
    active_ = true;
  }

  template <history::storage_writer W>
  void write_step(W& writer, replica_state& state, const replica_options& limits) {
    std::size_t size = 0;
    count_ = 0;
    // While the tail is replayed nothing is known yet of what an earlier process stored.
    state.parts.stored = std::max(state.parts.stored, state.last_position);
    numbers_ = state.numbers.begin();
    state.records.for_each_to_write([&](const auto& slot) {
      const bool full =
          count_ >= limits.snapshot_step_records || size >= limits.snapshot_step_bytes;
      if (full && count_ > 0) return false;
      const auto [table, key] = slot.name();
      state.indexes.store(writer, state.vocabulary(), table, key, slot.packed);
      if (state::is_parts(table))
        history::put_part(writer, table, key, slot.position, slot.packed);
      else
        history::put_record(writer, table, key, slot.position, number_for(writer, slot),
                            slot.packed);
      if (state.joining) writer.erase(history::area::staged, staged_key(table, key));
      size += slot.packed.size();
      ++count_;
      return true;
    });
    numbers_.put(writer);
    if (count_ == state.records.to_write())
      history::put_sealed(writer, history::area::meta, "snapshot", history::write_mark(next_));
  }

  // Where the log names records by numbers each gets one with its row.
  template <history::storage_writer W>
  std::uint32_t number_for(W& writer, const state::working_set::slot& slot) {
    const bool fresh = history::packs_log(writer) && state::working_set::needs_number(slot);
    return fresh ? numbers_.add(writer, slot.name().key) : slot.number();
  }

  // True when the snapshot is complete.
  bool finish_step(replica_state& state) {
    const std::lock_guard lock(state.publication);
    last_error_.reset();
    state.records.for_each_to_write([&, left = count_](const auto& slot) mutable {
      if (left-- == 0) return false;
      state.indexes.settled(state.names, slot.name().table, slot.name().key);
      return true;
    });
    state.records.written(count_, numbers_.first(), numbers_.end());
    state.numbers.accept(std::move(numbers_));
    if (state.records.to_write() > 0) return false;
    position_ = next_.position;
    active_ = false;
    return position_ == state.last_position;
  }
  void fail_step(replica_state& state, const error& why) {
    const std::lock_guard lock(state.publication);
    last_error_ = why;
    state.records.give_up_writing();
    log_bytes_ += cycle_bytes_;  // still due
    active_ = false;
  }

  bool active_ = false;
  bool riding_ = false;                    // a step is part of a write that is not committed yet
  std::size_t count_ = 0;                  // records of the last step
  history::number_ledger::batch numbers_;  // given in the last step
  history::snapshot_mark next_;
  std::size_t log_bytes_ = 0;    // since the last cycle began
  std::size_t cycle_bytes_ = 0;  // before it
  std::uint64_t position_ = 0;
  std::optional<error> last_error_;
};

}  // namespace joinery::detail
