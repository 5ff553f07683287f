// replica_state: all that a replica knows in memory, and how a changeset is folded into it.
//
// Purpose: rosters, names, versions, heads, the clock and the working set belong together: a
// changeset moves all of them, or none.
// Invariants: everything up to `last_position` is in; `origins` has an entry for each replica
// index.
// Thread-safety: one thread at a time, but for what `publication` guards.
#pragma once

#include "joinery/base/movable_mutex.hpp"
#include "joinery/codec/changeset.hpp"
#include "joinery/history/log.hpp"
#include "joinery/history/origins.hpp"
#include "joinery/replica/local_tables.hpp"
#include "joinery/replica/record_folding.hpp"
#include "joinery/state/change.hpp"
#include "joinery/state/working_set.hpp"

namespace joinery::detail {

/// The part that an operation of a changeset goes to.
struct part_of_op {
  std::size_t op = 0;
  looked_up_part part;
};

/// What a changeset's names and records are here.
struct resolved_changeset {
  std::vector<state::name_index> names;
  std::vector<state::working_set::slot*> records;  ///< null: to be passed over
  std::vector<part_of_op> parts;                   ///< ascending by operation
  std::vector<std::uint64_t> hashes;               // of the records' names

  /// It is folded soon: the processor may fetch its slots, and once they are there, their bytes.
  void expect_slots() const noexcept {
    for (const auto* s : records)
      if (s != nullptr) s->expect();
    for (const auto& p : parts) p.part.at->expect();
  }
  void expect_bytes() const noexcept {
    for (const auto* s : records)
      if (s != nullptr) s->packed.expect();
    for (const auto& p : parts) p.part.at->packed.expect();
  }

  void clear() noexcept {
    names.clear();
    records.clear();
    parts.clear();
    hashes.clear();
  }
};

struct replica_state {
  space_id space;
  replica_id self;
  causal::roster replicas;
  state::name_table names;
  causal::version seen;
  history::origin_table origins;
  causal::hybrid_clock clock;
  state::working_set records;
  index_set indexes;
  local_tables local;
  part_rules parts;
  std::uint64_t last_position = 0;
  std::uint64_t logged_bytes = 0;  ///< of all changesets that were ever put into the log
  std::uint64_t joins = 0;         ///< snapshots joined since it was opened
  std::uint64_t joined_at = 0;     ///< log position of the last join that the floor is not beyond
  bool joining = false;            ///< records of that one are staged still (pending_join.hpp)
  history::number_ledger numbers;  ///< what records are called in the log
  mutable history::proven_numbers proven;  ///< and which of these names may be used
  mutable history::log_reader log;         ///< where the log was read last
  /// Held by whoever changes `seen`, `last_position`, what is stored of roster and names, dirty
  /// records, or which ones are dirty, and
  /// by whoever looks at them from another thread (readers). Never inside a storage's write.
  mutable movable_mutex publication;
  /// How many roster entries and names the storage has.
  std::size_t stored_replicas = 0;
  std::size_t stored_names = 0;

  /// The index of `id`, with an origin entry.
  causal::replica_index index_of(const replica_id& id) {
    const auto index = replicas.add(id);
    while (origins.size() <= index) {
      const auto fresh = static_cast<causal::replica_index>(origins.size());
      origins.emplace_back().chain = history::chain_start(space, replicas[fresh]);
    }
    return index;
  }

  /// What this replica has seen since its own last changeset, ascending by id.
  [[nodiscard]] std::vector<codec::seen_increase> newly_seen() {
    const auto own = index_of(self);
    std::vector<codec::seen_increase> out;
    const auto& before = origins[own].seen;
    for (causal::replica_index r = 0; r < seen.size(); ++r)
      if (r != own && seen.at(r) > before.at(r))
        out.push_back({replicas[r], seen.at(r) - before.at(r)});
    std::sort(out.begin(), out.end(),
              [](const codec::seen_increase& a, const codec::seen_increase& b) {
                return a.replica < b.replica;
              });
    return out;
  }

  /// Undoes additions to the roster and the names that came to nothing.
  void forget_unstored() {
    replicas.shrink(stored_replicas);
    origins.resize(stored_replicas);
    names.shrink(stored_names);
  }

  /// Lets an origin's version and head move on to `c`. `origin` may be a copy.
  void advance(history::origin_state& origin, causal::dot at, const codec::changeset& c,
               const crypto::digest& chain) const {
    for (const auto& s : c.seen) {
      const auto r = *replicas.find(s.replica);
      origin.seen.set(r, origin.seen.at(r) + s.increase);
    }
    origin.seen.raise(at);
    origin.seq = at.seq;
    origin.time = c.time;
    origin.chain = chain;
  }

  /// Folds `c`, which stands at `position`, into version, clock and records. Cannot fail: `prepare`
  /// gave indexes to every id and name in it and loaded its records and parts. Records that already
  /// stand for `position` are left as they are. `watching` is told what becomes of the records that
  /// it wants. `is` comes from `prepare`, since when no record was dropped from memory.
  template <class Observer = state::no_observer>
  void fold(causal::dot at, const codec::changeset& c, const resolved_changeset& is,
            const crypto::digest& chain, std::uint64_t position, Observer&& watching = {}) {
    const std::lock_guard lock(publication);
    local.publish(true);
    auto& origin = origins[at.replica];
    advance(origin, at, c, chain);
    seen.raise(at);
    clock.observe(c.time);
    last_position = position;
    const causal::stamp by{at, c.time, origin.seen};
    auto asked = ~std::uint32_t{0};  // of which table, last
    auto wanted = state::interest::none;
    const auto count = c.ops.size();
    auto known = is.parts.begin();
    for (std::size_t i = 0; i < count;) {
      const auto record = c.ops[i].record;
      const auto& where = c.records[record];
      const auto table = is.names[where.table];
      const auto name = c.names[where.table];
      auto* slot = is.records[record];
      record_folding folding{records, parts, slot, position};
      if (std::exchange(asked, where.table) != where.table) wanted = watching.interest_in(name);
      const bool watched = wanted != state::interest::none && folding.folds() &&
                           (wanted == state::interest::all || watching.wants(name, where.key));
      auto old = watched ? watching.keep(slot->packed) : shared_bytes{};
      for (; i < count && c.ops[i].record == record; ++i) {
        const auto& op = c.ops[i];
        state::field_id field;
        if (crdt::carries_delta(op.action)) field = {is.names[op.field], op.type};
        looked_up_part part;
        if (known != is.parts.end() && known->op == i) part = (known++)->part;
        folding.apply(
            op, field, i, by, [&](state::field_id f) { return may_grow(table, f); }, part);
      }
      folding.finish();
      if (watched)
        watching.changed(name, where.key, std::move(old), slot->packed, folding.parts_changed());
    }
  }

  [[nodiscard]] record_vocabulary vocabulary() const noexcept { return {names, replicas}; }

  /// Tells the indexes of the records that changed in memory.
  void refresh_indexes() {
    for (const auto& name : records.take_touched()) {
      const auto* slot = records.find(name.table, name.key);
      if (slot != nullptr && slot->dirty())
        indexes.changed(vocabulary(), name.table, name.key, slot->packed);
      else
        indexes.settled(names, name.table, name.key);
    }
  }

  /// Whether a field may be taken apart. Those of the engine's own tables are read in one piece,
  /// and an index lists a record with its own bytes.
  [[nodiscard]] bool may_grow(state::name_index table, state::field_id field) {
    return !names[table].starts_with("joinery.") &&
           indexes.find(names[table], names[field.name], field.type) == nullptr;
  }

  /// Gives every name in `c` an index.
  void look_up(const codec::changeset& c, resolved_changeset& is) {
    is.clear();
    for (const auto& s : c.seen) index_of(s.replica);
    for (const auto name : c.names) is.names.push_back(names.add(name));
    for (const auto& r : c.records) is.hashes.push_back(records.expect(is.names[r.table], r.key));
  }
  /// What was looked up is read in soon.
  void expect(const resolved_changeset& is) const noexcept {
    for (const auto hash : is.hashes) records.expect_soon(hash);
  }
  /// Reads the records and parts in of what was looked up, so that `fold` cannot fail. Records that
  /// were found damaged count as an error, or are left out: `fold` passes them over, and they are
  /// rebuilt from the log. It passes over those as well that `waits(table)` tells of: they are
  /// folded later (pending_tail.hpp).
  template <state::cold_records C, class F>
  result<> read_in(const codec::changeset& c, C& cold, damaged_records damaged,
                   resolved_changeset& is, F&& waits) {
    for (std::size_t i = 0; i < c.records.size(); ++i) {
      const auto& r = c.records[i];
      const auto table = is.names[r.table];
      is.records.push_back(nullptr);
      if (waits(table)) continue;
      auto slot = records.load(cold, table, r.key, is.hashes[i]);
      if (!slot && !passes_over(slot.error(), damaged)) return slot.error();
      if (!slot) continue;
      is.records.back() = *slot;
      (*slot)->packed.expect();
    }
    parts.prepared = last_position;
    for (std::size_t i = 0; i < c.ops.size(); ++i) {
      const auto& op = c.ops[i];
      const auto* slot = is.records[op.record];
      if (slot == nullptr || !may_concern_part(op)) continue;
      const state::field_id field{is.names[op.field], op.type};
      const auto part = load_part(records, cold, parts, *slot, op, field, damaged);
      if (!part) return part.error();
      if (part->at != nullptr) is.parts.push_back({i, *part});
    }
    return {};
  }
  /// All of it for one changeset.
  template <state::cold_records C, class F>
  result<> prepare(const codec::changeset& c, C& cold, damaged_records damaged,
                   resolved_changeset& is, F&& waits) {
    look_up(c, is);
    expect(is);
    return read_in(c, cold, damaged, is, waits);
  }
  template <state::cold_records C>
  result<> prepare(const codec::changeset& c, C& cold, damaged_records damaged,
                   resolved_changeset& is) {
    return prepare(c, cold, damaged, is, [](state::name_index) { return false; });
  }
};

}  // namespace joinery::detail
