// pipe: two sessions in one process, joined deterministically.
//
// Purpose: carries bytes between two sessions in chunks of a chosen size, and can be stalled one
// way or cut after any byte. For tests, simulations, and programs that hold two replicas;
// `sync_once` is all that the last need.
// Invariants: bytes arrive in order; nothing happens outside `step` and `run`. A stalled direction
// holds what was taken from its session once, and takes no more.
// Thread-safety: none; use it from the thread of both sessions. They must outlive it.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>

#include "joinery/base/bytes.hpp"
#include "joinery/sync/session.hpp"

namespace joinery::transport {

struct pipe_options {
  std::size_t chunk = std::numeric_limits<std::size_t>::max();  ///< most bytes handed over at once
  std::optional<std::uint64_t>
      cut_after{};          ///< the connection ends after so many bytes, both ways together
  bool stall_to_a = false;  ///< nothing gets through to `a`
  bool stall_to_b = false;
};

template <class A, class B>
class pipe {
 public:
  pipe(A& a, B& b, const pipe_options& options = {}) : a_(a), b_(b), options_(options) {
    options_.chunk = std::max<std::size_t>(options_.chunk, 1);
  }

  void stall_to_a(bool on) { options_.stall_to_a = on; }
  void stall_to_b(bool on) { options_.stall_to_b = on; }

  /// Hands over one chunk each way and wakes who is due. False when there was nothing to do.
  bool step(std::uint64_t now_ms) {
    const bool forth = carry(a_, to_b_, options_.stall_to_b, b_, now_ms);
    const bool back = carry(b_, to_a_, options_.stall_to_a, a_, now_ms);
    const bool woken_a = wake(a_, now_ms);
    const bool woken_b = wake(b_, now_ms);
    return forth || back || woken_a || woken_b;
  }

  /// Steps until nothing is left to do at this time.
  void run(std::uint64_t now_ms) {
    while (step(now_ms)) {}
  }

  /// Ends the connection: both sessions are told.
  void cut() {
    if (std::exchange(cut_, true)) return;
    a_.disconnected();
    b_.disconnected();
  }

  [[nodiscard]] bool is_cut() const noexcept { return cut_; }
  /// How many bytes were handed over, both ways together.
  [[nodiscard]] std::uint64_t carried() const noexcept { return carried_; }

 private:
  template <class From, class To>
  bool carry(From& from, bytes& wire, bool stalled, To& to, std::uint64_t now_ms) {
    if (cut_) return false;
    if (options_.cut_after && carried_ >= *options_.cut_after) return cut(), true;
    bool moved = false;
    if (wire.empty()) {
      wire = from.take_output();
      moved = !wire.empty();
    }
    if (stalled || wire.empty()) return moved;
    auto n = std::min(wire.size(), options_.chunk);
    if (options_.cut_after)
      n = static_cast<std::size_t>(std::min<std::uint64_t>(n, *options_.cut_after - carried_));
    // A session that ended takes no more bytes; that it did is its own business.
    static_cast<void>(to.receive(bytes_view{wire}.substr(0, n), now_ms).has_value());
    wire.erase(0, n);
    carried_ += n;
    return true;
  }

  template <class S>
  static bool wake(S& s, std::uint64_t now_ms) {
    const auto at = s.next_wake();
    if (!at || *at > now_ms) return false;
    s.wake(now_ms);
    return true;
  }

  A& a_;
  B& b_;
  pipe_options options_;
  bytes to_a_;
  bytes to_b_;
  std::uint64_t carried_ = 0;
  bool cut_ = false;
};

namespace detail {

template <sync::endpoint A, sync::endpoint B>
result<> meet(A& a, B& b, sync::session_options options) {
  const auto make_durable = [](auto& e) -> result<> {
    if constexpr (requires { e.flush(); }) return e.flush();
    return {};
  };
  options.once = true;
  std::uint64_t now = 0;
  sync::session at_a{a, options, now};
  sync::session at_b{b, options, now};
  pipe wire{at_a, at_b};
  for (;;) {
    wire.run(now);
    if (at_a.ended() && at_b.ended()) break;
    if (auto done = make_durable(a); !done) return done;
    if (auto done = make_durable(b); !done) return done;
    const auto end = std::numeric_limits<std::uint64_t>::max();
    const auto next = std::min(at_a.next_wake().value_or(end), at_b.next_wake().value_or(end));
    if (next == end) break;
    now = std::max(now + 1, next);
  }
  // The side that found the fault knows most about it.
  if (at_a.failure() && !(at_a.failed_by_peer() && at_b.failure())) return *at_a.failure();
  if (at_b.failure()) return *at_b.failure();
  return {};
}

}  // namespace detail

/// Brings two replicas of this process in sync: each has all that the other had, durably, and their
/// states were compared; when one of them turns out to be a copy, it takes a new id, and they meet
/// again. Time passes as fast as there is nothing left to do, so that it never waits. Errors: those
/// of a session (`sync::session`), whichever side found it.
template <sync::endpoint A, sync::endpoint B>
result<> sync_once(A& a, B& b, const sync::session_options& options = {}) {
  constexpr int most_meetings = 5;  // each side may be a copy, and of more than one store
  for (int meeting = 1;; ++meeting) {
    auto done = detail::meet(a, b, options);
    if (done || done.error().code != errc::renewed || meeting == most_meetings) return done;
  }
}

}  // namespace joinery::transport
