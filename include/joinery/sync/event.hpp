// Events: what a session has to tell the program.
//
// Purpose: a program polls `next_event`; nothing calls it back.
// Invariants: at most one event of each kind is pending: a newer one takes in the older, so that a
// program which does not look pays nothing.
// Thread-safety: none; guarded by the session's owner.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>

#include "joinery/base/error.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/crypto/hash.hpp"
#include "joinery/replica/report.hpp"

namespace joinery::sync {

enum class session_state : std::uint8_t {
  greeting,   ///< until both know who the other is and what it has
  streaming,  ///< until each has sent what the other lacked
  live,       ///< each sends what is new, as it comes
  finished,   ///< both said bye
  failed,     ///< see the error
};

constexpr std::string_view name_of(session_state s) noexcept {
  constexpr std::string_view names[] = {"greeting", "streaming", "live", "finished", "failed"};
  return names[static_cast<std::size_t>(s)];
}

enum class event_kind : std::uint8_t {
  greeted,   ///< the peer is known and may be talked to
  received,  ///< changesets came in: `report`
  in_sync,   ///< each has all that the other had, durably; with `digest` both states were compared
             ///< and are equal
  paused,    ///< what the peer sends cannot be stored for now: `failure`; sending goes on
  finished,
  failed,  ///< `failure`, and whether the peer found it
};

struct event {
  event_kind kind{};
  replica_id peer{};
  ingest_report report{};
  std::optional<crypto::digest> digest{};
  std::uint64_t held_here =
      0;  ///< of in_sync: received, but not integrated yet (here, at the peer)
  std::uint64_t held_there = 0;
  std::uint64_t held_back = 0;        ///< of in_sync: not sent, since their tables are not selected
  std::uint64_t held_back_there = 0;  ///< the same at the peer, as far as it named them
  std::uint64_t forked = 0;  ///< of in_sync: origins of which the peer has another history: then
                             ///< the two have all that they can share, and are not the same
  std::optional<error> failure{};
  bool by_peer = false;
};

class event_queue {
 public:
  /// Whom the events are about from now on.
  void from(const replica_id& peer) { peer_ = peer; }

  void push(event e) {
    e.peer = peer_;
    const auto same = std::find_if(pending_.begin(), pending_.end(),
                                   [&](const event& p) { return p.kind == e.kind; });
    if (same != pending_.end()) {
      e.report += same->report;
      pending_.erase(same);
    }
    pending_.push_back(std::move(e));
  }
  std::optional<event> pop() {
    if (pending_.empty()) return std::nullopt;
    auto e = std::move(pending_.front());
    pending_.pop_front();
    return e;
  }

 private:
  replica_id peer_;
  std::deque<event> pending_;
};

}  // namespace joinery::sync
