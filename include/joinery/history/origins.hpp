// origin_table: what is known of each origin's changesets.
//
// Purpose: heads, chain digests and last versions, without which the next changeset of an origin
// can be neither checked nor decoded: it tells only how its origin's version grew.
// Invariants: `seen` of an origin at seq n is that origin's version when it committed n, itself
// included.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <vector>

#include "joinery/base/cursor.hpp"
#include "joinery/causal/roster.hpp"
#include "joinery/causal/stamp.hpp"
#include "joinery/crypto/hash.hpp"

namespace joinery::history {

struct origin_state {
  std::uint64_t seq = 0;
  causal::hlc time = 0;
  crypto::digest chain;
  causal::version seen;
};

/// Indexed by replica index.
using origin_table = std::vector<origin_state>;

/// About how many bytes the origins take in memory.
inline std::size_t memory_of(const origin_table& origins) {
  auto size = origins.capacity() * sizeof(origin_state);
  for (const auto& o : origins) size += o.seen.memory();
  return size;
}

inline void write_version(byte_writer& out, const causal::version& v) {
  out.varint(v.size());
  for (causal::replica_index r = 0; r < v.size(); ++r) out.varint(v.at(r));
}
inline causal::version read_version(byte_reader& in) {
  causal::version v;
  const auto n = in.varint_up_to(in.left());
  for (std::uint64_t r = 0; r < n; ++r) v.set(static_cast<causal::replica_index>(r), in.varint());
  return v;
}

inline void write_origins(byte_writer& out, const origin_table& origins) {
  out.varint(origins.size());
  for (const auto& o : origins) {
    out.varint(o.seq);
    out.fixed64(o.time);
    out.raw(o.chain.view());
    write_version(out, o.seen);
  }
}
inline origin_table read_origins(byte_reader& in) {
  origin_table origins;
  const auto n = in.varint_up_to(in.left());
  for (std::uint64_t i = 0; i < n && in.ok(); ++i) {
    origin_state o;
    o.seq = in.varint();
    o.time = in.fixed64();
    o.chain = crypto::digest::from_bytes(in.take(32)).value_or(crypto::digest{});
    o.seen = read_version(in);
    origins.push_back(std::move(o));
  }
  return origins;
}

}  // namespace joinery::history
