// pn_counter and g_counter: sums of increments.
//
// Purpose: all concurrent increments count. Each replica's part is (last seq, running total); of
// two states the higher last seq wins: the PN-counter of Shapiro et al. 2011, with the seq telling
// which of two totals is newer.
// Packed as (varint replica, varint seq, zigzag total)*. Delta: zigzag amount (g_counter: not
// negative).
// Invariants: sorted by replica. A total saturates at the ends of 64 bits; honest writers are
// refused before. The sum is taken in 128 bits and clamped once.
// Thread-safety: as a `std::string`.
#pragma once

#include <limits>

#include "joinery/base/error.hpp"
#include "joinery/crdt/packed.hpp"

namespace joinery::crdt {

/// A sum, and whether it had to be cut to 64 bits.
struct clamped_sum {
  std::int64_t value = 0;
  bool clamped = false;
};

namespace detail {

// Sums need more than 64 bits; `__int128` is an extension that both compilers of the project have.
__extension__ using wide = __int128;

inline clamped_sum clamp(wide sum) {
  using limits = std::numeric_limits<std::int64_t>;
  if (sum > limits::max()) return {limits::max(), true};
  if (sum < limits::min()) return {limits::min(), true};
  return {static_cast<std::int64_t>(sum), false};
}

struct counter_part {
  dot at;
  std::int64_t total = 0;
};
[[gnu::always_inline]] inline counter_part read_part(byte_reader& in) {
  const auto at = read_dot(in);
  return {at, in.zigzag()};
}
template <class W>
void write_part(W& out, const counter_part& part) {
  write_dot(out, part.at);
  out.zigzag(part.total);
}

template <kind Kind>
struct counter_rules {
  static constexpr shape type() { return Kind; }

  static bool valid(bytes_view state, replica_index replicas) {
    byte_reader in{state};
    std::uint64_t next = 0;
    while (!in.at_end()) {
      const auto p = read_part(in);
      if (!in.ok() || p.at.replica < next || p.at.replica >= replicas || p.at.seq == 0 ||
          (Kind == kind::g_counter && p.total < 0))
        return false;
      next = std::uint64_t{p.at.replica} + 1;
    }
    return in.ok();
  }
  static bool valid_delta(bytes_view delta) {
    byte_reader in{delta};
    const auto amount = in.zigzag();
    return in.finished() && (Kind == kind::pn_counter || amount >= 0);
  }
  static void apply(bytes_view state, bytes_view delta, const stamp& by, splice& out) {
    byte_reader amount{delta};
    out.at = state.size();
    counter_part part{by.at, 0};
    byte_reader in{state};
    while (!in.at_end()) {
      const auto at = in.position();
      const auto p = read_part(in);
      if (p.at.replica < by.at.replica) continue;
      out.at = at;
      if (p.at.replica == by.at.replica) {
        out.removed = in.position() - at;
        part.total = p.total;
      }
      break;
    }
    part.total = clamp(wide{part.total} + amount.zigzag()).value;
    buffer_writer w{out.inserted};
    write_part(w, part);
  }
  static bytes join(bytes_view a, const version&, bytes_view b, const version&) {
    bytes out;
    byte_writer w{out};
    byte_reader ra{a}, rb{b};
    while (!ra.at_end() || !rb.at_end()) {
      auto peek_a = ra, peek_b = rb;
      const auto pa = ra.at_end() ? counter_part{} : read_part(peek_a);
      const auto pb = rb.at_end() ? counter_part{} : read_part(peek_b);
      if (rb.at_end() || (!ra.at_end() && pa.at.replica < pb.at.replica)) {
        write_part(w, pa);
        ra = peek_a;
      } else if (ra.at_end() || pb.at.replica < pa.at.replica) {
        write_part(w, pb);
        rb = peek_b;
      } else {
        write_part(w, pa.at.seq >= pb.at.seq ? pa : pb);
        ra = peek_a;
        rb = peek_b;
      }
    }
    return out;
  }
  static bytes reindex(bytes_view state, const reindexing& map) {
    std::vector<counter_part> parts;
    byte_reader in{state};
    while (!in.at_end()) parts.push_back(read_part(in));
    for (auto& p : parts) p.at.replica = map[p.at.replica];
    std::sort(parts.begin(), parts.end(), [](const auto& x, const auto& y) { return x.at < y.at; });
    bytes out;
    byte_writer w{out};
    for (const auto& p : parts) write_part(w, p);
    return out;
  }
};

inline clamped_sum counter_sum(bytes_view state) {
  wide sum = 0;
  byte_reader in{state};
  while (!in.at_end()) sum += read_part(in).total;
  return clamp(sum);
}
/// One replica's running total.
inline std::int64_t counter_total(bytes_view state, replica_index replica) {
  byte_reader in{state};
  while (!in.at_end())
    if (const auto p = read_part(in); p.at.replica == replica && in.ok()) return p.total;
  return 0;
}

}  // namespace detail

template <kind Kind, class B = bytes>
class counter : public packed<detail::counter_rules<Kind>, B> {
 public:
  using packed<detail::counter_rules<Kind>, B>::packed;

  /// Adds `amount`. Throws `failure` (invalid_argument) for a negative amount to a g_counter.
  [[nodiscard]] static bytes add(std::int64_t amount) {
    if (Kind == kind::g_counter && amount < 0)
      throw failure({errc::invalid_argument, "a g_counter only grows", "", "use a pn_counter"});
    bytes d;
    byte_writer{d}.zigzag(amount);
    return d;
  }
  [[nodiscard]] clamped_sum get() const { return detail::counter_sum(this->state_); }
  /// Whether `replica` may add `amount` without leaving 64 bits.
  [[nodiscard]] bool can_add(replica_index replica, std::int64_t amount) const {
    const auto total = detail::counter_total(this->state_, replica);
    return !detail::clamp(detail::wide{total} + amount).clamped;
  }
};

using pn_counter = counter<kind::pn_counter>;
using g_counter = counter<kind::g_counter>;

}  // namespace joinery::crdt
