// cell: whatever can be deleted and come back: a record, an entry of a map.
//
// Purpose: {incarnation, killed, presence, value}. The incarnation is a causal length (Yu & Rostad
// 2020): a delta for a lower one is ignored, a higher one starts empty. Presence is the touches
// that no delete saw; alive = not killed and some touch left. Values stay under a dead cell, so
// that a concurrent update brings the whole back.
// Packed as varint incarnation, u8 flags (1: killed), block presence dots, value. Delta: varint
// incarnation, u8 action, and for an update the value's delta.
// Invariants: incarnation 0 is a cell that never was, packed as no bytes; every operation but the
// cell's own erasure, and an amendment, is a touch.
// Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <limits>

#include "joinery/base/error.hpp"
#include "joinery/crdt/detail/dots.hpp"
#include "joinery/crdt/detail/splice.hpp"

namespace joinery::crdt {

/// What an operation does to a cell. The numbers are part of the format.
enum class cell_action : std::uint8_t {
  create = 0,       ///< on a dead cell with the next incarnation, on a living one a touch
  update = 1,       ///< a touch, and a delta for the value
  erase = 2,        ///< removes the touches that it saw: a concurrent update wins
  erase_final = 3,  ///< also kills the incarnation: the delete wins
  amend = 4,        ///< a delta for the value, and no touch; of records only
};

/// Whether an operation carries a delta.
constexpr bool carries_delta(cell_action a) noexcept {
  return a == cell_action::update || a == cell_action::amend;
}

struct cell_view {
  std::uint64_t incarnation = 0;
  bool killed = false;
  bytes_view presence;
  bytes_view value;
  std::size_t header = 0;  ///< how many bytes come before the value

  [[nodiscard]] bool alive() const noexcept { return !killed && !presence.empty(); }
};

/// The incarnation that a creation names: the living one, or the next. Throws `failure` (overflow)
/// after the last, where only a hostile peer can have led.
inline std::uint64_t incarnation_to_create(const cell_view& c) {
  if (c.alive()) return c.incarnation;
  if (c.incarnation == std::numeric_limits<std::uint64_t>::max())
    throw failure({errc::overflow, "no incarnation is left", "", "use another key"});
  return c.incarnation + 1;
}

[[gnu::always_inline]] inline cell_view read_cell(bytes_view packed) {
  cell_view c;
  if (packed.empty()) return c;
  byte_reader in{packed};
  c.incarnation = in.varint();
  c.killed = (in.u8() & 1) != 0;
  c.presence = in.block();
  c.header = in.position();
  c.value = in.rest();
  if (!in.ok()) {  // what was not read is empty anyway
    c.incarnation = 0;
    c.killed = false;
    c.presence = {};
    c.header = 0;
  }
  return c;
}

namespace detail {

inline void write_cell_header(bytes& out, std::uint64_t incarnation, bool killed,
                              bytes_view presence) {
  byte_writer w{out};
  w.varint(incarnation);
  w.u8(killed ? 1 : 0);
  w.block(presence);
}

inline bytes cell_delta(std::uint64_t incarnation, cell_action action, bytes_view inner = {}) {
  bytes d;
  byte_writer w{d};
  w.varint(incarnation);
  w.u8(static_cast<std::uint8_t>(action));
  w.raw(inner);
  return d;
}

/// `value_ok(bytes_view)` judges the value.
template <class F>
bool valid_cell(bytes_view packed, replica_index replicas, F&& value_ok) {
  byte_reader in{packed};
  const auto incarnation = in.varint();
  const auto flags = in.u8();
  const auto presence = in.block();
  return in.ok() && incarnation > 0 && flags <= 1 && valid_dots(presence, replicas) &&
         value_ok(in.rest());
}

template <class F>
bool valid_cell_delta(bytes_view delta, F&& inner_ok) {
  byte_reader in{delta};
  const auto incarnation = in.varint();
  const auto action = in.u8();
  if (!in.ok() || incarnation == 0 || action > 3) return false;
  return action == static_cast<std::uint8_t>(cell_action::update) ? inner_ok(in.rest())
                                                                  : in.at_end();
}

/// The part of an operation that concerns the cell itself: writes to `header` how the cell begins
/// afterwards. Gives what it was, whose `header` bytes give way to these; for a new incarnation an
/// empty cell, and all of its bytes do. When the operation is of an earlier incarnation, that is
/// not the one given, and nothing is written.
[[gnu::always_inline]] inline cell_view touch_cell(bytes_view cell, std::uint64_t incarnation,
                                                   cell_action action, const stamp& by,
                                                   byte_buffer& header) {
  auto c = read_cell(cell);
  if (incarnation < c.incarnation) return c;
  if (incarnation > c.incarnation) {
    c = {};
    c.header = cell.size();
  }
  header.clear();
  char* const start = header.room(2 * max_varint + c.presence.size() + max_dot);
  char* to = start + put_varint(start, incarnation);
  *to++ = c.killed || action == cell_action::erase_final ? 1 : 0;
  char* const dots = to + 1;  // behind their length
  if (action == cell_action::amend)
    to = std::copy(c.presence.begin(), c.presence.end(), dots);
  else if (action == cell_action::erase || action == cell_action::erase_final)
    to = put_unseen_dots(dots, c.presence, by.context);
  else
    to = put_touched_dots(dots, c.presence, by);
  header.added(static_cast<std::size_t>(to - start));
  fill_in_length(header, static_cast<std::size_t>(dots - start) - 1,
                 static_cast<std::size_t>(to - dots));
  return c;
}

/// Writes to `out` what an operation makes of `cell`. `inner(value, delta, splice&)` says what an
/// update does to the value; `scratch` is overwritten.
template <class F>
void apply_cell(bytes_view cell, bytes_view delta, const stamp& by, splice& scratch,
                byte_buffer& out, F&& inner) {
  byte_reader in{delta};
  const auto incarnation = in.varint();
  const auto action = static_cast<cell_action>(in.u8());
  const auto before = touch_cell(cell, incarnation, action, by, out);
  if (before.incarnation > incarnation) {
    out = cell;
    return;
  }
  scratch.clear();
  if (carries_delta(action)) inner(before.value, in.rest(), scratch);
  out.append(before.value.substr(0, scratch.at));
  out.append(scratch.inserted);
  out.append(before.value.substr(scratch.at + scratch.removed));
}

/// `inner(a_value, b_value) -> bytes` joins the values. The higher incarnation is taken whole.
template <class F>
bytes join_cell(bytes_view a, const version& seen_by_a, bytes_view b, const version& seen_by_b,
                F&& inner) {
  const auto x = read_cell(a);
  const auto y = read_cell(b);
  if (x.incarnation != y.incarnation) return bytes{x.incarnation > y.incarnation ? a : b};
  if (x.incarnation == 0) return {};
  bytes out;
  write_cell_header(out, x.incarnation, x.killed || y.killed,
                    join_dots(x.presence, seen_by_a, y.presence, seen_by_b));
  return out += inner(x.value, y.value);
}

/// `inner(value) -> bytes` maps the value.
template <class F>
bytes reindex_cell(bytes_view packed, const reindexing& map, F&& inner) {
  const auto c = read_cell(packed);
  if (c.incarnation == 0) return {};
  bytes out;
  if (map.canonical && !c.alive()) {
    write_cell_header(out, c.incarnation, c.killed, {});
    return out;
  }
  write_cell_header(out, c.incarnation, c.killed, reindex_dots(c.presence, map));
  return out += inner(c.value);
}

}  // namespace detail
}  // namespace joinery::crdt
