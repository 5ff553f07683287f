// hlc: a 64-bit hybrid logical clock (Kulkarni et al. 2014).
//
// Purpose: stamps that respect causality and stay near wall-clock time. 48 bits of milliseconds
// since 1970, then 16 bits that count within one; counting past 16 bits carries into the
// milliseconds.
// Invariants: `next` is above everything ever observed, also when the wall clock stands still or
// steps back. (At the end of 64 bits, in the year 10889, it stands still.)
// Thread-safety: none; guarded by its owner.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace joinery::causal {

using hlc = std::uint64_t;

constexpr hlc hlc_from_ms(std::uint64_t ms) noexcept {
  constexpr std::uint64_t most = (std::uint64_t{1} << 48) - 1;
  return std::min(ms, most) << 16;
}
constexpr std::uint64_t hlc_ms(hlc stamp) noexcept { return stamp >> 16; }

class hybrid_clock {
 public:
  /// The stamp for an event at wall-clock time `now_ms`: max(now, highest seen + 1).
  [[nodiscard]] hlc next(std::uint64_t now_ms) const noexcept {
    constexpr hlc end = std::numeric_limits<hlc>::max();
    return std::max(hlc_from_ms(now_ms), highest_ == end ? end : highest_ + 1);
  }
  void observe(hlc stamp) noexcept { highest_ = std::max(highest_, stamp); }
  [[nodiscard]] hlc highest() const noexcept { return highest_; }

 private:
  hlc highest_ = 0;
};

}  // namespace joinery::causal
