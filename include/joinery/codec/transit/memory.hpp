// memory: what both sides of a stream of changesets remember.
//
// Purpose: the numbers' models, the kinds of operations, and how much is kept of names, origins
// and keys; the same for the writer (with look-ups) and the reader (without).
// Invariants: both sides change theirs at the same places of the stream.
// Thread-safety: none.
#pragma once

#include <array>
#include <bit>
#include <optional>
#include <span>
#include <vector>

#include "joinery/base/function_ref.hpp"
#include "joinery/codec/limits.hpp"
#include "joinery/codec/transit/delta_form.hpp"
#include "joinery/codec/transit/model.hpp"
#include "joinery/codec/transit/shelf.hpp"

namespace joinery::codec::transit {

/// How much memory the dictionaries of a stream may take, about; both sides must mean the same.
inline constexpr std::uint64_t min_memory = 64u << 10;
inline constexpr std::uint64_t max_memory = 1u << 30;

struct capacity {
  std::size_t records;
  std::size_t key_bytes;
  std::size_t origins;

  explicit capacity(std::uint64_t memory)
      : records(static_cast<std::size_t>(memory / 64)),
        key_bytes(static_cast<std::size_t>(memory / 4)),
        origins(static_cast<std::size_t>(std::min<std::uint64_t>(memory / 256, 65536))) {}
};

/// What a changeset begins with says which of these hold.
enum head_flag : std::uint8_t {
  whole = 1,           ///< not taken apart: its bytes follow
  same_origin = 2,     ///< as the changeset's before
  next_seq = 4,        ///< one above the origin's last in this stream
  nothing_seen = 8,    ///< no increases
  known_records = 16,  ///< all records are on the shelf
  single_ops = 32,     ///< each record has one operation
  numbered = 64,       ///< some that are not on the shelf go by the store's numbers
};
inline constexpr std::uint8_t all_head_flags = 127;

/// In a store, the numbers of a changeset's records, in their order, 0 where there is none; or
/// empty, as between peers, who know of none.
using record_numbers = std::span<const std::uint32_t>;
/// The key of the record with a number, valid until the next frame; nothing when it is not known.
using numbered_keys = function_ref<std::optional<bytes_view>(std::uint32_t number)>;
/// Where there are none.
struct no_keys {
  std::optional<bytes_view> operator()(std::uint32_t) const noexcept { return std::nullopt; }
};
inline constexpr no_keys no_numbered_keys;

/// One model for each kind of number.
template <class Model>
struct models {
  Model head, size, origin, seq, ms, logical, seen, increase;
  Model records, fresh, gap, by_number, number_gap, key_size, ops, name, name_size;
  Model op, op_form, prefix, shape, incarnation;
  Model text_size, blob_size, positive, element, negative, amount, tallied;

  /// That of a delta's number.
  Model& of(const delta_form& form, std::uint32_t shape_code) noexcept {
    switch (form.value) {
      case value_form::negative: return negative;
      case value_form::plus:
      case value_form::minus: return amount;
      case value_form::amount: return tallied;
      default:
        return shape_code == static_cast<std::uint32_t>(crdt::kind::or_set) ? element : positive;
    }
  }
};

/// A kind of operation: all that many have in common.
struct op_kind {
  std::uint8_t action = 0;
  bool first_life = false;  ///< of incarnation 1
  delta_form form;
  std::uint32_t field = 0;  ///< a name's slot, of an update, as is the next
  std::uint32_t shape = 0;

  friend bool operator==(const op_kind& a, const op_kind& b) noexcept {
    return a.words() == b.words();
  }
  [[nodiscard]] std::uint64_t hash() const noexcept {
    const auto w = words();
    const auto h = (w[0] ^ (std::uint64_t{w[1]} << 32 | w[2])) * 0x9E3779B97F4A7C15ull;
    return h ^ h >> 32;
  }

 private:
  [[nodiscard]] std::array<std::uint32_t, 3> words() const noexcept {
    return std::bit_cast<std::array<std::uint32_t, 3>>(*this);
  }
};

/// As many kinds as a symbol can name; the last announces one that is not there.
inline constexpr std::size_t most_op_kinds = 255;
inline constexpr std::uint8_t new_op_kind = 255;

/// Kinds of operations by number; when all are taken, the oldest go.
class op_kinds {
 public:
  std::uint32_t put(const op_kind& k) {
    const auto slot = next_;
    if (slot == kinds_.size()) kinds_.emplace_back();
    kinds_[slot] = k;
    next_ = next_ + 1 == most_op_kinds ? 0 : next_ + 1;
    return static_cast<std::uint32_t>(slot);
  }
  [[nodiscard]] std::size_t size() const noexcept { return kinds_.size(); }
  [[nodiscard]] const op_kind& operator[](std::size_t slot) const noexcept { return kinds_[slot]; }

 private:
  std::vector<op_kind> kinds_;
  std::size_t next_ = 0;
};

/// Where an origin's changesets stand in this stream.
struct origin_state {
  std::uint64_t seq = 0;
  std::uint64_t time = 0;
};

/// The latest stamps of two changesets of an origin, as two small numbers.
struct stamp_step {
  std::uint64_t ms = 0;
  std::uint64_t logical = 0;
};
constexpr stamp_step step_between(std::uint64_t before, std::uint64_t after) noexcept {
  constexpr std::uint64_t ms_mask = (std::uint64_t{1} << 48) - 1;
  const auto ms = ((after >> 16) - (before >> 16)) & ms_mask;
  const auto logical = ms == 0 ? (after - before - 1) & 0xFFFF : after & 0xFFFF;
  return {ms, logical};
}
constexpr std::uint64_t step_after(std::uint64_t before, stamp_step step) noexcept {
  if (step.ms == 0)
    return (before & ~std::uint64_t{0xFFFF}) | ((before + step.logical + 1) & 0xFFFF);
  return ((before >> 16) + step.ms) << 16 | (step.logical & 0xFFFF);
}

}  // namespace joinery::codec::transit
