// parts: a changeset taken apart, if it stands in the one form that can be written again.
//
// Purpose: what the transit form carries is not the bytes of a changeset but what they say; so it
// takes only those that a writer would write the same.
// Invariants: `read_parts` succeeds for exactly the bytes that `write_parts` gives: every length in
// MessagePack's shortest form, records ascending, names in the order of their first use, each once.
// It does not ask whether a changeset makes sense (codec/changeset.hpp does).
// Thread-safety: none needed; parts point into the bytes that were read.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "joinery/base/comparing.hpp"
#include "joinery/codec/limits.hpp"
#include "joinery/codec/transit/bits.hpp"
#include "joinery/crdt/dispatch.hpp"

namespace joinery::codec::transit {

struct seen_part {
  bytes_view replica;  ///< 16 bytes
  std::uint64_t increase = 0;
};
struct op_part {
  std::uint8_t action = 0;
  std::uint64_t incarnation = 0;
  std::uint32_t field = 0;  ///< index into the names, as is the table
  std::uint32_t shape = 0;
  bytes_view delta;
};
struct record_part {
  std::uint32_t table = 0;
  bytes_view key;
  std::uint64_t start = 0;  ///< `first_bytes` of the key
  std::uint32_t first = 0;  ///< its operations, in `ops`
  std::uint32_t count = 0;
};

struct parts {
  bytes_view origin;  ///< 16 bytes
  std::uint64_t seq = 0;
  std::uint64_t time = 0;
  std::vector<seen_part> seen;
  std::vector<bytes_view> names;
  std::vector<record_part> records;
  std::vector<op_part> ops;
};

namespace detail {

/// Reads MessagePack in its shortest forms only. Past a fault all reads give nothing.
class strict_reader {
 public:
  explicit strict_reader(bytes_view data) noexcept
      : at_(data.data()), end_(data.data() + data.size()) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool finished() const noexcept { return ok_ && at_ == end_; }

  // What is short is read in place.

  [[gnu::always_inline]] std::uint64_t u64() noexcept {
    const auto lead = byte();
    return lead < 0x80 ? lead : long_u64(lead);
  }
  [[gnu::always_inline]] std::size_t array() noexcept {
    const auto lead = byte();
    const std::size_t n = (lead & 0xF0) == 0x90 ? lead & 15u : long_array(lead);
    return n <= left() ? n : fail();  // an item takes at least a byte
  }
  bytes_view text() noexcept {
    const auto lead = byte();
    if ((lead & 0xE0) == 0xA0) return take(lead & 31u);
    if (lead < 0xD9 || lead > 0xDB) return fail(), bytes_view{};
    return take(sized(lead - 0xD9u, 32));
  }
  [[gnu::always_inline]] bytes_view binary() noexcept {
    const auto lead = byte();
    return take(lead == 0xC4 ? byte() : long_binary(lead));
  }
  /// The next byte, without taking it, if there are `n` more.
  [[nodiscard]] const unsigned char* ahead(std::size_t n) const noexcept {
    return n <= left() ? reinterpret_cast<const unsigned char*>(at_) : nullptr;
  }
  /// Takes what was looked at, and `size` bytes after it.
  bytes_view take_after(std::size_t n, std::size_t size) noexcept {
    at_ += n;
    return take(size);
  }
  std::uint64_t fail() noexcept {
    ok_ = false;
    at_ = end_;
    return 0;
  }

 private:
  [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  [[gnu::always_inline]] unsigned byte() noexcept {
    if (at_ == end_) return fail(), 0xC1u;  // no type at all
    return static_cast<unsigned char>(*at_++);
  }
  [[gnu::noinline]] std::uint64_t long_u64(unsigned lead) noexcept {
    return lead < 0xCC || lead > 0xCF ? fail() : sized(lead - 0xCCu, 0x80);
  }
  [[gnu::noinline]] std::size_t long_array(unsigned lead) noexcept {
    return lead == 0xDC ? wide(1, 16) : lead == 0xDD ? sized(2, 0) : fail();
  }
  [[gnu::noinline]] std::size_t long_binary(unsigned lead) noexcept {
    return lead < 0xC5 || lead > 0xC6 ? fail() : sized(lead - 0xC4u, 0);
  }
  /// A big-endian number of 2^`steps` bytes; a shorter form holds what is below `least`.
  std::uint64_t wide(unsigned steps, std::uint64_t least) noexcept {
    const std::size_t n = std::size_t{1} << steps;
    if (n > left()) return fail();
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < n; ++i) value = value << 8 | static_cast<unsigned char>(*at_++);
    return value < least ? fail() : value;
  }
  /// The same, when a half as long form ends where this begins; the shortest begins at `first`.
  std::uint64_t sized(unsigned steps, std::uint64_t first) noexcept {
    return wide(steps, steps == 0 ? first : std::uint64_t{1} << (4u << steps));
  }
  [[gnu::always_inline]] bytes_view take(std::uint64_t n) noexcept {
    if (n > left()) return fail(), bytes_view{};
    const bytes_view out{at_, static_cast<std::size_t>(n)};
    at_ += n;
    return out;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

/// Names must come up in their order.
class name_order {
 public:
  explicit name_order(std::size_t count) noexcept : count_(count) {}
  bool use(std::uint64_t index) noexcept {
    if (index > next_ || index >= count_) return false;
    next_ += index == next_ ? 1 : 0;
    return true;
  }
  [[nodiscard]] bool complete() const noexcept { return next_ == count_; }

 private:
  std::uint64_t next_ = 0;
  std::uint64_t count_;
};

[[gnu::always_inline]] inline bool read_op(strict_reader& in, name_order& order, op_part& op) {
  // Nearly all are updates in the smallest numbers.
  constexpr std::size_t head = 7;
  const auto* p = in.ahead(head);
  if (p != nullptr && p[0] == 0x95 && (p[2] | p[3] | p[4]) < 0x80 && p[5] == 0xC4 &&
      (p[1] == 1 || p[1] == 4)) {
    op = {p[1], p[2], p[3], p[4], {}};
    op.delta = in.take_after(head, p[6]);
    return in.ok() && order.use(op.field);
  }
  const auto items = in.array();
  const auto action = in.u64();
  op.incarnation = in.u64();
  op.action = static_cast<std::uint8_t>(action & 7);
  const bool update = crdt::carries_delta(static_cast<crdt::cell_action>(op.action));
  if (action > 4 || items != (update ? 5u : 2u)) return false;
  if (!update) return in.ok();
  const auto field = in.u64(), shape = in.u64();
  op.delta = in.binary();
  if (!in.ok() || shape > 0xFFFFFFFF || !order.use(field)) return false;
  op.field = static_cast<std::uint32_t>(field);
  op.shape = static_cast<std::uint32_t>(shape);
  return true;
}

inline bool ascends(const parts& p, const record_part& a, const record_part& b) {
  if (a.table != b.table) return p.names[a.table] < p.names[b.table];
  return a.start != b.start ? a.start < b.start : a.key < b.key;
}

inline bool read_records(strict_reader& in, parts& p) {
  name_order order{p.names.size()};
  for (auto n = in.array(); n > 0 && in.ok(); --n) {
    record_part r;
    if (in.array() != 3) return false;
    const auto table = in.u64();
    r.key = in.binary();
    if (!in.ok() || r.key.size() > max_key || !order.use(table)) return false;
    r.table = static_cast<std::uint32_t>(table);
    r.start = first_bytes(r.key);
    if (!p.records.empty() && !ascends(p, p.records.back(), r)) return false;
    r.first = static_cast<std::uint32_t>(p.ops.size());
    for (auto count = in.array(); count > 0 && in.ok(); --count) {
      p.ops.emplace_back();
      if (!read_op(in, order, p.ops.back())) return false;
    }
    r.count = static_cast<std::uint32_t>(p.ops.size()) - r.first;
    p.records.push_back(r);
  }
  return in.ok() && order.complete();
}

}  // namespace detail

/// Takes `data` apart; false when it does not stand in the form of `write_parts`. Whether names
/// differ from each other is left to the caller.
inline bool read_parts(bytes_view data, parts& p) {
  p.seen.clear();
  p.names.clear();
  p.records.clear();
  p.ops.clear();
  detail::strict_reader in{data};
  if (in.array() != 7 || in.u64() != 1) return false;
  p.origin = in.binary();
  p.seq = in.u64();
  p.time = in.u64();
  if (p.origin.size() != 16) return false;
  for (auto n = in.array(); n > 0 && in.ok(); --n) {
    if (in.array() != 2) return false;
    const auto replica = in.binary();
    p.seen.push_back({replica, in.u64()});
    if (replica.size() != 16) return false;
  }
  const auto names = in.array();
  if (names > max_names) return false;
  for (auto n = names; n > 0 && in.ok(); --n) {
    p.names.push_back(in.text());
    if (p.names.back().size() > max_name) return false;
  }
  return in.ok() && detail::read_records(in, p) && in.finished();
}

}  // namespace joinery::codec::transit
