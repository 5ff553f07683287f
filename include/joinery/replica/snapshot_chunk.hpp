// snapshot chunks: a replica's state on its way to another.
//
// Purpose: a peer that is below the log's floor gets the state, in chunks that each stand for
// themselves: a base version with all that is known of its origins, then records in order of table
// name and key, each chunk at the version at which it was read; last, the changesets above the
// base. Format: docs/format-session.md.
// Invariants: what is encoded here is decoded here; decoding gives views into bytes that were
// checked for their form, or nothing. Replica indexes in a chunk are places in the list of the
// base's origins, followed by the chunk's own ids.
// Thread-safety: values and pure functions.
#pragma once

#include <map>
#include <optional>

#include "joinery/codec/limits.hpp"
#include "joinery/history/origins.hpp"
#include "joinery/state/portable_record.hpp"

namespace joinery::detail {

/// How many origins a snapshot may name.
inline constexpr std::size_t max_snapshot_origins = 65536;

enum class chunk_kind : std::uint8_t {
  begin = 0,     ///< u8 1: what is staged goes on; u8 0: it is to be dropped
  origins = 1,   ///< (id, varint seq, fixed64 hlc, 32 bytes chain)*
  versions = 2,  ///< (varint place, varint n, n × (varint place, varint seq))*
  records = 3,   ///< see `records_chunk`
  tail = 4,      ///< all records are there; changesets follow
  end = 5,       ///< the tail is there too: the snapshot may be joined
};

inline bytes chunk_of(chunk_kind kind) { return bytes(1, static_cast<char>(kind)); }
inline bytes begin_chunk(bool goes_on) {
  auto out = chunk_of(chunk_kind::begin);
  out.push_back(goes_on ? '\1' : '\0');
  return out;
}

/// One origin of the base.
struct base_origin {
  replica_id id;
  std::uint64_t seq = 0;
  causal::hlc time = 0;
  crypto::digest chain;
};
inline void write_base_origin(byte_writer& out, const base_origin& o) {
  out.raw(o.id.view());
  out.varint(o.seq);
  out.fixed64(o.time);
  out.raw(o.chain.view());
}
inline std::optional<base_origin> read_base_origin(byte_reader& in) {
  base_origin o;
  const auto id = replica_id::from_bytes(in.take(16));
  o.seq = in.varint_up_to(codec::max_seq);
  o.time = in.fixed64();
  const auto chain = crypto::digest::from_bytes(in.take(32));
  if (!in.ok() || !id || id->is_none() || !chain || o.seq == 0 || o.time == 0) return std::nullopt;
  o.id = *id;
  o.chain = *chain;
  return o;
}

/// A changeset count of one replica, which is named by its place.
struct place_seq {
  std::uint64_t place = 0;
  std::uint64_t seq = 0;
};
inline void write_places(byte_writer& out, const std::vector<place_seq>& list) {
  out.varint(list.size());
  for (const auto& p : list) {
    out.varint(p.place);
    out.varint(p.seq);
  }
}
inline std::vector<place_seq> read_places(byte_reader& in, std::uint64_t places) {
  std::vector<place_seq> out;
  for (auto n = in.varint_up_to(in.left() / 2); n > 0 && in.ok(); --n) {
    const auto place = in.varint();
    const auto seq = in.varint_up_to(codec::max_seq);
    if (place >= places) in.fail();
    out.push_back({place, seq});
  }
  return out;
}

/// Varint n, n ids; the version above the base at which the records were read; then (block table
/// name, block key, block portable record)*, ascending by table name and key.
struct records_chunk {
  struct record {
    std::string_view table;
    bytes_view key;
    bytes_view portable;
  };
  std::vector<replica_id> ids;
  std::vector<place_seq> above;
  std::vector<record> records;
};

inline std::optional<records_chunk> read_records_chunk(bytes_view content, std::uint64_t base) {
  byte_reader in{content};
  records_chunk c;
  for (auto n = in.varint_up_to(in.left() / 16); n > 0 && in.ok(); --n) {
    const auto id = replica_id::from_bytes(in.take(16));
    if (!id || id->is_none()) return std::nullopt;
    c.ids.push_back(*id);
  }
  const auto places = base + c.ids.size();
  if (places > max_snapshot_origins) return std::nullopt;
  c.above = read_places(in, places);
  while (!in.at_end()) {
    records_chunk::record r{in.block(), in.block(), in.block()};
    if (!in.ok() || r.table.empty() || r.table.size() > codec::max_name || r.key.empty() ||
        r.key.size() > codec::max_key)
      return std::nullopt;
    if (!c.records.empty() &&
        std::tie(c.records.back().table, c.records.back().key) >= std::tie(r.table, r.key))
      return std::nullopt;
    if (!state::valid_portable(r.portable, static_cast<causal::replica_index>(places)))
      return std::nullopt;
    c.records.push_back(r);
  }
  if (!in.ok() || c.records.empty()) return std::nullopt;
  return c;
}

/// What a receiver asks for: all, or the rest of what it has staged.
struct snapshot_request {
  std::vector<base_origin> reached;  ///< the staged version, in the order of places; none: all anew
  bool records_done = false;
  std::string table;  ///< the last record that is staged
  bytes key;
  std::vector<std::pair<replica_id, std::uint64_t>> needed;  ///< what the tail must reach
};

inline bytes write_request(const snapshot_request& r) {
  bytes out;
  byte_writer w{out};
  w.varint(r.reached.size());
  for (const auto& o : r.reached) write_base_origin(w, o);
  w.u8(r.records_done ? 1 : 0);
  w.block(r.table);
  w.block(r.key);
  w.varint(r.needed.size());
  for (const auto& [id, seq] : r.needed) {
    w.raw(id.view());
    w.varint(seq);
  }
  return out;
}
inline std::optional<snapshot_request> read_request(bytes_view content) {
  byte_reader in{content};
  snapshot_request r;
  for (auto n = in.varint_up_to(max_snapshot_origins); n > 0; --n) {
    const auto o = read_base_origin(in);
    if (!o) return std::nullopt;
    r.reached.push_back(*o);
  }
  const auto done = in.u8();
  r.records_done = done == 1;
  r.table = in.block();
  r.key = in.block();
  for (auto n = in.varint_up_to(max_snapshot_origins); n > 0 && in.ok(); --n) {
    const auto id = replica_id::from_bytes(in.take(16));
    const auto seq = in.varint_up_to(codec::max_seq);
    if (id) r.needed.emplace_back(*id, seq);
  }
  if (!in.finished() || done > 1 || r.table.size() > codec::max_name ||
      r.key.size() > codec::max_key)
    return std::nullopt;
  return r;
}

}  // namespace joinery::detail
