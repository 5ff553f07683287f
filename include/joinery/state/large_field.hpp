// Large fields: taking a field apart, and putting a record together again.
//
// Purpose: a field that has outgrown its record leaves a mark there, and its entries go to parts
// (part.hpp). Those who need a record in one piece put it together; everybody else goes from part
// to part.
// Invariants: nothing that a reader sees changes, nor the canonical form.
// Thread-safety: pure functions.
#pragma once

#include <limits>

#include "joinery/base/result.hpp"
#include "joinery/state/record.hpp"

namespace joinery::state {

inline bool has_large_fields(bytes_view value) {
  bool any = false;
  for_each_field(value, [&](const packed_field& f) { any = any || f.parts; });
  return any;
}

/// Puts a mark in the place of a field that stands in `record`, and calls `each(beginning, bytes
/// part)` for what stood there, in order.
template <class Record, class F>
void take_apart(Record& record, field_id id, generation made, F&& each) {
  const auto value_at = crdt::read_cell(bytes_view{record}).header;
  byte_reader in{bytes_view{record}.substr(value_at)};
  while (!in.at_end()) {
    const auto at = in.position();
    const auto f = read_field(in);
    if (!in.ok() || f.id > id) return;
    if (f.id != id || f.parts) continue;
    bytes part;
    bytes_view begins;
    crdt::detail::for_each_entry(f.state, [&](crdt::detail::entry e) {
      if (!part.empty() && beginning(e.key) != begins) each(begins, std::exchange(part, {}));
      begins = beginning(e.key);
      byte_writer w{part};
      crdt::detail::write_entry(w, e.key, e.payload);
    });
    if (!part.empty()) each(begins, std::move(part));
    bytes mark;
    byte_writer w{mark};
    write_large_field(w, id, made);
    record.replace(value_at + at, in.position() - at, mark);
    return;
  }
}

/// The record in one piece. `parts(const packed_field&, each) -> result<>` calls `each(beginning,
/// part) -> bool` for the parts of a field. Errors: too_large, beyond `limit` bytes.
template <class Parts>
result<bytes> whole_record(bytes_view record, Parts&& parts,
                           std::size_t limit = std::numeric_limits<std::size_t>::max()) {
  const auto cell = crdt::read_cell(record);
  bytes out{record.substr(0, cell.header)};
  byte_writer w{out};
  result<> read;
  bool fits = true;
  for_each_field(cell.value, [&](const packed_field& f) {
    if (!f.parts) return write_field(w, f.id, f.state);
    if (!read || !fits) return;
    bytes state;
    read = parts(f, [&](bytes_view, bytes_view part) {
      fits = out.size() + state.size() + part.size() <= limit;
      if (fits) state += part;
      return fits;
    });
    write_field(w, f.id, state);
  });
  if (!read) return read.error();
  if (!fits)
    return error{errc::too_large, "a record of more than " + std::to_string(limit) + " bytes", "",
                 "read its large fields entry by entry"};
  return out;
}

}  // namespace joinery::state
