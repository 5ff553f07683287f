// sim_link: two sessions and the bytes on their way, in pieces that can be harmed.
//
// Purpose: the simulator's connection. Pieces arrive in order and one by one, may be held up one
// way, cut, changed, lost or doubled.
// Invariants: nothing happens outside the calls; what is harmed is told from `dice` alone.
// Thread-safety: none; the engines must outlive it.
#pragma once

#include <deque>

#include "joinery/sync/session.hpp"
#include "joinery/testing/prng.hpp"

namespace joinery::testing {

template <class Engine>
class sim_link {
 public:
  using session = sync::session<Engine>;

  sim_link(Engine& a, Engine& b, const sync::session_options& options, std::uint64_t now_ms)
      : a_(a, options, now_ms), b_(b, options, now_ms) {
    a_.wake(now_ms);
    b_.wake(now_ms);
  }

  /// Hands over up to `pieces` pieces of at most `size` bytes each way. False when nothing moved.
  bool carry(prng& dice, std::size_t pieces, std::size_t size, bool to_a, bool to_b,
             std::uint64_t now_ms) {
    bool moved = false;
    for (; pieces > 0; --pieces) {
      int done = 0;
      done += take(a_, to_b_, dice, size);
      done += to_b && give(to_b_, b_, now_ms);
      done += take(b_, to_a_, dice, size);
      done += to_a && give(to_a_, a_, now_ms);
      done += wake(a_, now_ms);
      done += wake(b_, now_ms);
      if (done == 0) break;
      moved = true;
    }
    return moved;
  }
  /// Changes, loses or doubles a piece that is on its way, if there is one.
  bool damage(prng& dice) {
    auto& wire = dice.chance(50) ? to_a_ : to_b_;
    if (wire.empty()) return false;
    const auto n = static_cast<std::size_t>(dice.below(wire.size()));
    const auto at = wire.begin() + static_cast<std::ptrdiff_t>(n);
    switch (dice.below(4)) {
      case 0: wire.erase(at); break;
      case 1: wire.insert(at, bytes{*at}); break;
      case 2: std::swap(*at, wire.front()); break;
      default: {
        const auto bit = static_cast<unsigned>(dice.below(8));
        auto& byte = (*at)[static_cast<std::size_t>(dice.below(at->size()))];
        byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1u << bit));
      }
    }
    return true;
  }
  [[nodiscard]] bool ended() const { return a_.ended() && b_.ended(); }
  [[nodiscard]] std::optional<std::uint64_t> next_wake() const {
    const auto x = a_.next_wake(), y = b_.next_wake();
    if (!x || !y) return x ? x : y;
    return std::min(*x, *y);
  }
  /// Why it failed, as the side says that found it; nothing when it did not.
  [[nodiscard]] std::optional<error> failure() const {
    if (a_.failure() && !(a_.failed_by_peer() && b_.failure())) return a_.failure();
    return b_.failure() ? b_.failure() : a_.failure();
  }
  /// How often the two came to be in sync since the last call; the other events are dropped.
  std::uint64_t in_sync_events() {
    std::uint64_t n = 0;
    for (auto* s : {&a_, &b_})
      while (const auto e = s->next_event()) n += e->kind == sync::event_kind::in_sync ? 1 : 0;
    return n;
  }
  [[nodiscard]] session& a() noexcept { return a_; }
  [[nodiscard]] session& b() noexcept { return b_; }

 private:
  static bool take(session& from, std::deque<bytes>& wire, prng& dice, std::size_t size) {
    const auto out = from.take_output();
    for (std::size_t at = 0; at < out.size();) {
      const auto n = std::min<std::size_t>(out.size() - at, 1 + dice.below(size));
      wire.push_back(out.substr(at, n));
      at += n;
    }
    return !out.empty();
  }
  static bool give(std::deque<bytes>& wire, session& to, std::uint64_t now_ms) {
    if (wire.empty()) return false;
    const auto piece = std::move(wire.front());
    wire.pop_front();
    if (!to.ended()) static_cast<void>(to.receive(piece, now_ms).has_value());
    return true;
  }
  static bool wake(session& s, std::uint64_t now_ms) {
    const auto at = s.next_wake();
    if (!at || *at > now_ms) return false;
    s.wake(now_ms);
    return true;
  }

  session a_;
  session b_;
  std::deque<bytes> to_a_;
  std::deque<bytes> to_b_;
};

}  // namespace joinery::testing
