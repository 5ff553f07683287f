// fork_messages: what two sessions say to each other to find out where two histories part.
//
// Purpose: the payloads of message 17, each a MessagePack array that begins with its kind.
// docs/format-session.md.
// Invariants: what `encode` writes, `read_inquiry` gives back; it gives a value or nothing,
// whatever the bytes.
// Thread-safety: values; views point into the payload that was read.
#pragma once

#include <optional>
#include <variant>

#include "joinery/codec/limits.hpp"
#include "joinery/codec/pack.hpp"
#include "joinery/history/head.hpp"

namespace joinery::sync {

/// What is your chain of `origin` at `seq`?
struct chain_question {
  replica_id origin;
  std::uint64_t seq = 0;
};
/// It is this one; none when it is not known.
struct chain_answer {
  replica_id origin;
  std::uint64_t seq = 0;
  std::optional<crypto::digest> chain;
};
/// Our histories of `origin` part at `seq`, where we have this changeset; empty when it is too
/// large for a frame. `reply`: the receiver said it first.
struct fork_notice {
  replica_id origin;
  std::uint64_t seq = 0;
  bytes_view changeset;
  bool reply = false;
};
/// The sender has taken in `notices` of your fork notices that were no replies; what it sends from
/// here on leaves out what depends on them. `again`: it has dropped what came so far, so begin
/// again.
struct fresh_start {
  std::uint64_t notices = 0;
  bool again = false;
};
/// To a peer of the same id: how much of what we wrote may be known to others, which running
/// program this is, and our chain at our last changeset.
struct twin_notice {
  std::uint64_t given = 0;
  replica_id instance;
  crypto::digest chain;
};

using inquiry_message =
    std::variant<chain_question, chain_answer, fork_notice, fresh_start, twin_notice>;

namespace detail {

inline void write_fields(codec::pack_writer& w, const chain_question& m) {
  w.array(3);
  w.u64(0);
  w.binary(m.origin.view());
  w.u64(m.seq);
}
inline void write_fields(codec::pack_writer& w, const chain_answer& m) {
  w.array(4);
  w.u64(1);
  w.binary(m.origin.view());
  w.u64(m.seq);
  w.binary(m.chain ? m.chain->view() : bytes_view{});
}
inline void write_fields(codec::pack_writer& w, const fork_notice& m) {
  w.array(5);
  w.u64(2);
  w.binary(m.origin.view());
  w.u64(m.seq);
  w.binary(m.changeset);
  w.boolean(m.reply);
}
inline void write_fields(codec::pack_writer& w, const fresh_start& m) {
  w.array(3);
  w.u64(3);
  w.u64(m.notices);
  w.boolean(m.again);
}
inline void write_fields(codec::pack_writer& w, const twin_notice& m) {
  w.array(4);
  w.u64(4);
  w.u64(m.given);
  w.binary(m.instance.view());
  w.binary(m.chain.view());
}

}  // namespace detail

template <class M>
bytes encode_inquiry(const M& m) {
  bytes out;
  codec::pack_writer w{out};
  detail::write_fields(w, m);
  return out;
}

inline std::optional<inquiry_message> read_inquiry(bytes_view payload) {
  codec::pack_reader in{payload};
  const auto items = in.array();
  const auto kind = in.u64_up_to(4);
  constexpr std::uint64_t sizes[] = {3, 4, 5, 3, 4};
  if (!in.ok() || items != sizes[kind]) return std::nullopt;
  if (kind == 3) {
    fresh_start m;
    m.notices = in.u64();
    m.again = in.boolean();
    return in.finished() ? std::optional<inquiry_message>{m} : std::nullopt;
  }
  if (kind == 4) {
    const auto given = in.u64_up_to(codec::max_seq);
    const auto instance = replica_id::from_bytes(in.binary());
    const auto chain = crypto::digest::from_bytes(in.binary());
    if (!in.finished() || !instance || !chain) return std::nullopt;
    return twin_notice{given, *instance, *chain};
  }
  const auto origin = replica_id::from_bytes(in.binary());
  const auto seq = in.u64_up_to(codec::max_seq);
  const auto data = kind == 0 ? bytes_view{} : in.binary();
  const bool reply = kind == 2 && in.boolean();
  if (!in.finished() || !origin || origin->is_none() || seq == 0) return std::nullopt;
  if (kind == 0) return chain_question{*origin, seq};
  if (kind == 2) return fork_notice{*origin, seq, data, reply};
  const auto chain = crypto::digest::from_bytes(data);
  if (!data.empty() && !chain) return std::nullopt;
  return chain_answer{*origin, seq, data.empty() ? std::nullopt : chain};
}

}  // namespace joinery::sync
