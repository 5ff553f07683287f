// The operation log: every changeset, in an order that respects causality.
//
// Purpose: appends changesets and finds them again, by position or by dot, over any storage.
// Keys: `log` has fixed64 position → sealed changeset; `dots` has fixed32 replica index, fixed64
// seq → sealed fixed64 position, chain digest. Positions count from 1.
// Invariants: positions and each replica's seqs are contiguous; every value's checksum is bound to
// its key.
// Thread-safety: as the view or writer that is passed in.
#pragma once

#include "joinery/causal/dot.hpp"
#include "joinery/codec/checksum.hpp"
#include "joinery/history/head.hpp"
#include "joinery/history/storage_rules.hpp"

namespace joinery::history {

using causal::dot;

inline bytes position_key(std::uint64_t position) {
  bytes key;
  byte_writer{key}.fixed64(position);
  return key;
}
inline std::uint64_t position_of(bytes_view key) { return byte_reader{key}.fixed64(); }

/// A big-endian 32-bit index as a key, or the start of one.
inline bytes index_key(std::uint32_t index) {
  bytes key;
  for (int shift = 24; shift >= 0; shift -= 8)
    key.push_back(static_cast<char>(static_cast<std::uint8_t>(index >> shift)));
  return key;
}
inline std::uint32_t index_of(bytes_view key) {
  std::uint32_t index = 0;
  for (const char c : key.substr(0, 4)) index = index << 8 | static_cast<std::uint8_t>(c);
  return index;
}

/// What a key has after its index; nothing when it is too short for one, as in a forged store.
inline bytes_view after_index(bytes_view key) {
  return key.substr(key.size() < 4 ? key.size() : 4);
}

inline bytes dot_key(dot d) {
  auto key = index_key(d.replica);
  byte_writer{key}.fixed64(d.seq);
  return key;
}

/// Puts `content` under `key`, with its checksum.
template <storage_writer W>
void put_sealed(W& to, area where, bytes_view key, bytes_view content) {
  to.put(where, key, codec::sealed(static_cast<std::uint8_t>(where), key, content));
}

/// Takes the checksum off a value that was read from `where`.
inline result<bytes_view> open_sealed(area where, bytes_view key, bytes_view value) {
  if (const auto content = codec::unsealed(static_cast<std::uint8_t>(where), key, value))
    return *content;
  return error{errc::checksum, "a stored entry is damaged",
               std::string{name_of(where)} + " entry 0x" + to_hex(key),
               "restore the store from a backup, or sync into a new one"};
}

template <storage_view V>
result<std::optional<bytes_view>> get_sealed(V& from, area where, bytes_view key) {
  const auto value = from.get(where, key);
  if (!value) return std::optional<bytes_view>{};
  auto content = open_sealed(where, key, *value);
  if (!content) return content.error();
  return std::optional<bytes_view>{*content};
}

/// Where a changeset stands, and the digest of its origin's changesets up to it.
struct log_place {
  std::uint64_t position = 0;
  crypto::digest chain;
};

/// Says where the changeset `at` stands, or, as an anchor, what its chain is.
template <storage_writer W>
void put_dot(W& to, dot at, const log_place& place) {
  bytes content;
  byte_writer w{content};
  w.fixed64(place.position);
  w.raw(place.chain.view());
  put_sealed(to, area::dots, dot_key(at), content);
}

template <storage_writer W>
void append_changeset(W& to, dot at, const log_place& place, bytes_view changeset) {
  put_sealed(to, area::log, position_key(place.position), changeset);
  put_dot(to, at, place);
}

/// The place of the changeset `at`; nothing when it is not in the log.
template <storage_view V>
result<std::optional<log_place>> find_changeset(V& from, dot at) {
  auto content = get_sealed(from, area::dots, dot_key(at));
  if (!content) return content.error();
  if (!*content) return std::optional<log_place>{};
  byte_reader in{**content};
  log_place place;
  place.position = in.fixed64();
  const auto chain = crypto::digest::from_bytes(in.rest());
  if (!in.ok() || !chain)
    return error{errc::malformed, "a dot entry of the wrong size", "dots", "restore the store"};
  place.chain = *chain;
  return std::optional<log_place>{place};
}

/// Visits the log from `position` on: `each(position, changeset) -> bool`, false stops.
template <storage_view V, class F>
result<> scan_log(V& from, std::uint64_t position, F&& each) {
  result<> outcome;
  from.scan(area::log, position_key(position), [&](bytes_view key, bytes_view value) {
    auto content = open_sealed(area::log, key, value);
    if (!content) {
      outcome = content.error();
      return false;
    }
    return each(position_of(key), *content);
  });
  return outcome;
}

}  // namespace joinery::history
