// Packed sorted entries: (block key, block payload)*.
//
// Purpose: the container that sets, tallies and maps share. Found and changed in place; joined by
// one walk.
// Invariants: keys strictly ascending as bytes; empty payloads are not stored.
// Thread-safety: pure functions.
#pragma once

#include "joinery/base/comparing.hpp"
#include "joinery/base/cursor.hpp"
#include "joinery/crdt/detail/splice.hpp"

namespace joinery::crdt::detail {

struct entry {
  bytes_view key;
  bytes_view payload;
};

[[gnu::always_inline]] inline entry read_entry(byte_reader& in) {
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
    const int order = compare_keys(e.key, key);
    if (order == 0) return {at, in.position() - at, e.payload};
    if (order > 0) return {at, 0, {}};
  }
  return {packed.size(), 0, {}};
}

/// The change that gives `key` the payload that `write(buffer_writer&)` writes; an empty one
/// removes it.
template <class F>
void put_entry(const entry_place& place, bytes_view key, splice& out, F&& write) {
  buffer_writer w{out.inserted};
  write(w);
  const auto size = out.inserted.size();
  out.at = place.at;
  out.removed = place.size;
  if (size == 0) return;
  out.inserted.prepend(size);
  if (place.size == 0) {
    out.inserted.prepend(key);
    out.inserted.prepend(key.size());
  } else {  // its key stays
    out.removed = varint_size(place.payload.size()) + place.payload.size();
    out.at += place.size - out.removed;
  }
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

/// One walk over both. `merge(a_payload, b_payload, buffer_writer&)` writes what becomes of a key;
/// it gets an empty view for a side that lacks it, and writes nothing where the key goes. What both
/// sides hold alike is copied as it stands, whole stretches of it at once.
template <class F>
bytes join_entries(bytes_view a, bytes_view b, F&& merge) {
  struct side {
    explicit side(bytes_view packed) : all(packed), in(packed) { pull(); }
    void pull() {
      start = in.position();
      there = !in.at_end();
      if (!there) return;
      now = read_entry(in);
      there = in.ok();
    }
    [[nodiscard]] bytes_view raw() const { return all.substr(start, in.position() - start); }
    bytes_view all;
    byte_reader in;
    entry now;
    std::size_t start = 0;
    bool there = false;
  };
  bytes out;
  out.reserve(std::max(a.size(), b.size()) + std::min(a.size(), b.size()) / 8);
  byte_writer w{out};
  byte_buffer payload;
  bytes_view alike;  // entries that are to be copied, and not copied yet
  const auto keep = [&](bytes_view raw) {
    if (alike.data() + alike.size() == raw.data()) {
      alike = {alike.data(), alike.size() + raw.size()};
      return;
    }
    out.append(alike);
    alike = raw;
  };
  const auto put = [&](const side& of, bytes_view x, bytes_view y) {
    payload.clear();
    buffer_writer written{payload};
    merge(x, y, written);
    if (payload.view() == of.now.payload) return keep(of.raw());
    out.append(alike);
    alike = {};
    write_entry(w, of.now.key, payload.view());
  };
  side x{a}, y{b};
  while (x.there || y.there) {
    const int order = !y.there ? -1 : !x.there ? 1 : x.now.key.compare(y.now.key);
    if (order < 0) {
      put(x, x.now.payload, {});
      x.pull();
    } else if (order > 0) {
      put(y, {}, y.now.payload);
      y.pull();
    } else {
      if (x.now.payload == y.now.payload)
        keep(x.raw());
      else
        put(x, x.now.payload, y.now.payload);
      x.pull();
      y.pull();
    }
  }
  out.append(alike);
  return out;
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
