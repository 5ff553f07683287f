// record_repair: makes records anew from the log.
//
// Purpose: a damaged record of the snapshot is not lost as long as the log has its operations: they
// are applied again, from nothing, or from the state that a peer has given.
// Invariants: reads in batches, never in one long transaction; gives a record only when every
// operation that it needs was read.
// Thread-safety: none; called by the replica's owner.
#pragma once

#include <map>

#include "joinery/replica/replica_state.hpp"
#include "joinery/replica/store_layout.hpp"

namespace joinery::detail {

/// A record as it was at a version: what a rebuild begins with.
struct record_base {
  bytes packed;
  causal::version seen;
};
using record_bases = std::map<state::record_name, record_base, state::record_order>;

/// Applies one changeset to those of `records` that it touches and that have not seen it.
inline void apply_to(record_bases& records, const replica_state& state, causal::dot at,
                     const codec::changeset& c, const causal::version& context) {
  const causal::stamp by{at, c.time, context};
  for (const auto& op : c.ops) {
    const auto& where = c.records[op.record];
    const auto table = state.names.find(c.names[where.table]);
    if (!table) continue;
    const auto found = records.find(state::record_name_view{*table, where.key});
    if (found == records.end() || found->second.seen.seen(at)) continue;
    state::field_id field;
    if (op.action == crdt::cell_action::update) {
      const auto name = state.names.find(c.names[op.field]);
      if (!name) continue;
      field = {*name, op.type};
    }
    state::apply_op(found->second.packed, op.action, op.incarnation, field, op.delta, by);
  }
}

/// Brings `records` to what the log makes of them at `state.last_position`, beginning with what
/// they hold. Errors: those of the log, such as another damaged entry.
template <history::storage S>
result<> rebuild_from_log(S& storage, const replica_state& state, record_bases& records) {
  history::origin_table origins(state.origins.size());
  constexpr std::size_t batch_size = 256;
  for (std::uint64_t from = 1; from <= state.last_position;) {
    std::vector<bytes> batch;
    auto read = storage.read([&](auto& view) -> result<> {
      batch.clear();
      return history::scan_log(view, from, [&](std::uint64_t at, bytes_view data) {
        if (at != from + batch.size() || at > state.last_position) return false;
        batch.emplace_back(data);
        return batch.size() < batch_size;
      });
    });
    if (!read) return read;
    if (batch.empty()) return log_gap(from);
    for (const auto& data : batch) {
      auto parsed = codec::decode_changeset(data);
      if (!parsed) return parsed.error();
      const auto index = state.replicas.find(parsed->origin);
      if (!index || parsed->seq != origins[*index].seq + 1) return log_gap(from);
      const causal::dot at{*index, parsed->seq};
      state.advance(origins[*index], at, *parsed, {});
      apply_to(records, state, at, *parsed, origins[*index].seen);
      ++from;
    }
  }
  return {};
}

/// Puts rebuilt records into the snapshot and takes their marks away.
template <history::storage S>
result<> put_rebuilt(S& storage, const replica_state& state, const record_bases& records) {
  return storage.write([&](auto& writer) -> result<> {
    for (const auto& [name, base] : records) {
      if (!base.packed.empty())
        history::put_record(writer, name.table, name.key, state.last_position, base.packed);
      writer.erase(history::area::quarantine,
                   damage::quarantine_key(history::area::records,
                                          history::record_key(name.table, name.key)));
    }
    return {};
  });
}

}  // namespace joinery::detail
