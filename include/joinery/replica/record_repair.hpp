// record_repair: makes records, and parts of large fields, anew from the log.
//
// Purpose: a damaged record of the snapshot is not lost as long as the log has its operations: they
// are applied again, from nothing, or from the state that a peer has given.
// Invariants: reads in batches, never in one long transaction; gives a record only when every
// operation that it needs was read. The log may begin anywhere.
// Thread-safety: none; called by the replica's owner.
#pragma once

#include <map>

#include "joinery/replica/damage.hpp"
#include "joinery/replica/replica_state.hpp"
#include "joinery/replica/store_layout.hpp"

namespace joinery::detail {

/// A record as it was at a version: what a rebuild begins with. Or a part of a large field, in
/// which incarnation of its record.
struct record_base {
  bytes packed;
  causal::version seen;
  std::uint64_t incarnation = 0;  ///< of a part
};
using record_bases = std::map<state::record_name, record_base, state::record_order>;

/// Applies an operation to a part, if it concerns that.
inline void apply_to_part(record_base& part, const state::part_group& group, bytes_view begins,
                          const codec::record_op& op, state::field_id field,
                          const causal::stamp& by) {
  if (op.incarnation < part.incarnation) return;
  if (op.incarnation > part.incarnation) part.packed.clear();
  part.incarnation = op.incarnation;
  if (!crdt::carries_delta(op.action) || field != group.field) return;
  if (state::beginning(crdt::coalescing_key(field.type, op.delta)) != begins) return;
  crdt::apply(field.type, part.packed, op.delta, by).onto(part.packed);
}

/// Applies one changeset to those of `records` that it touches and that have not seen it.
inline void apply_to(record_bases& records, const replica_state& state, causal::dot at,
                     const codec::changeset& c, const causal::version& context) {
  const causal::stamp by{at, c.time, context};
  for (const auto& op : c.ops) {
    const auto& where = c.records[op.record];
    const auto table = state.names.find(c.names[where.table]);
    if (!table) continue;
    state::field_id field;
    if (crdt::carries_delta(op.action)) {
      const auto name = state.names.find(c.names[op.field]);
      if (!name) continue;
      field = {*name, op.type};
    }
    const auto found = records.find(state::record_name_view{*table, where.key});
    if (found != records.end() && !found->second.seen.seen(at))
      state::apply_op(found->second.packed, op.action, op.incarnation, field, op.delta, by);
    const auto prefix = state::parts_prefix(where.key);
    auto part = records.lower_bound(state::record_name_view{state::parts_of(*table), prefix});
    for (; part != records.end() && part->first.table == state::parts_of(*table) &&
           part->first.key.starts_with(prefix);
         ++part) {
      const auto name = state::read_part_key(part->first.table, part->first.key);
      if (name && !part->second.seen.seen(at))
        apply_to_part(part->second, name->first, name->second, op, field, by);
    }
  }
}

/// Reads the log's changesets, in order and in batches: `each(parsed) -> result<>`. Those from
/// before a snapshot was joined do not lead to what is there now.
template <history::storage S, class F>
result<> for_each_logged(S& storage, const replica_state& state, F&& each) {
  constexpr std::size_t batch_size = 256;
  const auto last = state.last_position;
  for (auto from = state.joined_at + 1; from <= last;) {
    std::vector<bytes> batch;
    auto next = from;
    auto read = storage.read([&](auto& view) -> result<> {
      batch.clear();
      return history::scan_log(view, from, state.log, [&](std::uint64_t at, bytes_view data) {
        if (at > last) return false;
        next = at + 1;
        batch.emplace_back(data);
        return batch.size() < batch_size;
      });
    });
    if (!read) return read;
    if (batch.empty()) return {};
    for (const auto& data : batch) {
      auto parsed = codec::decode_changeset(data);
      if (!parsed) return parsed.error();
      if (auto done = each(*parsed); !done) return done;
    }
    from = next;
  }
  return {};
}

/// What each origin was before the log's first entry. A changeset tells how its origin's version
/// grew, so that is what the origin is now, less all that the log tells.
template <history::storage S>
result<history::origin_table> origins_before(S& storage, const replica_state& state) {
  auto origins = state.origins;
  auto read = for_each_logged(storage, state, [&](const auto& c) -> result<> {
    const auto index = state.replicas.find(c.origin);
    if (!index || origins[*index].seq == 0) return log_gap(0);
    auto& o = origins[*index];
    o.seen.set(*index, --o.seq);
    for (const auto& s : c.seen) {
      const auto r = state.replicas.find(s.replica);
      if (!r || o.seen.at(*r) < s.increase) return log_gap(0);
      o.seen.set(*r, o.seen.at(*r) - s.increase);
    }
    return {};
  });
  if (!read) return read.error();
  return origins;
}

/// Brings `records` to what the log makes of them at `state.last_position`, beginning with what
/// they hold: they must have seen all that the log no longer has. Errors: gap, when they have not;
/// those of the log, such as another damaged entry.
template <history::storage S>
result<> rebuild_from_log(S& storage, const replica_state& state, record_bases& records) {
  auto origins = origins_before(storage, state);
  if (!origins) return origins.error();
  for (causal::replica_index r = 0; r < origins->size(); ++r)
    for (const auto& [name, base] : records)
      if (base.seen.at(r) < (*origins)[r].seq) return log_gap(0);
  return for_each_logged(storage, state, [&](const auto& c) -> result<> {
    const auto index = *state.replicas.find(c.origin);
    auto& origin = (*origins)[index];
    if (c.seq != origin.seq + 1) return log_gap(0);
    const causal::dot at{index, c.seq};
    state.advance(origin, at, c, {});
    apply_to(records, state, at, c, origin.seen);
    return {};
  });
}

/// Puts rebuilt records into the snapshot and takes their marks away.
template <history::storage S>
result<> put_rebuilt(S& storage, const replica_state& state, const record_bases& records) {
  return storage.write([&](auto& writer) -> result<> {
    for (const auto& [name, base] : records) {
      if (!base.packed.empty()) {
        state.indexes.store(writer, state.vocabulary(), name.table, name.key, base.packed);
        history::put_record(writer, name.table, name.key, state.last_position, 0, base.packed);
      }
      writer.erase(history::area::quarantine,
                   damage::quarantine_key(history::area::records,
                                          history::record_key(name.table, name.key)));
    }
    return {};
  });
}

}  // namespace joinery::detail
