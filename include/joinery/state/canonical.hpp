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
#include "joinery/state/large_field.hpp"
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

namespace detail {

/// The canonical form of a living record that has large fields, as a block, to `sink(bytes_view)`:
/// their parts are read twice, since each length comes before its bytes.
template <class Parts, class F>
result<> canonical_large_record(const crdt::cell_view& cell, const crdt::reindexing& map,
                                const name_table& names, Parts&& parts, F&& sink) {
  struct named {
    std::string_view name;
    packed_field field;
    bytes state;  // canonical; of a field that stands in the record
    std::size_t size = 0;
  };
  std::vector<named> fields;
  for_each_field(cell.value, [&](const packed_field& f) {
    auto state = crdt::reindex(f.id.type, f.state, map);
    const auto size = state.size();
    fields.push_back({names[f.id.name], f, std::move(state), size});
  });
  std::sort(fields.begin(), fields.end(), [](const named& a, const named& b) {
    return std::tie(a.name, a.field.id.type) < std::tie(b.name, b.field.id.type);
  });
  bytes out;
  byte_writer w{out};
  crdt::detail::write_cell_header(out, cell.incarnation, cell.killed,
                                  crdt::detail::reindex_dots(cell.presence, map));
  const auto header = std::exchange(out, {});
  auto total = header.size();
  for (auto& f : fields) {
    if (f.field.parts) {
      auto read = parts(f.field, [&](bytes_view, bytes_view part) {
        f.size += crdt::reindex(f.field.id.type, part, map).size();
        return true;
      });
      if (!read) return read;
    }
    if (f.size > 0)
      total += varint_size(f.name.size()) + f.name.size() + varint_size(f.field.id.type.code()) +
               varint_size(f.size) + f.size;
  }
  w.varint(total);
  w.raw(header);
  for (const auto& f : fields) {
    if (f.size == 0) continue;
    w.block(f.name);
    w.varint(f.field.id.type.code());
    w.varint(f.size);
    w.raw(f.state);
    sink(bytes_view{out});
    out.clear();
    if (!f.field.parts) continue;
    auto read = parts(f.field, [&](bytes_view, bytes_view part) {
      sink(bytes_view{crdt::reindex(f.field.id.type, part, map)});
      return true;
    });
    if (!read) return read;
  }
  sink(bytes_view{out});
  return {};
}

}  // namespace detail

/// Feeds the canonical state to `sink(bytes_view)`, piece by piece. `walk(table, each) -> result<>`
/// calls `each(key, packed) -> bool` for the records of a table in order; `parts(const part_group&,
/// each) -> result<>` calls `each(beginning, part) -> bool` for the parts of a large field.
template <class Walk, class Parts, class F>
result<> canonical_state(const causal::roster& replicas, const version& seen,
                         const name_table& names, Walk&& walk, Parts&& parts, F&& sink) {
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
    result<> read;
    auto walked = walk(table, [&](bytes_view key, bytes_view packed) {
      w.block(names[table]);
      w.block(key);
      const auto cell = crdt::read_cell(packed);
      const bool large = cell.alive() && has_large_fields(cell.value);
      if (!large) w.block(canonical_record(packed, map, names));
      flush();
      if (large)
        read = detail::canonical_large_record(
            cell, map, names,
            [&](const packed_field& f, auto&& each) {
              return parts(part_group{table, key, f.id, f.parts}, each);
            },
            sink);
      return read.has_value();
    });
    if (!walked) return walked;
    if (!read) return read;
  }
  return {};
}

/// The same over a working set.
template <cold_records C, class F>
result<> canonical_state(const causal::roster& replicas, const version& seen,
                         const name_table& names, working_set& records, C& cold, F&& sink) {
  return canonical_state(
      replicas, seen, names,
      [&](name_index table, auto&& each) { return records.for_each(cold, table, {}, each); },
      [&](const part_group& of, auto&& each) { return records.for_each_part(cold, of, {}, each); },
      sink);
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
