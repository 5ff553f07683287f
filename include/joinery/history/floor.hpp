// log_floor: what the operation log no longer holds.
//
// Purpose: the log is kept for a time, not for ever. The floor is the version up to which it may
// lack changesets; whoever is not beyond it is served by a snapshot. Chains stay comparable across
// it through anchors: the dot entries of each origin's last dropped changeset and, about, of every
// 64th.
// Keys: `meta` has "floor" → the sealed floor.
// Invariants: the log holds every changeset above `version`, and its entries begin right after
// `position`; only whole entries are dropped; a position where a snapshot was joined has no entry.
// Thread-safety: as the view or writer that is passed in.
#pragma once

#include <algorithm>

#include "joinery/history/log.hpp"
#include "joinery/history/origins.hpp"

namespace joinery::history {

/// Of so many dropped changesets of an origin, the chain of one stays known.
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

/// A changeset of the log that is dropped.
struct dropped {
  dot at;
  std::size_t size = 0;
  bool changes = true;  ///< something
};

namespace detail {

/// A run becomes the anchor of its origin. The anchor before it goes, unless it is the first beyond
/// a multiple of `anchor_every`.
template <storage_writer W>
void run_to_anchor(W& to, const dot_run& run) {
  const auto by = run.first.replica;
  const auto before_of = [&](std::uint64_t seq) { return run_before(to, {by, seq}); };
  if (run.first.seq > 1) {
    const auto before = before_of(run.first.seq - 1);
    if (before && *before) {
      const auto anchor = (*before)->first.seq;
      const auto further = anchor > 1 ? before_of(anchor - 1) : before;
      const auto last = anchor > 1 && further && *further ? (*further)->last() : 0;
      if (anchor / anchor_every == last / anchor_every) to.erase(area::dots, dot_key({by, anchor}));
    }
  }
  if (run.count == 1) return;
  to.erase(area::dots, dot_key(run.first));
  put_dot(to, {by, run.last()}, {run.end, run.chain});
}

}  // namespace detail

/// Takes the oldest entry, `changesets` from position `first` on, out of the log. The last dot of
/// each origin's run stays as an anchor; a damaged run stays as it is.
template <storage_writer W>
void drop_entry(W& from, log_floor& floor, std::uint64_t first,
                std::span<const dropped> changesets) {
  from.erase(area::log, position_key(first));
  std::optional<dot_run> run;
  for (const auto& c : changesets) {
    floor.dropped_bytes += c.size;
    floor.version.raise(c.at);
    if (c.changes) floor.changed.raise(c.at);
    if (run && run->first.replica == c.at.replica && c.at.seq <= run->last()) continue;
    auto found = find_run(from, c.at);
    if (!found || !*found) continue;
    run = std::move(*found);
    if (run->first.seq == c.at.seq) detail::run_to_anchor(from, *run);  // once for each run
  }
  floor.position = first + changesets.size() - 1;
  std::erase_if(floor.joins, [&](auto join) { return join <= floor.position; });
}

}  // namespace joinery::history
