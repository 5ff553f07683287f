// The rules by shape: one entry for every CRDT, chosen at run time.
//
// Purpose: the engine merges packed states of fields that its program may not know; the shape
// travels with them. Maps recurse here.
// Invariants: `shape.valid()` holds wherever one is passed; states and deltas have passed
// `valid`/`valid_delta`.
// Thread-safety: pure functions.
#pragma once

#include "joinery/crdt/counter.hpp"
#include "joinery/crdt/detail/cell.hpp"
#include "joinery/crdt/detail/register_rules.hpp"
#include "joinery/crdt/extremum.hpp"
#include "joinery/crdt/flag.hpp"
#include "joinery/crdt/or_set.hpp"
#include "joinery/crdt/tally.hpp"

namespace joinery::crdt {

namespace detail {

/// Calls `f(rules)` with the rules of a kind that is no map.
template <class F>
[[gnu::always_inline]] inline auto with_rules(kind k, F&& f) {
  switch (k) {
    case kind::mv: return f(register_rules<kind::mv>{});
    case kind::or_set: return f(or_set_rules{});
    case kind::pn_counter: return f(counter_rules<kind::pn_counter>{});
    case kind::g_counter: return f(counter_rules<kind::g_counter>{});
    case kind::tally: return f(tally_rules{});
    case kind::max_of: return f(extremum_rules<kind::max_of>{});
    case kind::min_of: return f(extremum_rules<kind::min_of>{});
    case kind::flag: return f(flag_rules{});
    default: return f(register_rules<kind::lww>{});
  }
}

}  // namespace detail

/// Whether `state` is a well-formed packed state over `replicas` replica indexes.
inline bool valid(shape type, bytes_view state, replica_index replicas) {
  if (type.outer() != kind::map)
    return detail::with_rules(type.outer(), [&](auto r) { return r.valid(state, replicas); });
  return detail::valid_entries(state, [&](detail::entry e) {
    return detail::valid_cell(e.payload, replicas, [&](bytes_view value) {
      return valid(type.inner(), value, replicas);
    });
  });
}

inline bool valid_delta(shape type, bytes_view delta) {
  if (type.outer() != kind::map)
    return detail::with_rules(type.outer(), [&](auto r) { return r.valid_delta(delta); });
  byte_reader in{delta};
  const auto key = in.block();
  return in.ok() && !key.empty() && detail::valid_cell_delta(in.rest(), [&](bytes_view inner) {
           return valid_delta(type.inner(), inner);
         });
}

inline void apply(shape type, bytes_view state, bytes_view delta, const stamp& by,
                  detail::splice& out);

namespace detail {

inline void apply_to_map(shape type, bytes_view state, bytes_view delta, const stamp& by,
                         splice& out) {
  byte_reader in{delta};
  const auto key = in.block();
  const auto place = find_entry(state, key);
  byte_buffer cell;
  apply_cell(place.payload, in.rest(), by, out, cell,
             [&](bytes_view value, bytes_view inner, splice& change) {
               apply(type.inner(), value, inner, by, change);
             });
  out.clear();
  put_entry(place, key, out, [&](buffer_writer& w) { w.raw(cell); });
}

}  // namespace detail

/// What applying `delta` changes in `state`. `out` is overwritten.
[[gnu::always_inline]] inline void apply(shape type, bytes_view state, bytes_view delta,
                                         const stamp& by, detail::splice& out) {
  out.clear();
  if (type.outer() == kind::map) return detail::apply_to_map(type, state, delta, by, out);
  detail::with_rules(type.outer(), [&](auto r) { r.apply(state, delta, by, out); });
}
inline detail::splice apply(shape type, bytes_view state, bytes_view delta, const stamp& by) {
  detail::splice change;
  apply(type, state, delta, by, change);
  return change;
}

inline bytes join(shape type, bytes_view a, const version& seen_by_a, bytes_view b,
                  const version& seen_by_b) {
  if (type.outer() != kind::map)
    return detail::with_rules(type.outer(),
                              [&](auto r) { return r.join(a, seen_by_a, b, seen_by_b); });
  return detail::join_entries(a, b, [&](bytes_view x, bytes_view y, buffer_writer& out) {
    out.raw(detail::join_cell(x, seen_by_a, y, seen_by_b, [&](bytes_view v, bytes_view w) {
      return join(type.inner(), v, seen_by_a, w, seen_by_b);
    }));
  });
}

inline bytes reindex(shape type, bytes_view state, const reindexing& map) {
  if (type.outer() != kind::map)
    return detail::with_rules(type.outer(), [&](auto r) { return r.reindex(state, map); });
  return detail::map_entries(state, [&](bytes_view cell) {
    return detail::reindex_cell(
        cell, map, [&](bytes_view value) { return reindex(type.inner(), value, map); });
  });
}

}  // namespace joinery::crdt
