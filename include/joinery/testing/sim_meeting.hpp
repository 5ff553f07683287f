// sim_meeting: two simulated replicas meet, undisturbed, until each has all that the other had.
//
// Purpose: how a simulation begins in a closed space, and how it comes to rest.
// Invariants: bounded; an end without success is a finding, but for a peer that is no member.
// Thread-safety: none.
#pragma once

#include "joinery/testing/sim_fleet.hpp"
#include "joinery/testing/sim_link.hpp"

namespace joinery::testing {

struct sim_met {
  std::uint64_t sent = 0;     ///< changesets, both ways
  std::uint64_t syncs = 0;    ///< how often a side said that it is in sync
  sim_node* stuck = nullptr;  ///< cannot go on: its log does not reach back to where it forked
};

namespace detail {

/// One session, run to its end; `now_ms` goes on as far as it has to.
template <class Fleet>
std::optional<error> run_session(const Fleet& fleet, sim_node& x, sim_node& y, bool verify,
                                 std::uint64_t& now_ms, sim_met& met) {
  sync::session_options o;
  o.once = true;
  // Who waits for records is given all of them by a peer that waits for its digest.
  o.verify = verify || x.engine().status().damaged + y.engine().status().damaged > 0;
  const auto flush = [&] {  // what is not durable is shown to nobody
    for (auto* n : {&x, &y})
      if (auto done = n->engine().flush(); !done)
        fleet.fail(fleet.name(*n) + " flushes: " + done.error().text());
  };
  flush();
  sim_link<sim_engine> l{x.engine(), y.engine(), o, now_ms};
  prng dice{now_ms};
  for (int turn = 0; turn < 10'000 && !l.ended(); ++turn) {
    if (l.carry(dice, 1000, 100'000, true, true, now_ms)) continue;
    flush();
    now_ms = std::max(now_ms + 1, l.next_wake().value_or(now_ms + 1));
  }
  x.dirty = y.dirty = true;
  met.syncs += l.in_sync_events();
  met.sent += l.a().sent() + l.b().sent();
  if (!l.ended())
    fleet.fail(fleet.name(x) + " and " + fleet.name(y) + " have a session without an end" +
               fleet.all_versions());
  if (const auto& at_x = l.a().failure(); at_x && !l.a().failed_by_peer())
    met.stuck = &x;
  else
    met.stuck = &y;
  return l.failure();
}

}  // namespace detail

/// `verify`: whether they compare their states at the end.
template <class Fleet>
sim_met meet(const Fleet& fleet, sim_node& x, sim_node& y, bool verify, std::uint64_t& now_ms) {
  sim_met met;
  std::optional<error> why;
  for (int meeting = 0; meeting < 8; ++meeting) {
    why = detail::run_session(fleet, x, y, verify, now_ms, met);
    if (why && why->code == errc::not_a_member) return {};
    if (!why) return met.stuck = nullptr, met;
    // A new id; or the log was trimmed meanwhile, and another snapshot is needed.
    if (why->code != errc::renewed && why->code != errc::gap) break;
  }
  if (why->code == errc::gap && met.stuck->put_back) return met;
  // They are on two branches, and one of them no longer has what the other lacks.
  if (why->code == errc::gap && !(x.engine().forks().empty() && y.engine().forks().empty()))
    return met.stuck = nullptr, met;
  fleet.fail(fleet.name(x) + " and " + fleet.name(y) + " meet: " + why->text() +
             fleet.all_versions());
}

}  // namespace joinery::testing
