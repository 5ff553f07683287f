// Packed sorted entries: (block key, block payload)*.
//
// Purpose: the container that sets, tallies and maps share. Found and changed in place; joined by
// one walk.
// Invariants: keys strictly ascending as bytes; empty payloads are not stored.
// Thread-safety: pure functions.
#pragma once

#include "joinery/base/cursor.hpp"
#include "joinery/crdt/detail/splice.hpp"

namespace joinery::crdt::detail {

struct entry {
  bytes_view key;
  bytes_view payload;
};

inline entry read_entry(byte_reader& in) {
  const auto key = in.block();
  return {key, in.block()};
}
template <class W>
void write_entry(W& out, bytes_view key, bytes_view payload) {
  if (payload.empty()) return;
  out.block(key);
  out.block(payload);
}

/// Calls `each(entry)` in key order.
template <class F>
void for_each_entry(bytes_view packed, F&& each) {
  byte_reader in{packed};
  while (!in.at_end()) {
    const auto e = read_entry(in);
    if (in.ok()) each(e);
  }
}

struct entry_place {
  std::size_t at = 0;    ///< where the entry stands or would stand
  std::size_t size = 0;  ///< of the whole entry; 0 when there is none
  bytes_view payload;
};

inline entry_place find_entry(bytes_view packed, bytes_view key) {
  byte_reader in{packed};
  while (!in.at_end()) {
    const auto at = in.position();
    const auto e = read_entry(in);
    if (!in.ok()) break;
    if (e.key == key) return {at, in.position() - at, e.payload};
    if (e.key > key) return {at, 0, {}};
  }
  return {packed.size(), 0, {}};
}

/// The change that gives `key` a new payload (an empty one removes it).
inline void put_entry(const entry_place& place, bytes_view key, bytes_view payload, splice& out) {
  out.at = place.at;
  out.removed = place.size;
  buffer_writer w{out.inserted};
  write_entry(w, key, payload);
}
/// As `put_entry`, with a payload that `write(buffer_writer&)` writes.
template <class F>
void put_written_entry(const entry_place& place, bytes_view key, splice& out, F&& write) {
  out.at = place.at;
  out.removed = place.size;
  buffer_writer w{out.inserted};
  w.block(key);
  w.u8(0);
  const auto start = out.inserted.size();
  write(w);
  if (out.inserted.size() == start)
    out.inserted.clear();
  else
    fill_in_length(out.inserted, start - 1, out.inserted.size() - start);
}

/// Whether `packed` is well-formed and `payload_ok(entry)` holds throughout.
template <class F>
bool valid_entries(bytes_view packed, F&& payload_ok) {
  byte_reader in{packed};
  bytes_view last;
  bool first = true;
  while (!in.at_end()) {
    const auto e = read_entry(in);
    if (!in.ok() || e.payload.empty() || (!first && e.key <= last) || !payload_ok(e)) return false;
    last = e.key;
    first = false;
  }
  return in.ok();
}

/// One walk over both; `merge(a_payload, b_payload)` gets an empty view for a side that lacks the
/// key.
template <class F>
bytes join_entries(bytes_view a, bytes_view b, F&& merge) {
  bytes out;
  out.reserve(std::max(a.size(), b.size()));
  byte_writer w{out};
  byte_reader ra{a}, rb{b};
  bool have_a = false, have_b = false;
  entry ea, eb;
  const auto pull = [](byte_reader& in, bool& have, entry& e) {
    if (have || in.at_end()) return;
    e = read_entry(in);
    have = in.ok();
  };
  for (;;) {
    pull(ra, have_a, ea);
    pull(rb, have_b, eb);
    if (!have_a && !have_b) return out;
    if (have_a && (!have_b || ea.key < eb.key)) {
      write_entry(w, ea.key, merge(ea.payload, bytes_view{}));
      have_a = false;
    } else if (have_b && (!have_a || eb.key < ea.key)) {
      write_entry(w, eb.key, merge(bytes_view{}, eb.payload));
      have_b = false;
    } else {
      write_entry(w, ea.key, merge(ea.payload, eb.payload));
      have_a = have_b = false;
    }
  }
}

template <class F>
bytes map_entries(bytes_view packed, F&& change) {
  bytes out;
  out.reserve(packed.size());
  byte_writer w{out};
  for_each_entry(packed, [&](entry e) { write_entry(w, e.key, change(e.payload)); });
  return out;
}

}  // namespace joinery::crdt::detail
