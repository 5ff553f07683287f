// The canonical state and its digest.
//
// Purpose: a byte string that is equal on replicas of equal versions, whatever the order of
// delivery, the crashes and the clean-up on the way. Its digest is the convergence check, and the
// user's certificate of being in sync.
// Format: docs/format.md: the version by replica id, then tables by name with their records by key.
// Invariants: no local index appears in it.
// Thread-safety: none; reads the records of its owner.
#pragma once

#include "joinery/causal/roster.hpp"
#include "joinery/crypto/hash.hpp"
#include "joinery/state/working_set.hpp"

namespace joinery::state {

/// Maps a roster's indexes to ranks among the ids that `seen` names, and lists those ids in order.
inline crdt::reindexing canonical_order(const causal::roster& replicas, const version& seen,
                                        std::vector<causal::replica_index>& order) {
  for (causal::replica_index r = 0; r < seen.size(); ++r)
    if (seen.at(r) > 0) order.push_back(r);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return replicas[a] < replicas[b]; });
  crdt::reindexing map;
  map.canonical = true;
  map.to.resize(replicas.size());
  for (std::size_t rank = 0; rank < order.size(); ++rank)
    map.to[order[rank]] = static_cast<causal::replica_index>(rank);
  return map;
}

/// Feeds the canonical state to `sink(bytes_view)`, piece by piece. `walk(table, each) -> result<>`
/// calls `each(key, packed) -> bool` for the records of a table in order.
template <class Walk, class F>
result<> canonical_state(const causal::roster& replicas, const version& seen,
                         const name_table& names, Walk&& walk, F&& sink) {
  std::vector<causal::replica_index> order;
  const auto map = canonical_order(replicas, seen, order);
  bytes piece;
  byte_writer w{piece};
  const auto flush = [&] {
    sink(bytes_view{piece});
    piece.clear();
  };
  w.varint(order.size());
  for (const auto r : order) {
    w.raw(replicas[r].view());
    w.varint(seen.at(r));
  }
  flush();

  std::vector<name_index> tables(names.size());
  for (name_index i = 0; i < tables.size(); ++i) tables[i] = i;
  std::sort(tables.begin(), tables.end(), [&](auto a, auto b) { return names[a] < names[b]; });
  for (const auto table : tables) {
    auto walked = walk(table, [&](bytes_view key, bytes_view packed) {
      w.block(names[table]);
      w.block(key);
      w.block(canonical_record(packed, map, names));
      flush();
      return true;
    });
    if (!walked) return walked;
  }
  return {};
}

/// The same over a working set.
template <cold_records C, class F>
result<> canonical_state(const causal::roster& replicas, const version& seen,
                         const name_table& names, working_set& records, C& cold, F&& sink) {
  return canonical_state(
      replicas, seen, names,
      [&](name_index table, auto&& each) { return records.for_each(cold, table, {}, each); }, sink);
}

template <cold_records C>
result<crypto::digest> canonical_digest(const causal::roster& replicas, const version& seen,
                                        const name_table& names, working_set& records, C& cold) {
  crypto::hasher hash;
  auto done = canonical_state(replicas, seen, names, records, cold,
                              [&](bytes_view piece) { hash.add(piece); });
  if (!done) return done.error();
  return hash.finish();
}

}  // namespace joinery::state
