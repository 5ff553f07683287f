// Packed sets of dots.
//
// Purpose: the part that add-wins sets, flags and cells share: which touches of something are still
// in force.
// Packed as (varint replica, varint seq)*.
// Invariants: sorted by replica, at most one dot of each: a replica's later touch has seen its
// earlier ones.
// Thread-safety: pure functions.
#pragma once

#include <utility>
#include <vector>

#include "joinery/base/cursor.hpp"
#include "joinery/causal/stamp.hpp"

namespace joinery::crdt::detail {

using causal::dot;
using causal::replica_index;
using causal::seq_number;
using causal::stamp;
using causal::version;

/// How a state is carried to another roster: old replica index → new one. The canonical form, which
/// digests are taken of, also leaves out what dead cells still hold.
struct reindexing {
  std::vector<replica_index> to;
  bool canonical = false;
  [[nodiscard]] replica_index operator[](replica_index from) const {
    return from < to.size() ? to[from] : 0;
  }
};

// Not of the reader itself, which can stay in registers like this.
[[gnu::noinline]] inline std::pair<dot, byte_reader> read_far_dot(byte_reader in) {
  const auto replica = in.varint_up_to(0xFFFFFFFF);
  const auto seq = in.varint();
  return {{static_cast<replica_index>(replica), seq}, in};
}
// Nearly all have a byte for the replica, and one or two for its seq.
[[gnu::always_inline]] inline dot read_dot(byte_reader& in) {
  const auto rest = in.rest();
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(rest[i]); };
  if (rest.size() > 1 && ((byte(0) | byte(1)) & 0x80) == 0) {
    in.take(2);
    return {byte(0), byte(1)};
  }
  if (rest.size() > 2 && byte(0) < 0x80 && byte(2) - 1u < 0x7F) {
    in.take(3);
    return {byte(0), static_cast<seq_number>((byte(1) & 0x7F) | byte(2) << 7)};
  }
  const auto [d, behind] = read_far_dot(in);
  in = behind;
  return d;
}
template <class W>
void write_dot(W& out, dot d) {
  out.varint(d.replica);
  out.varint(d.seq);
}

inline std::vector<dot> read_dots(bytes_view packed) {
  std::vector<dot> out;
  byte_reader in{packed};
  while (!in.at_end()) {
    const auto d = read_dot(in);
    if (in.ok()) out.push_back(d);
  }
  return out;
}
inline bytes write_dots(const std::vector<dot>& dots) {
  bytes out;
  byte_writer w{out};
  for (const auto d : dots) write_dot(w, d);
  return out;
}

/// Whether `packed` is a set of dots over `replicas` indexes.
inline bool valid_dots(bytes_view packed, replica_index replicas) {
  byte_reader in{packed};
  std::uint64_t next = 0;
  while (!in.at_end()) {
    const auto d = read_dot(in);
    if (!in.ok() || d.replica < next || d.replica >= replicas || d.seq == 0) return false;
    next = std::uint64_t{d.replica} + 1;
  }
  return in.ok();
}

/// Writes a dot where there is room for `max_dot` bytes, and gives its end; so do the others here.
[[gnu::always_inline]] inline char* put_dot(char* to, dot d) {
  to += put_varint(to, d.replica);
  return to + put_varint(to, d.seq);
}
inline constexpr std::size_t max_dot = 2 * max_varint;

/// What `context` has not seen of `packed`, which is no longer than that.
inline char* put_unseen_dots(char* to, bytes_view packed, const version& context) {
  byte_reader in{packed};
  while (!in.at_end()) {
    const auto d = read_dot(in);
    if (in.ok() && !context.seen(d)) to = put_dot(to, d);
  }
  return to;
}

/// Whether a change made by `by` takes the place of one at `earlier`: it saw it. One of its own
/// replica it always saw: a dot beyond it is planted, and must not come to stand beside it.
inline bool replaces(const stamp& by, dot earlier) {
  return by.context.seen(earlier) || earlier.replica == by.at.replica;
}

/// A touch of a run of dotted things that is sorted by replica: calls `keep(dot, raw)` for each
/// that `by` did not see, and `fresh()` where the one of `by` goes. `skip(byte_reader&)` passes
/// over what a thing has behind its dot.
template <class Skip, class Keep, class Fresh>
[[gnu::always_inline]] inline void touch(bytes_view packed, const stamp& by, Skip&& skip,
                                         Keep&& keep, Fresh&& fresh) {
  byte_reader in{packed};
  dot d;
  bytes_view raw;
  const auto next = [&]() __attribute__((always_inline)) {
    if (in.at_end()) return false;
    const auto rest = in.rest();
    d = read_dot(in);
    skip(in);
    raw = {rest.data(), rest.size() - in.left()};
    return in.ok();
  };
  bool more = next();
  for (; more && d.replica < by.at.replica; more = next())
    if (!by.context.seen(d)) keep(d, raw);
  fresh();
  for (; more; more = next())
    if (!replaces(by, d)) keep(d, raw);
}
/// `packed` with the dot of `by` in place of all that it saw: longer by one at most.
[[gnu::always_inline]] inline char* put_touched_dots(char* to, bytes_view packed, const stamp& by) {
  touch(
      packed, by, [](byte_reader&) {}, [&](dot d, bytes_view) { to = put_dot(to, d); },
      [&] { to = put_dot(to, by.at); });
  return to;
}
/// What a change leaves of the dots of something that is there while it has one: a touch, or that
/// it is taken away.
inline void write_changed_dots(buffer_writer& out, bytes_view packed, const stamp& by, bool stays) {
  char* const start = out.room(packed.size() + max_dot);
  char* const end =
      stays ? put_touched_dots(start, packed, by) : put_unseen_dots(start, packed, by.context);
  out.added(static_cast<std::size_t>(end - start));
}

/// Walks two runs that are sorted by replica side by side and keeps what both hold, and what one
/// holds and the other has not seen (Bieniusa et al. 2012). `Item` has `at`, a dot.
template <class Item>
std::vector<Item> join_dotted(const std::vector<Item>& a, const version& seen_by_a,
                              const std::vector<Item>& b, const version& seen_by_b) {
  std::vector<Item> out;
  auto i = a.begin();
  auto j = b.begin();
  while (i != a.end() || j != b.end()) {
    if (j == b.end() || (i != a.end() && i->at < j->at)) {
      if (!seen_by_b.seen(i->at)) out.push_back(*i);
      ++i;
    } else if (i == a.end() || j->at < i->at) {
      if (!seen_by_a.seen(j->at)) out.push_back(*j);
      ++j;
    } else {
      out.push_back(*i);
      ++i, ++j;
    }
    // One dot of a replica: honest states never leave two, and a dishonest one must not make us.
    if (out.size() > 1 && out[out.size() - 2].at.replica == out.back().at.replica)
      out.erase(out.end() - 2);
  }
  return out;
}

/// As `join_dotted`, of bare dots: writes them.
template <class W>
void write_joined_dots(W& out, bytes_view a, const version& seen_by_a, bytes_view b,
                       const version& seen_by_b) {
  byte_reader in_a{a}, in_b{b};
  const auto next = [](byte_reader& in, dot& d) {
    if (in.at_end()) return false;
    d = read_dot(in);
    return in.ok();
  };
  dot x, y, last;
  bool kept = false;
  const auto keep = [&](dot d) {
    if (kept && last.replica != d.replica) write_dot(out, last);
    last = d;
    kept = true;
  };
  bool more_x = next(in_a, x), more_y = next(in_b, y);
  while (more_x || more_y) {
    if (!more_y || (more_x && x < y)) {
      if (!seen_by_b.seen(x)) keep(x);
      more_x = next(in_a, x);
    } else if (!more_x || y < x) {
      if (!seen_by_a.seen(y)) keep(y);
      more_y = next(in_b, y);
    } else {
      keep(x);
      more_x = next(in_a, x);
      more_y = next(in_b, y);
    }
  }
  if (kept) write_dot(out, last);
}
inline bytes join_dots(bytes_view a, const version& seen_by_a, bytes_view b,
                       const version& seen_by_b) {
  bytes out;
  byte_writer w{out};
  write_joined_dots(w, a, seen_by_a, b, seen_by_b);
  return out;
}

inline bytes reindex_dots(bytes_view packed, const reindexing& map) {
  auto dots = read_dots(packed);
  for (auto& d : dots) d.replica = map[d.replica];
  std::sort(dots.begin(), dots.end());
  return write_dots(dots);
}

}  // namespace joinery::crdt::detail
