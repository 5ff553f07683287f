// changeset: the atomic unit of change, taken apart.
//
// Purpose: one committed transaction of one replica, decoded within limits. Its bytes are immutable
// and forwarded verbatim, so decoding never needs to give the same bytes again.
// Format: docs/format.md. MessagePack [1, origin, seq, hlc, [[replica, increase]…], [name…],
// [[table, key, [op…]]…]].
// Invariants: a decoded changeset is well-formed throughout: applying it cannot fail half-way.
// Thread-safety: values; the views of a decoded one point into its bytes.
#pragma once

#include <optional>
#include <vector>

#include "joinery/base/comparing.hpp"
#include "joinery/base/result.hpp"
#include "joinery/causal/hlc.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/codec/changeset_writer.hpp"
#include "joinery/codec/limits.hpp"
#include "joinery/codec/pack.hpp"
#include "joinery/crdt/dispatch.hpp"

namespace joinery::codec {

/// One operation on a record.
struct record_op {
  std::uint32_t record = 0;  ///< index into `changeset::records`
  crdt::cell_action action{};
  std::uint64_t incarnation = 0;
  std::uint32_t field = 0;  ///< index into `changeset::names`; of an update, as are the next two
  crdt::shape type;
  bytes_view delta;
};

struct changed_record {
  std::uint32_t table = 0;  ///< index into `changeset::names`
  bytes_view key;
};

struct changeset {
  replica_id origin;
  std::uint64_t seq = 0;
  causal::hlc time = 0;
  std::vector<seen_increase> seen;  ///< ascending by replica, without the origin itself
  std::vector<bytes_view> names;
  std::vector<changed_record> records;  ///< ascending by table name and key
  std::vector<record_op> ops;           ///< grouped by record, in the order in which they were made
  std::optional<crdt::shape> unknown;   ///< a kind of a newer joinery; only while it is read

  /// Makes it empty, and keeps its memory.
  void clear() noexcept {
    seen.clear();
    names.clear();
    records.clear();
    ops.clear();
    unknown.reset();
  }
};

namespace detail {

/// Whether `a` comes before `b`, by table name and key.
inline bool ascend(const changeset& c, const changed_record& a, const changed_record& b) {
  const int tables = a.table == b.table ? 0 : c.names[a.table].compare(c.names[b.table]);
  return tables < 0 || (tables == 0 && comes_before(a.key, b.key));
}

// In place of its only call, so that the reader stays in registers.
[[gnu::always_inline]] inline void read_ops(pack_reader& in, changeset& c) {
  const auto record = static_cast<std::uint32_t>(c.records.size());
  in.array_of(3);
  const auto table = static_cast<std::uint32_t>(in.u64_up_to(c.names.size() - 1));
  const auto key = in.binary();
  c.records.push_back({table, key});
  if (key.empty() || key.size() > max_key) in.fail();
  // Each record once: its operations are applied together or, in a replay that has them already,
  // skipped together.
  if (record > 0 && !ascend(c, c.records[record - 1], c.records[record])) in.fail();
  for (auto n = in.array(); n > 0 && in.ok(); --n) {
    auto& op = c.ops.emplace_back();
    op.record = record;
    const auto items = in.array();
    std::uint8_t numbers[4];
    const bool all_short = items == 5 && in.four_short(numbers);
    const auto action = all_short ? numbers[0] : in.u64();
    op.incarnation = all_short ? numbers[1] : in.u64();
    op.action = static_cast<crdt::cell_action>(action & 7);
    const bool update = crdt::carries_delta(op.action);
    if (action > 4 || items != (update ? 5u : 2u) || op.incarnation == 0 ||
        op.incarnation > max_incarnation)
      in.fail();
    if (!update) continue;
    const auto field = all_short ? numbers[2] : in.u64();
    const auto type = all_short ? numbers[3] : in.u64_up_to(0xFFFFFFFF);
    op.delta = in.binary();
    op.field = static_cast<std::uint32_t>(field);
    op.type = crdt::shape::from_code(static_cast<std::uint32_t>(type));
    if (field >= c.names.size()) in.fail();
    if (!in.ok()) return;
    if (op.type.newer()) c.unknown = op.type;
    if (!op.type.valid() || !crdt::valid_delta(op.type, op.delta)) in.fail();
  }
}

inline bool read_changeset(bytes_view data, changeset& c) {
  pack_reader in{data};
  in.array_of(7);
  if (in.u64() != changeset_format) return false;
  const auto origin = replica_id::from_bytes(in.binary());
  if (!origin || origin->is_none()) return false;
  c.origin = *origin;
  c.seq = in.u64_up_to(max_seq);
  c.time = in.u64();
  if (c.seq == 0 || c.time == 0) return false;
  for (auto n = in.array(); n > 0 && in.ok(); --n) {
    in.array_of(2);
    const auto id = replica_id::from_bytes(in.binary());
    const auto increase = in.u64_up_to(max_seq);
    if (!id || id->is_none() || *id == c.origin || increase == 0) return false;
    if (!c.seen.empty() && *id <= c.seen.back().replica) return false;
    c.seen.push_back({*id, increase});
  }
  const auto names = in.array();
  if (names > max_names) return false;
  for (auto n = names; n > 0 && in.ok(); --n) {
    const auto name = in.text();
    if (name.empty() || name.size() > max_name) return false;
    c.names.push_back(name);
  }
  for (auto n = in.array(); n > 0 && in.ok(); --n) {
    if (c.names.empty()) return false;
    read_ops(in, c);
  }
  return in.finished();
}

}  // namespace detail

namespace detail {

// An unsigned integer of MessagePack, on request only in its shortest form; fails the reader when
// it is none.
inline std::uint64_t read_number(byte_reader& in, bool shortest) {
  const auto lead = in.u8();
  if (lead <= 0x7F) return lead;
  if (lead < 0xCC || lead > 0xCF) return in.fail(), std::uint64_t{0};
  const unsigned width = 1u << (lead - 0xCC);
  std::uint64_t value = 0;
  for (const char c : in.take(width)) value = value << 8 | static_cast<std::uint8_t>(c);
  if (shortest && value >> (width == 1 ? 7 : 4 * width) == 0) in.fail();
  return value;
}

inline std::optional<std::pair<replica_id, std::uint64_t>> read_dot(byte_reader& in) {
  const auto head = in.take(4);  // array of 7, format 1, bin of 16
  if (head != bytes_view{"\x97\x01\xC4\x10", 4}) return std::nullopt;
  const auto origin = replica_id::from_bytes(in.take(16));
  const auto seq = read_number(in, true);
  if (!in.ok() || !origin) return std::nullopt;
  return std::pair{*origin, seq};
}

}  // namespace detail

/// The dot of a changeset that was decoded before, without taking it apart; nothing when the bytes
/// are no changeset.
inline std::optional<std::pair<replica_id, std::uint64_t>> peek_dot(bytes_view data) {
  byte_reader in{data};
  return detail::read_dot(in);
}

/// The stamp of a changeset that was decoded before, as `peek_dot`.
inline std::optional<causal::hlc> peek_time(bytes_view data) {
  byte_reader in{data};
  if (!detail::read_dot(in)) return std::nullopt;
  const auto time = detail::read_number(in, false);
  if (!in.ok()) return std::nullopt;
  return time;
}

/// Takes `data` apart into `c`, whose memory is used again. Errors: too_large, unsupported (a newer
/// format), malformed.
inline result<> decode_changeset(bytes_view data, changeset& c) {
  if (data.size() > max_changeset)
    return error{errc::too_large, "a changeset of " + std::to_string(data.size()) + " bytes", "",
                 "the limit is " + std::to_string(max_changeset)};
  c.clear();
  // The head in its shortest form, as `peek_dot` takes it for granted.
  if (detail::read_changeset(data, c) && peek_dot(data) == std::pair{c.origin, c.seq}) return {};
  if (c.unknown)
    return error{errc::unsupported,
                 "a changeset with a field of kind " + std::to_string(c.unknown->code()), "",
                 "a newer program wrote it: update this one"};
  pack_reader probe{data};
  if (probe.array() > 0 && probe.ok()) {
    const auto format = probe.u64();
    if (probe.ok() && format > changeset_format)
      return error{errc::unsupported, "a changeset of format " + std::to_string(format), "",
                   "this program reads format 1: update it"};
  }
  return error{errc::malformed, "bytes that are no changeset", "",
               "ask the peer to send it again; if it stays, the peer is at fault"};
}
inline result<changeset> decode_changeset(bytes_view data) {
  changeset c;
  if (auto done = decode_changeset(data, c); !done) return done.error();
  return c;
}

}  // namespace joinery::codec
