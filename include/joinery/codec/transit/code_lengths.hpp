// code_lengths: a prefix code for symbols that were seen so often.
//
// Purpose: Huffman's lengths, none above a limit, and the canonical codes that go with them.
// Invariants: the same counts give the same codes on every machine; the code is complete.
// Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace joinery::codec::transit {

/// Bytes, and one that announces a byte that has no code yet.
inline constexpr std::size_t symbol_count = 257;
inline constexpr std::uint16_t escape_symbol = 256;
inline constexpr unsigned longest_code = 11;

/// How often symbols were seen; and which, since most never are.
class symbol_counts {
 public:
  void add(std::size_t symbol, std::uint16_t times = 1) noexcept {
    seen_[symbol / 64] |= std::uint64_t{1} << symbol % 64;
    of_[symbol] = static_cast<std::uint16_t>(of_[symbol] + times);
  }
  /// Precondition: it was seen before.
  void add_seen(std::size_t symbol) noexcept { ++of_[symbol]; }
  [[nodiscard]] std::uint16_t operator[](std::size_t symbol) const noexcept { return of_[symbol]; }

  /// Calls `each(symbol, count)` for those that were seen, ascending.
  template <class F>
  void for_each(F&& each) const {
    for (std::size_t i = 0; i < seen_.size(); ++i)
      for (auto left = seen_[i]; left != 0; left &= left - 1) {
        const auto symbol = 64 * i + static_cast<std::size_t>(std::countr_zero(left));
        each(symbol, of_[symbol]);
      }
  }
  /// Each count half, rounded up; gives their sum.
  std::uint32_t halve() noexcept {
    std::uint32_t sum = 0;
    for (auto& c : of_) sum += c = static_cast<std::uint16_t>((c + 1) / 2);
    return sum;
  }

 private:
  std::array<std::uint16_t, symbol_count> of_{};
  std::array<std::uint64_t, symbol_count / 64 + 1> seen_{};
};

/// A symbol and the length of its code; and the code, to be written from its lowest bit up.
struct coded_symbol {
  std::uint16_t symbol = 0;
  std::uint16_t length = 0;
  std::uint16_t code = 0;
};

namespace detail {

/// The depths of Huffman's tree over weights in ascending order, which they replace.
inline void tree_depths(std::span<std::uint32_t> a) {
  // Moffat and Katajainen: first the sums of pairs, with each node's parent in its place; then
  // depths of inner nodes, then of leaves.
  const auto n = a.size();
  std::size_t leaf = 2, root = 0;
  a[0] += a[1];
  for (std::size_t next = 1; next + 1 < n; ++next) {
    const auto take = [&] {
      if (leaf >= n || (root < next && a[root] < a[leaf])) {
        const auto weight = a[root];
        a[root++] = static_cast<std::uint32_t>(next);
        return weight;
      }
      return a[leaf++];
    };
    const auto first = take();
    a[next] = first + take();
  }
  a[n - 2] = 0;
  for (auto next = n - 2; next-- > 0;) a[next] = a[a[next]] + 1;
  std::size_t available = 1, used = 0, at = n;
  std::uint32_t depth = 0;
  auto inner = static_cast<std::ptrdiff_t>(n) - 2;
  while (available > 0) {
    while (inner >= 0 && a[static_cast<std::size_t>(inner)] == depth) ++used, --inner;
    while (available > used) a[--at] = depth, --available;
    available = 2 * used;
    ++depth;
    used = 0;
  }
}

/// Brings depths, the deepest first, down to the limit, and fills what that leaves free.
inline void limit_depths(std::span<std::uint32_t> depths) {
  constexpr std::uint32_t whole = 1u << longest_code;
  std::uint32_t taken = 0;
  for (auto& d : depths) {
    d = std::min<std::uint32_t>(d, longest_code);
    taken += whole >> d;
  }
  // The rarest whose code may still grow, one bit after the other.
  for (std::size_t i = 0; taken > whole;) {
    if (depths[i] == longest_code) {
      ++i;
      continue;
    }
    ++depths[i];
    taken -= whole >> depths[i];
  }
  for (auto i = depths.size(); i-- > 0 && taken < whole;)
    while (depths[i] > 1 && taken + (whole >> depths[i]) <= whole) {
      taken += whole >> depths[i];
      --depths[i];
    }
}

/// The lowest `length` bits of a code, the last one first.
constexpr std::uint16_t reversed(unsigned code, unsigned length) noexcept {
  constexpr std::array<std::uint16_t, 16> nibble{0, 8, 4, 12, 2, 10, 6, 14,
                                                 1, 9, 5, 13, 3, 11, 7, 15};
  static_assert(longest_code <= 12);
  const auto all = nibble[code & 15] << 8 | nibble[code >> 4 & 15] << 4 | nibble[code >> 8 & 15];
  return static_cast<std::uint16_t>(all >> (12 - length));
}

}  // namespace detail

/// Gives each symbol that was counted to `each(coded_symbol)`, the shortest codes first. A single
/// one has the one bit 0.
template <class F>
void assign_codes(const symbol_counts& counts, F&& each) {
  std::array<std::uint32_t, symbol_count> order, depths;
  std::size_t n = 0;
  counts.for_each([&](std::size_t symbol, std::uint32_t count) {
    order[n++] = count << 9 | static_cast<std::uint32_t>(symbol);
  });
  if (n == 0) return;
  if (n == 1) return each(coded_symbol{static_cast<std::uint16_t>(order[0] & 511), 1, 0});
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n));
  for (std::size_t i = 0; i < n; ++i) depths[i] = order[i] >> 9;
  const std::span<std::uint32_t> used{depths.data(), n};
  detail::tree_depths(used);
  detail::limit_depths(used);

  // Canonical: shorter codes first, then the more frequent.
  std::array<std::uint16_t, longest_code + 1> of_length{}, next{};
  for (const auto d : used) ++of_length[d];
  for (unsigned d = 1; d < longest_code; ++d)
    next[d + 1] = static_cast<std::uint16_t>((next[d] + of_length[d]) << 1);
  for (auto i = n; i-- > 0;) {
    const auto length = used[i];
    each(coded_symbol{static_cast<std::uint16_t>(order[i] & 511),
                      static_cast<std::uint16_t>(length),
                      detail::reversed(next[length]++, length)});
  }
}

}  // namespace joinery::codec::transit
