// timers: when a session must act without being spoken to.
//
// Purpose: keepalive, silence and a greeting that takes too long, all from the time that callers
// hand in.
// Invariants: its time never goes back, whatever it is told.
// Thread-safety: none; guarded by the session.
#pragma once

#include <algorithm>
#include <optional>

#include "joinery/sync/options.hpp"

namespace joinery::sync {

class timers {
 public:
  timers(const session_options& options, std::uint64_t now)
      : now_(now),
        started_(now),
        heard_(now),
        said_(now),
        greeting_ms_(options.greeting_timeout_ms),
        keepalive_ms_(options.keepalive_ms),
        idle_ms_(options.idle_timeout_ms) {}

  void advance(std::uint64_t now) { now_ = std::max(now_, now); }
  [[nodiscard]] std::uint64_t now() const noexcept { return now_; }

  void heard() { heard_ = now_; }
  void said() { said_ = now_; }
  /// The greeting is over; `peer_idle_ms` is when the peer would give up on us.
  void greeted(std::uint64_t peer_idle_ms) {
    greeted_ = true;
    if (peer_idle_ms == 0) return;
    const auto enough = std::max<std::uint64_t>(peer_idle_ms / 3, 1);
    keepalive_ms_ = keepalive_ms_ == 0 ? enough : std::min(keepalive_ms_, enough);
  }

  [[nodiscard]] bool greeting_late() const { return !greeted_ && past(started_, greeting_ms_); }
  [[nodiscard]] bool silent() const { return past(heard_, idle_ms_); }
  [[nodiscard]] bool ping_due() const { return greeted_ && past(said_, keepalive_ms_); }

  /// When the first of these will be.
  [[nodiscard]] std::optional<std::uint64_t> next() const {
    std::optional<std::uint64_t> first;
    const auto consider = [&](std::uint64_t since, std::uint64_t after) {
      if (after != 0 && (!first || since + after < *first)) first = since + after;
    };
    if (!greeted_) consider(started_, greeting_ms_);
    consider(heard_, idle_ms_);
    if (greeted_) consider(said_, keepalive_ms_);
    return first;
  }

 private:
  [[nodiscard]] bool past(std::uint64_t since, std::uint64_t after) const {
    return after != 0 && now_ - since >= after;
  }

  std::uint64_t now_;
  std::uint64_t started_;
  std::uint64_t heard_;
  std::uint64_t said_;
  std::uint64_t greeting_ms_;
  std::uint64_t keepalive_ms_;
  std::uint64_t idle_ms_;
  bool greeted_ = false;
};

}  // namespace joinery::sync
