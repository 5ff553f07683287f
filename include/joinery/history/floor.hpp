// log_floor: what the operation log no longer holds.
//
// Purpose: the log is kept for a time, not for ever. The floor is the version up to which it may
// lack changesets; whoever is not beyond it is served by a snapshot. Chains stay comparable across
// it through anchors: the dot entries of each origin's last dropped changeset and of every 64th.
// Keys: `meta` has "floor" → the sealed floor.
// Invariants: the log holds every changeset above `version`, and its entries begin right after
// `position`; a position where a snapshot was joined has no entry.
// Thread-safety: as the view or writer that is passed in.
#pragma once

#include <algorithm>

#include "joinery/history/log.hpp"
#include "joinery/history/origins.hpp"

namespace joinery::history {

/// Every so many changesets of an origin keep their dot entries when they are dropped.
inline constexpr std::uint64_t anchor_every = 64;

struct log_floor {
  std::uint64_t position = 0;        ///< entries up to it were dropped
  std::uint64_t dropped_bytes = 0;   ///< of changesets, ever
  causal::version version;           ///< the log lacks nothing above it
  causal::version changed;           ///< the same, of changesets that may have changed something
  std::vector<std::uint64_t> joins;  ///< positions above `position` without an entry
  causal::version acknowledged;      ///< of own changesets, those that some peer is known to have

  /// The position of the first entry that a log with this floor can have.
  [[nodiscard]] std::uint64_t first() const {
    auto at = position + 1;
    for (const auto join : joins) at += join == at ? 1 : 0;
    return at;
  }
  /// The last position that the log may end at without an entry there.
  [[nodiscard]] std::uint64_t last_without_entry() const {
    return joins.empty() ? position : std::max(position, joins.back());
  }
};

inline bytes write_floor(const log_floor& floor) {
  bytes out;
  byte_writer w{out};
  w.varint(floor.position);
  w.varint(floor.dropped_bytes);
  write_version(w, floor.version);
  write_version(w, floor.changed);
  w.varint(floor.joins.size());
  for (const auto join : floor.joins) w.varint(join);
  write_version(w, floor.acknowledged);
  return out;
}
inline result<log_floor> read_floor(bytes_view content) {
  byte_reader in{content};
  log_floor floor;
  floor.position = in.varint();
  floor.dropped_bytes = in.varint();
  floor.version = read_version(in);
  floor.changed = read_version(in);
  for (auto n = in.varint_up_to(in.left()); n > 0 && in.ok(); --n)
    floor.joins.push_back(in.varint());
  floor.acknowledged = read_version(in);
  if (!in.finished() || !std::is_sorted(floor.joins.begin(), floor.joins.end()))
    return error{errc::malformed, "the log's floor is not readable", "meta entry floor",
                 "restore the store"};
  return floor;
}

/// Takes the oldest entry, the changeset `at`, which `changes` something, out of the log. Its dot
/// entry stays as the anchor of its origin; the anchor before it goes, unless its turn is to stay
/// for good.
template <storage_writer W>
void drop_changeset(W& from, log_floor& floor, dot at, std::uint64_t position, std::size_t size,
                    bool changes) {
  from.erase(area::log, position_key(position));
  if (at.seq > 1 && (at.seq - 1) % anchor_every != 0)
    from.erase(area::dots, dot_key({at.replica, at.seq - 1}));
  floor.position = position;
  floor.dropped_bytes += size;
  floor.version.raise(at);
  if (changes) floor.changed.raise(at);
  std::erase_if(floor.joins, [&](auto join) { return join <= position; });
}

}  // namespace joinery::history
