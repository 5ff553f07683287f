// The ledger of open conflicts.
//
// Purpose: finds every register with more than one causally maximal write of different values, in
// living cells. It is read off the state, so it is the same on all replicas; a write that saw the
// values resolves the conflict.
// Invariants: reads only.
// Thread-safety: pure functions.
#pragma once

#include "joinery/base/result.hpp"
#include "joinery/causal/roster.hpp"
#include "joinery/state/conflict.hpp"
#include "joinery/state/record.hpp"

namespace joinery::state {

namespace detail {

template <class F>
void conflicts_in(crdt::shape type, bytes_view packed, std::vector<bytes>& path, F& found) {
  if (type.outer() == crdt::kind::map) {
    crdt::detail::for_each_entry(packed, [&](crdt::detail::entry e) {
      const auto c = crdt::read_cell(e.payload);
      if (!c.alive()) return;
      path.emplace_back(e.key);
      conflicts_in(type.inner(), c.value, path, found);
      path.pop_back();
    });
  } else if (type.outer() == crdt::kind::lww || type.outer() == crdt::kind::mv) {
    if (crdt::detail::in_conflict(packed)) found(packed, path);
  }
}

}  // namespace detail

/// Calls `each(conflict)` for the open conflicts of one record. `parts(const packed_field&, each)
/// -> result<>` calls `each(beginning, part) -> bool` for the parts of a large field.
template <class Parts, class F>
result<> conflicts_of(std::string_view table, bytes_view key, bytes_view record,
                      const name_table& names, const causal::roster& replicas, Parts&& parts,
                      F&& each) {
  const auto cell = crdt::read_cell(record);
  result<> read;
  if (!cell.alive()) return read;
  for_each_field(cell.value, [&](const packed_field& f) {
    std::vector<bytes> path;
    const auto found = [&](bytes_view packed, const std::vector<bytes>& at) {
      conflict c{std::string{table}, bytes{key}, std::string{names[f.id.name]}, at, {}};
      for (const auto& w : crdt::detail::read_writes(packed))
        c.writes.push_back({bytes{w.value}, replicas[w.at.replica], w.time, w.rank, false});
      std::sort(c.writes.begin(), c.writes.end(), [](const auto& a, const auto& b) {
        return std::tie(a.rank, a.time, a.by) < std::tie(b.rank, b.time, b.by);
      });
      c.writes.back().shown = true;
      each(std::move(c));
    };
    if (!f.parts) return detail::conflicts_in(f.id.type, f.state, path, found);
    if (!read || f.id.type.outer() != crdt::kind::map) return;
    read = parts(f, [&](bytes_view, bytes_view part) {
      detail::conflicts_in(f.id.type, part, path, found);
      return true;
    });
  });
  return read;
}

/// The open conflicts of all records, ascending by table name and key. `walk` and `parts` as for
/// `canonical_state`.
template <class Walk, class Parts>
result<std::vector<conflict>> all_conflicts(const name_table& names, const causal::roster& replicas,
                                            Walk&& walk, Parts&& parts) {
  std::vector<conflict> out;
  std::vector<name_index> tables(names.size());
  for (name_index i = 0; i < tables.size(); ++i) tables[i] = i;
  std::sort(tables.begin(), tables.end(), [&](auto a, auto b) { return names[a] < names[b]; });
  for (const auto table : tables) {
    result<> read;
    auto walked = walk(table, [&](bytes_view key, bytes_view packed) {
      read = conflicts_of(
          names[table], key, packed, names, replicas,
          [&](const packed_field& f, auto&& in) {
            return parts(part_group{table, key, f.id, f.parts}, in);
          },
          [&](conflict c) { out.push_back(std::move(c)); });
      return read.has_value();
    });
    if (!walked) return walked.error();
    if (!read) return read.error();
  }
  return out;
}

}  // namespace joinery::state
