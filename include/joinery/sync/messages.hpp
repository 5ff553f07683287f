// messages: what two sessions say to each other.
//
// Purpose: each message as a value, written and read as a MessagePack array within limits; but for
// `changes`, which is a frame of codec/transit. docs/format-session.md.
// Invariants: what `encode` writes, `read` gives back; `read` gives a value or nothing, whatever
// the bytes. Each list of heads names an origin once.
// Thread-safety: values; views point into the payload that was read.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <unordered_set>
#include <vector>

#include "joinery/codec/limits.hpp"
#include "joinery/codec/pack.hpp"
#include "joinery/history/head.hpp"
#include "joinery/sync/options.hpp"

namespace joinery::sync {

/// The type byte of a frame.
enum class message : std::uint8_t {
  hello = 1,
  heads = 2,
  schema = 3,
  changes = 4,
  part = 5,
  ack = 6,
  credit = 7,
  caught_up = 8,
  digest = 9,
  error = 10,
  bye = 11,
  ping = 12,
  inquiry = 17,           ///< fork_messages.hpp
  snapshot_offer = 13,    ///< you lack what my log no longer has
  snapshot_request = 14,  ///< from where on, in pieces
  snapshot_chunk = 15,    ///< a chunk, in pieces
  refetch = 18,
  refetched = 19,
  ranges = 20,  ///< heads_comparison.hpp
};

/// A piece of something that may be too large for one frame: a changeset, a chunk of a snapshot.
struct part {
  std::uint64_t total = 0;
  std::uint64_t offset = 0;
  bytes_view data;
};

/// A head of an origin that was acknowledged before in this session.
struct later_head {
  static constexpr std::size_t chain_bytes = 8;

  std::uint64_t number = 0;  ///< of the origin, in the order of their first heads in `ack`s
  std::uint64_t seq = 0;
  std::array<char, chain_bytes> chain{};  ///< its beginning
};

struct ack {
  std::uint64_t received = 0;  ///< changesets of this session that the sender has dealt with
  std::uint64_t held = 0;      ///< of these, kept until later
  std::vector<history::head> heads;
  std::vector<later_head> later{};
};

struct state_digest {
  crypto::digest heads;  ///< of `heads_digest`
  crypto::digest state;
};

/// The longest list of heads that fits every peer's frames.
inline constexpr std::size_t heads_per_message = 1000;

namespace detail {

inline void write_heads(codec::pack_writer& w, std::span<const history::head> heads) {
  w.array(heads.size());
  for (const auto& h : heads) {
    w.array(3);
    w.binary(h.origin.view());
    w.u64(h.seq);
    w.binary(h.chain.view());
  }
}

inline std::vector<history::head> read_heads(codec::pack_reader& in) {
  std::vector<history::head> heads;
  std::unordered_set<replica_id> named;
  for (auto n = in.array(); n > 0 && in.ok(); --n) {
    in.array_of(3);
    const auto origin = replica_id::from_bytes(in.binary());
    const auto seq = in.u64_up_to(codec::max_seq);
    const auto chain = crypto::digest::from_bytes(in.binary());
    const bool good = origin && !origin->is_none() && seq > 0 && chain;
    if (!good || !named.insert(*origin).second)
      in.fail();
    else
      heads.push_back({*origin, seq, *chain});
  }
  return heads;
}

template <class T>
std::optional<T> whole(const codec::pack_reader& in, T value) {
  if (!in.finished()) return std::nullopt;
  return value;
}

}  // namespace detail

inline bytes encode_heads(std::span<const history::head> heads) {
  bytes out;
  codec::pack_writer w{out};
  detail::write_heads(w, heads);
  return out;
}
inline std::optional<std::vector<history::head>> read_heads(bytes_view payload) {
  codec::pack_reader in{payload};
  auto heads = detail::read_heads(in);
  return detail::whole(in, std::move(heads));
}

inline bytes encode(const part& m) {
  bytes out;
  codec::pack_writer w{out};
  w.array(3);
  w.u64(m.total);
  w.u64(m.offset);
  w.binary(m.data);
  return out;
}
inline std::optional<part> read_part(bytes_view payload) {
  codec::pack_reader in{payload};
  in.array_of(3);
  part m;
  m.total = in.u64();
  m.offset = in.u64();
  m.data = in.binary();
  if (m.data.empty()) in.fail();
  return detail::whole(in, m);
}

inline bytes encode(const ack& m) {
  bytes out;
  codec::pack_writer w{out};
  w.array(4);
  w.u64(m.received);
  w.u64(m.held);
  detail::write_heads(w, m.heads);
  w.array(m.later.size());
  for (const auto& h : m.later) {
    w.array(3);
    w.u64(h.number);
    w.u64(h.seq);
    w.binary({h.chain.data(), h.chain.size()});
  }
  return out;
}
inline std::optional<ack> read_ack(bytes_view payload) {
  codec::pack_reader in{payload};
  in.array_of(4);
  ack m;
  m.received = in.u64();
  m.held = in.u64();
  m.heads = detail::read_heads(in);
  for (auto n = in.array(); n > 0 && in.ok(); --n) {
    in.array_of(3);
    later_head h;
    h.number = in.u64();
    h.seq = in.u64_up_to(codec::max_seq);
    const auto chain = in.binary();
    if (h.seq == 0 || chain.size() != h.chain.size()) in.fail();
    std::copy_n(chain.begin(), std::min(chain.size(), h.chain.size()), h.chain.begin());
    m.later.push_back(h);
  }
  return detail::whole(in, std::move(m));
}

inline bytes encode_credit(std::uint64_t amount) {
  bytes out;
  codec::pack_writer w{out};
  w.array(1);
  w.u64(amount);
  return out;
}
inline std::optional<std::uint64_t> read_credit(bytes_view payload) {
  codec::pack_reader in{payload};
  in.array_of(1);
  const auto amount = in.u64_up_to(max_window);
  if (amount == 0) in.fail();
  return detail::whole(in, amount);
}

inline bytes encode(const state_digest& m) {
  bytes out;
  codec::pack_writer w{out};
  w.array(2);
  w.binary(m.heads.view());
  w.binary(m.state.view());
  return out;
}
inline std::optional<state_digest> read_digest(bytes_view payload) {
  codec::pack_reader in{payload};
  in.array_of(2);
  const auto heads = crypto::digest::from_bytes(in.binary());
  const auto state = crypto::digest::from_bytes(in.binary());
  if (!in.finished() || !heads || !state) return std::nullopt;
  return state_digest{*heads, *state};
}

/// caught_up, bye and ping say all with their type.
inline bytes encode_empty() {
  bytes out;
  codec::pack_writer{out}.array(0);
  return out;
}
inline bool read_empty(bytes_view payload) {
  codec::pack_reader in{payload};
  in.array_of(0);
  return in.finished();
}

}  // namespace joinery::sync
