// hello: the first message of a session.
//
// Purpose: who the sender is, what it speaks, which space and schema it has, and what it can take.
// docs/format.md.
// Invariants: the first three items are the same in all versions of the protocol, so that two
// programs can always tell each other that they do not understand each other.
// Thread-safety: values.
#pragma once

#include <optional>

#include "joinery/causal/replica_id.hpp"
#include "joinery/codec/pack.hpp"
#include "joinery/crypto/hash.hpp"
#include "joinery/sync/options.hpp"

namespace joinery::sync {

inline constexpr std::uint64_t protocol_version = 2;
inline constexpr std::uint64_t oldest_protocol_version = 2;
inline constexpr std::string_view protocol_magic = "joinery";

struct hello {
  std::uint64_t version = protocol_version;
  std::uint64_t oldest = oldest_protocol_version;  ///< the oldest version that the sender speaks
  space_id space;
  replica_id replica;
  std::uint64_t fingerprint = 0;        ///< of the schema
  std::uint64_t head_count = 0;         ///< how many heads the sender has
  std::optional<crypto::digest> heads;  ///< of all of them, when there are more than a few
  std::uint64_t max_frame = 0;
  std::uint64_t credit = 0;
  std::uint64_t idle_ms = 0;  ///< the sender gives up after this long without a byte; 0: never
  bool verify = false;
  bool selective = false;  ///< the sender may hold back some of what its heads name
  std::uint64_t memory = codec::transit::min_memory;  ///< session_options::memory
};

inline bytes encode(const hello& m) {
  bytes out;
  codec::pack_writer w{out};
  w.array(14);
  w.text(protocol_magic);
  w.u64(m.version);
  w.u64(m.oldest);
  w.binary(m.space.view());
  w.binary(m.replica.view());
  w.u64(m.fingerprint);
  w.u64(m.head_count);
  w.u64(m.max_frame);
  w.u64(m.credit);
  w.u64(m.idle_ms);
  w.boolean(m.verify);
  w.boolean(m.selective);
  w.u64(m.memory);
  w.binary(m.heads ? m.heads->view() : bytes_view{});
  return out;
}

/// Of a hello of another version only the two versions are read, unless the sender speaks ours as
/// well.
inline std::optional<hello> read_hello(bytes_view payload) {
  codec::pack_reader in{payload};
  hello m;
  const auto items = in.array();
  if (in.text() != protocol_magic) in.fail();
  m.version = in.u64();
  m.oldest = in.u64();
  if (!in.ok() || m.oldest > m.version || m.oldest == 0) return std::nullopt;
  if (m.oldest > protocol_version || m.version < oldest_protocol_version) return m;
  const auto space = space_id::from_bytes(in.binary());
  const auto replica = replica_id::from_bytes(in.binary());
  m.fingerprint = in.u64();
  m.head_count = in.u64_up_to(max_origins);
  m.max_frame = in.u64();
  m.credit = in.u64_up_to(max_window);
  m.idle_ms = in.u64();
  m.verify = in.boolean();
  m.selective = in.boolean();
  m.memory = in.u64_up_to(codec::transit::max_memory);
  const auto heads = in.binary();
  m.heads = crypto::digest::from_bytes(heads);
  if (m.heads.has_value() == heads.empty()) return std::nullopt;
  if (!in.ok() || !space || !replica || replica->is_none()) return std::nullopt;
  if (m.max_frame < min_frame_limit || m.credit < min_window) return std::nullopt;
  if (m.memory < codec::transit::min_memory) return std::nullopt;
  // A newer peer may say more than we understand.
  const bool whole = m.version > protocol_version ? items >= 14 : items == 14 && in.finished();
  if (!whole) return std::nullopt;
  m.space = *space;
  m.replica = *replica;
  return m;
}

}  // namespace joinery::sync
