// clean-up: a record without what its dead cells still hold.
//
// Purpose: a dead cell keeps its value, so that an update that did not see the delete brings all of
// it back. Once no such update can come any more, the value can go.
// Invariants: incarnation and mark stay, of the record and of every entry of its maps; living cells
// lose nothing; the canonical form is the same before and after. A large field's entries are
// cleaned in their parts; a dead record lets go of its parts with its value.
// Thread-safety: pure functions. Whether the time has come is for the caller to know (replica/).
#pragma once

#include "joinery/state/record.hpp"

namespace joinery::state {

/// A record that lost something.
struct cleaned {
  bytes record;
  std::size_t cells = 0;  ///< that lost something: the record itself, or entries of its maps
};

namespace detail {

/// Appends `cell`, cleaned. `inner(value, out) -> cells` cleans the value of a living one.
template <class F>
std::size_t clean_cell(bytes_view cell, bytes& out, F&& inner) {
  const auto c = crdt::read_cell(cell);
  crdt::detail::write_cell_header(out, c.incarnation, c.killed,
                                  c.alive() ? c.presence : bytes_view{});
  if (c.alive()) return inner(c.value, out);
  return c.presence.empty() && c.value.empty() ? 0 : 1;
}

inline std::size_t clean_field(crdt::shape type, bytes_view state, bytes& out) {
  if (type.outer() != crdt::kind::map) {
    out += state;
    return 0;
  }
  std::size_t cells = 0;
  byte_writer w{out};
  crdt::detail::for_each_entry(state, [&](crdt::detail::entry e) {
    bytes cell;
    cells += clean_cell(e.payload, cell, [&](bytes_view value, bytes& to) {
      return clean_field(type.inner(), value, to);
    });
    crdt::detail::write_entry(w, e.key, cell);
  });
  return cells;
}

/// Whether cleaning is worth a try: it is not where nothing can be dead.
inline bool may_hold_dead_cells(const crdt::cell_view& record) {
  if (!record.alive()) return !record.presence.empty() || !record.value.empty();
  bool maps = false;
  for_each_field(record.value, [&](const packed_field& f) {
    maps = maps || (!f.parts && f.id.type.outer() == crdt::kind::map);
  });
  return maps;
}

}  // namespace detail

/// `record` without the values of its dead cells; nothing when they hold none.
inline std::optional<cleaned> clean_record(bytes_view record) {
  if (!detail::may_hold_dead_cells(crdt::read_cell(record))) return std::nullopt;
  cleaned done;
  done.cells = detail::clean_cell(record, done.record, [](bytes_view value, bytes& out) {
    std::size_t cells = 0;
    byte_writer w{out};
    for_each_field(value, [&](const packed_field& f) {
      if (f.parts) return write_large_field(w, f.id, f.parts);
      bytes state;
      cells += detail::clean_field(f.id.type, f.state, state);
      write_field(w, f.id, state);
    });
    return cells;
  });
  if (done.cells == 0) return std::nullopt;
  return done;
}

/// The same for a part of a large field.
inline std::optional<cleaned> clean_part(crdt::shape type, bytes_view part) {
  if (type.outer() != crdt::kind::map) return std::nullopt;
  cleaned done;
  done.cells = detail::clean_field(type, part, done.record);
  if (done.cells == 0) return std::nullopt;
  return done;
}

}  // namespace joinery::state
