// The register: the set of causally maximal writes, each with its dot.
//
// Purpose: what `lww` and `mv` share; they differ only in how they are read. A write replaces every
// write that it saw, so concurrent ones stand side by side until somebody who saw them writes
// again.
// Packed as (varint replica, varint seq, zigzag rank, fixed64 hlc, block value)*. Delta: zigzag
// rank, value.
// Invariants: sorted by replica, one write of each.
// Thread-safety: pure functions.
#pragma once

#include "joinery/causal/roster.hpp"
#include "joinery/crdt/detail/dots.hpp"
#include "joinery/crdt/detail/splice.hpp"
#include "joinery/crdt/kind.hpp"

namespace joinery::crdt::detail {

struct register_write {
  dot at;
  std::int64_t rank = 0;
  causal::hlc time = 0;
  bytes_view value;
};

inline register_write read_write(byte_reader& in) {
  register_write w;
  w.at = read_dot(in);
  w.rank = in.zigzag();
  w.time = in.fixed64();
  w.value = in.block();
  return w;
}
/// Passes over what a write has behind its dot.
[[gnu::always_inline]] inline void skip_behind_dot(byte_reader& in) {
  in.varint();
  in.take(sizeof(causal::hlc));
  in.block();
}
template <class W>
void write_write(W& out, const register_write& w) {
  write_dot(out, w.at);
  out.zigzag(w.rank);
  out.fixed64(w.time);
  out.block(w.value);
}
// The same, with one look at the room that is left.
inline void write_write(buffer_writer& out, const register_write& w) {
  char* const to = out.room(4 * max_varint + 8 + w.value.size());
  auto n = put_varint(to, w.at.replica);
  n += put_varint(to + n, w.at.seq);
  n += put_varint(to + n, zigzag_of(w.rank));
  const auto time = big_endian(w.time);
  std::memcpy(to + n, &time, sizeof time);
  n += sizeof time;
  n += put_varint(to + n, w.value.size());
  if (!w.value.empty()) std::memcpy(to + n, w.value.data(), w.value.size());
  out.added(n + w.value.size());
}
inline std::vector<register_write> read_writes(bytes_view state) {
  std::vector<register_write> out;
  byte_reader in{state};
  while (!in.at_end()) {
    const auto w = read_write(in);
    if (in.ok()) out.push_back(w);
  }
  return out;
}
inline bytes write_writes(const std::vector<register_write>& writes) {
  bytes out;
  byte_writer w{out};
  for (const auto& each : writes) write_write(w, each);
  return out;
}

/// The write that `lww` shows: greatest by (rank, hlc, replica id). Nothing when never written.
inline std::optional<register_write> winner(bytes_view state, const causal::roster& replicas) {
  std::optional<register_write> best;
  byte_reader in{state};
  while (!in.at_end()) {
    const auto w = read_write(in);
    if (!in.ok()) break;
    if (!best || std::tie(w.rank, w.time, replicas[w.at.replica]) >
                     std::tie(best->rank, best->time, replicas[best->at.replica]))
      best = w;
  }
  return best;
}

/// A conflict: more than one causally maximal write, of different values.
inline bool in_conflict(bytes_view state) {
  const auto writes = read_writes(state);
  return std::any_of(writes.begin(), writes.end(),
                     [&](const auto& w) { return w.value != writes.front().value; });
}

template <kind Kind>
struct register_rules {
  static constexpr shape type() { return Kind; }

  static bool valid(bytes_view state, replica_index replicas) {
    byte_reader in{state};
    std::uint64_t next = 0;
    while (!in.at_end()) {
      const auto w = read_write(in);
      if (!in.ok() || w.at.replica < next || w.at.replica >= replicas || w.at.seq == 0 ||
          w.value.empty())
        return false;
      next = std::uint64_t{w.at.replica} + 1;
    }
    return in.ok();
  }
  static bool valid_delta(bytes_view delta) {
    byte_reader in{delta};
    in.zigzag();
    return in.ok() && !in.at_end();
  }
  static void apply(bytes_view state, bytes_view delta, const stamp& by, splice& out) {
    byte_reader value{delta};
    const auto rank = value.zigzag();
    const register_write fresh{by.at, rank, by.time, value.rest()};
    out.removed = state.size();
    buffer_writer w{out.inserted};
    touch(
        state, by, skip_behind_dot, [&](dot, bytes_view raw) { w.raw(raw); },
        [&] { write_write(w, fresh); });
  }
  static bytes join(bytes_view a, const version& seen_by_a, bytes_view b,
                    const version& seen_by_b) {
    return write_writes(join_dotted(read_writes(a), seen_by_a, read_writes(b), seen_by_b));
  }
  static bytes reindex(bytes_view state, const reindexing& map) {
    auto writes = read_writes(state);
    for (auto& w : writes) w.at.replica = map[w.at.replica];
    std::sort(writes.begin(), writes.end(),
              [](const auto& x, const auto& y) { return x.at < y.at; });
    return write_writes(writes);
  }
};

}  // namespace joinery::crdt::detail
