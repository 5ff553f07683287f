// tail_folding: the part of an engine that reads the log beyond its snapshot, and folds it in.
//
// Purpose: opening reads the tail of the log once, and looks at no record but those of the engine's
// own tables; all others are folded in when they are needed (pending_tail.hpp), a few at each
// `tend`, and at once by whatever needs the whole state. A base of `engine`, whose members it uses.
// Invariants: versions, clock, names, heads and position cover the whole tail from the opening on;
// no snapshot is begun while anything is pending, so that its mark claims nothing that is not in
// `records`.
// Thread-safety: as the engine: one thread at a time; `tail_` is guarded by `publication`.
#pragma once

#include <cassert>

#include "joinery/replica/cold_reader.hpp"
#include "joinery/replica/snapshotting.hpp"
#include "joinery/replica/store_layout.hpp"
#include "joinery/replica/tail_progress.hpp"

namespace joinery::detail {

template <class Engine>
class tail_folding {
 protected:
  /// How many records `tend` and writes fold in at a time.
  static constexpr std::size_t tail_step = 256;

  /// Records that are not in memory, with what is still to be joined of a snapshot. For whoever
  /// has folded the rest in.
  auto cold() noexcept {
    assert(!tail_);
    return cold_but_tail();
  }
  /// The same for whoever wants records only of which nothing is pending.
  auto cold_but_tail() noexcept {
    return cold_reader{self().storage_, self().pending_, &self().repairs_.ledger()};
  }

  /// Reads what the log has beyond the snapshot. Errors: gap, and those of reading; then what stood
  /// before is in.
  result<> read_tail() {
    drop_tail();
    auto gathered = std::make_shared<pending_tail>();
    auto read = read_log_after(self().storage_, state(), [&](bytes data) -> result<> {
      if (!gathered) return fold_now(data);
      if (auto done = take_up(*gathered, std::move(data)); !done) return done;
      if (!is_long(*gathered)) return {};
      keep(std::exchange(gathered, nullptr));
      auto done = fold_pending(~std::size_t{0});
      bound_memory();
      return done;
    });
    if (gathered) keep(std::move(gathered));
    return read;
  }
  /// As `read_tail`, when it had to stop on the way: folds at once.
  result<> read_rest_of_tail() {
    if (auto done = fold_rest(); !done) return done;
    return read_log_after(self().storage_, state(), [&](bytes data) { return fold_now(data); });
  }
  /// For whoever gives the state up.
  void drop_tail() {
    const std::lock_guard lock(state().publication);
    tail_.reset();
    progress_ = {};
  }

  /// Folds in what is pending of a record. Errors: checksum, and the storage's.
  result<> fold_in(state::name_index table, bytes_view key) {
    if (!tail_) return {};
    const auto* r = progress_.find(table, key);
    return r != nullptr ? fold(*r, damaged_records::known_left_out) : result<>{};
  }
  /// Reads in what a changeset is about to change (replica_state.hpp).
  result<> make_ready(const codec::changeset& c, damaged_records damaged, resolved_changeset& is) {
    for (std::size_t i = 0; tail_ && i < c.records.size(); ++i) {
      const auto table = state().names.find(c.names[c.records[i].table]);
      if (!table) continue;
      if (auto done = fold_in(*table, c.records[i].key); !done) return done;
    }
    auto cold = cold_but_tail();
    return state().read_in(c, cold, damaged, is, [](state::name_index) { return false; });
  }
  /// Folds everything in. What is damaged is left out, and made anew from the log if that goes.
  result<> fold_rest() { return fold_some(~std::size_t{0}); }
  /// For whoever is about to look at all records. Errors: those of `known`, and the storage's.
  result<> known_whole() {
    auto done = self().known();
    return done ? fold_rest() : done;
  }
  /// Folds as many records in.
  result<> fold_some(std::size_t records) {
    if (!tail_) return {};
    auto done = fold_pending(records);
    if (self().repairs_.ledger().met_any())
      static_cast<void>(self().repairs_.settle(self().storage_, state(), self().now_ms()));
    if (!self().repairs_.stopped_at()) bound_memory();
    return done;
  }

  /// The slot of a record with everything that is known of it.
  result<state::working_set::slot*> load_folded(state::name_index table, bytes_view key) {
    if (tail_)
      if (auto done = fold_in(table, key); !done) return done.error();
    auto cold = cold_but_tail();
    return state().records.load(cold, table, key);
  }

  /// After a write: the snapshot moves on, if it is time, once nothing is pending.
  void keep_snapshot_up() {
    auto& e = self();
    if (tail_ && e.snapshots_.due(state(), e.options_)) {
      const bool behind = e.snapshots_.behind(state(), e.options_);
      if (auto done = fold_some(behind ? ~std::size_t{0} : tail_step); !done) return;
    }
    if (!tail_) return e.snapshots_.keep_up(e.storage_, state(), e.options_);
    state().refresh_indexes();
    state().records.shrink(room_for_records());
  }
  /// What the cache has beside the tail.
  [[nodiscard]] std::size_t room_for_records() noexcept {
    const auto all = self().options_.cache_bytes;
    return tail_ ? all - std::min(all, tail_->memory()) : all;
  }

  shared_tail tail_;  // null when nothing is pending

 private:
  Engine& self() noexcept { return static_cast<Engine&>(*this); }
  replica_state& state() noexcept { return self().state_; }

  // The engine's own tables are read while it opens: nothing of them waits.
  bool waits(state::name_index table) { return !state().names[table].starts_with("joinery."); }
  // Longer than a tail becomes where snapshots keep up, or than memory allows: not worth while.
  bool is_long(const pending_tail& tail) {
    constexpr std::size_t some = 16u << 10;
    const auto& limits = self().options_;
    return tail.records().size() / 2 > limits.snapshot_records ||
           tail.memory() > std::max(some, limits.cache_bytes / 2);
  }
  // The snapshot moves on, where it may, when more is in memory than should be.
  void bound_memory() {
    auto& e = self();
    if (!tail_ && state().records.memory() > e.options_.cache_bytes && !e.storage_.read_only())
      e.snapshots_.keep_up(e.storage_, state(), e.options_);
  }

  // The dot of a changeset that follows in the log.
  result<causal::dot> dot_of(const codec::changeset& c) {
    const causal::dot at{state().index_of(c.origin), c.seq};
    if (at.seq != state().seen.at(at.replica) + 1) return log_gap(state().last_position + 1);
    return at;
  }
  void count(std::size_t size) {
    self().snapshots_.logged(size);
    state().logged_bytes += size;
  }

  result<> fold_now(bytes_view data) {
    auto parsed = codec::decode_changeset(data);
    if (!parsed) return parsed.error();
    const auto at = dot_of(*parsed);
    if (!at) return at.error();
    auto cold = this->cold();
    resolved_changeset here;
    if (auto done = state().prepare(*parsed, cold, damaged_records::left_out, here); !done)
      return done;
    state().fold(*at, *parsed, here, history::chain_next(state().origins[at->replica].chain, data),
                 state().last_position + 1);
    count(data.size());
    bound_memory();
    return {};
  }

  result<> take_up(pending_tail& tail, bytes data) {
    auto& m = tail.next();
    m.data = std::move(data);
    auto done = take_up(m);
    if (!done) return tail.drop_next(), done;
    tail.add_next(state().replicas, state().origins[m.at.replica].seen,
                  [&](state::name_index table) { return waits(table); });
    return {};
  }
  result<> take_up(pending_tail::member& m) {
    if (auto done = codec::decode_changeset(m.data, m.parsed); !done) return done;
    const auto at = dot_of(m.parsed);
    if (!at) return at.error();
    auto cold = cold_but_tail();
    resolved_changeset here;
    auto done = state().prepare(m.parsed, cold, damaged_records::left_out, here,
                                [&](state::name_index table) { return waits(table); });
    if (!done) return done;
    m.at = *at;
    m.names = std::move(here.names);
    here.names = m.names;
    m.position = state().last_position + 1;
    const auto chain = state().origins[at->replica].chain;  // `keep` gives it its due
    state().fold(*at, m.parsed, here, chain, m.position);
    count(m.data.size());
    return {};
  }

  void keep(std::shared_ptr<pending_tail> tail) {
    find_chains(*tail);
    const std::lock_guard lock(state().publication);
    tail_ = tail->records().empty() ? nullptr : std::move(tail);
    progress_ = tail_progress{tail_};
  }
  // The digests of the origins' changesets up to the end of the tail, as they were stored with it,
  // or, where that cannot be read, from the changesets themselves.
  void find_chains(const pending_tail& tail) {
    std::vector<const pending_tail::member*> last(state().origins.size());
    for (const auto& m : tail.members()) last[m.at.replica] = &m;
    static_cast<void>(self().storage_.read([&](auto& view) -> result<> {
      for (auto& m : last) {
        if (m == nullptr) continue;
        const auto place = history::find_changeset(view, m->at);
        if (!place || !*place || (*place)->position != m->position) continue;
        state().origins[m->at.replica].chain = (*place)->chain;
        m = nullptr;
      }
      return {};
    }));
    for (const auto& m : tail.members()) {
      if (last[m.at.replica] == nullptr) continue;
      auto& chain = state().origins[m.at.replica].chain;
      chain = history::chain_next(chain, m.data);
    }
  }

  result<> fold(const pending_tail::record& r, damaged_records damaged) {
    auto cold = cold_but_tail();
    auto done =
        progress_.fold(r, state().records, cold, damaged, state().parts, state().publication,
                       [&](state::field_id f) { return state().may_grow(r.table, f); });
    if (progress_.next() == nullptr) drop_tail();
    return done;
  }
  result<> fold_pending(std::size_t records) {
    for (; tail_ && records > 0; --records)
      if (auto done = fold(*progress_.next(), damaged_records::left_out); !done) return done;
    return {};
  }

  tail_progress progress_;
};

}  // namespace joinery::detail
