// wanted: what was found damaged and a peer can give again.
//
// Purpose: names one thing: a changeset by its dot, whose bytes the chain digests prove, or a
// record by table and key, with the version at which it was read.
// Format: a record travels as varint n, n × (replica id, varint seq) ascending by id, then the
// portable record over these ids; docs/format.md.
// Invariants: `read_record_answer` gives a well-formed record or nothing, whatever the bytes.
// Thread-safety: values.
#pragma once

#include <optional>
#include <string>

#include "joinery/causal/roster.hpp"
#include "joinery/state/canonical.hpp"
#include "joinery/state/portable_record.hpp"

namespace joinery {

struct wanted {
  replica_id origin{};  ///< of a changeset; none for a record
  std::uint64_t seq = 0;
  std::string table{};  ///< of a record
  bytes key{};

  [[nodiscard]] bool is_record() const noexcept { return !table.empty(); }
  friend auto operator<=>(const wanted&, const wanted&) = default;
};

namespace detail {

inline bytes write_record_answer(bytes_view packed, const causal::roster& replicas,
                                 const causal::version& seen, const state::name_table& names) {
  std::vector<causal::replica_index> order;
  const auto map = state::canonical_order(replicas, seen, order);
  bytes out;
  byte_writer w{out};
  w.varint(order.size());
  for (const auto r : order) {
    w.raw(replicas[r].view());
    w.varint(seen.at(r));
  }
  w.raw(state::portable_record(packed, map, names));
  return out;
}

struct record_answer {
  std::vector<std::pair<replica_id, std::uint64_t>> seen;
  bytes_view portable;
};

inline std::optional<record_answer> read_record_answer(bytes_view data) {
  constexpr std::size_t least_item = 17;
  byte_reader in{data};
  record_answer out;
  for (auto n = in.varint_up_to(data.size() / least_item); n > 0 && in.ok(); --n) {
    const auto id = replica_id::from_bytes(in.take(16));
    const auto seq = in.varint_up_to(codec::max_seq);
    if (!in.ok() || !id || seq == 0) return std::nullopt;
    if (!out.seen.empty() && *id <= out.seen.back().first) return std::nullopt;
    out.seen.emplace_back(*id, seq);
  }
  if (!in.ok()) return std::nullopt;
  out.portable = in.rest();
  const auto replicas = static_cast<causal::replica_index>(out.seen.size());
  if (!state::valid_portable(out.portable, replicas)) return std::nullopt;
  return out;
}

}  // namespace detail
}  // namespace joinery
