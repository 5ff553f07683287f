// plan: everything that a simulation does, laid down before it begins.
//
// Purpose: one seed gives a plan: how many replicas, which faults and how often, and a list of
// steps, each with a seed of its own. So a step can be left out without changing what the others
// do, and a failing plan can be made small and printed.
// Invariants: the plan of a seed is the same everywhere. Every class of faults is absent from some
// plans; the rates are drawn anew for each.
// Thread-safety: values.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "joinery/testing/prng.hpp"

namespace joinery::testing {

enum class action : std::uint8_t {
  write,       ///< a transaction
  carry,       ///< some bytes of the session between two replicas, which is opened when need be
  hand_over,   ///< changesets from one log to another replica: lost, doubled, in any order
  tend,        ///< what is to be done now and then
  checkpoint,  ///< the snapshot is brought up to date
  read,        ///< the state is compared with the oracle's
  restart,     ///< closed, and opened again
  crash,       ///< the process is killed, perhaps within a commit, and what was not synced may go
  sync_fails,  ///< the next sync or commit fails
  disk_full,   ///< the next write finds no room
  cut,         ///< the connection between two ends
  damage,      ///< a byte of what is on its way between two is changed, or a piece lost or doubled
  partition,   ///< nothing gets from one to the other, perhaps one way only
  heal,        ///< everything gets everywhere again
  hour,        ///< the clock of one is set by up to an hour, forth or back
  year,        ///< or by up to a year
  image,       ///< a copy of the store is put away
  put_back,    ///< and put back
  clone,       ///< the store is copied, and the copy is opened as one more replica
  upgrade,     ///< opened by a newer or an older program, or by a relay, which knows no schema
  admit,       ///< in a closed space: whoever is not a member is admitted
  byzantine,   ///< a replica that keeps to no rule sends something
};
inline constexpr std::size_t action_count = 22;

constexpr std::string_view name_of(action a) noexcept {
  constexpr std::array<std::string_view, action_count> names{
      "write",     "carry",   "hand_over",  "tend",      "checkpoint", "read",
      "restart",   "crash",   "sync_fails", "disk_full", "cut",        "damage",
      "partition", "heal",    "hour",       "year",      "image",      "put_back",
      "clone",     "upgrade", "admit",      "byzantine"};
  return names[static_cast<std::size_t>(a)];
}

/// One step: what, by whom, with whom (numbers taken modulo how many there are), and how.
struct plan_step {
  action what{};
  std::uint8_t a = 0, b = 0;
  std::uint64_t dice = 0;
};

struct plan {
  std::uint64_t seed = 0;
  std::size_t replicas = 3;
  std::size_t keys = 4;      ///< of each table
  bool closed = false;       ///< a space of closed membership
  unsigned loss = 0;         ///< of a changeset that is handed over, in percent
  unsigned duplication = 0;  ///< likewise
  std::vector<plan_step> steps;
};

namespace detail {

/// How often each action comes, of a million.
inline std::array<std::uint32_t, action_count> draw_rates(prng& random, bool closed) {
  std::array<std::uint32_t, action_count> rates{};
  const auto rate = [&](action a, std::uint32_t low, std::uint32_t high) {
    rates[static_cast<std::size_t>(a)] =
        low + static_cast<std::uint32_t>(random.below(high - low + 1));
  };
  // A class of faults: absent from a share of the plans.
  const auto fault = [&](action a, std::uint32_t low, std::uint32_t high) {
    const bool there = random.chance(60);
    rate(a, low, high);
    if (!there) rates[static_cast<std::size_t>(a)] = 0;
  };
  rate(action::carry, 150'000, 400'000);
  rate(action::tend, 20'000, 60'000);
  rate(action::checkpoint, 0, 20'000);
  rate(action::read, 1'000, 5'000);
  rate(action::restart, 0, 8'000);
  fault(action::hand_over, 20'000, 150'000);
  fault(action::crash, 100, 10'000);
  fault(action::sync_fails, 0, 10'000);
  fault(action::disk_full, 0, 10'000);
  fault(action::cut, 1'000, 20'000);
  fault(action::damage, 1'000, 10'000);
  fault(action::partition, 500, 5'000);
  rates[static_cast<std::size_t>(action::heal)] =
      rates[static_cast<std::size_t>(action::partition)];
  fault(action::hour, 1'000, 1'000);
  fault(action::year, 100, 100);
  fault(action::put_back, 1'000, 1'000);
  rates[static_cast<std::size_t>(action::image)] =
      3 * rates[static_cast<std::size_t>(action::put_back)];
  fault(action::clone, 500, 500);
  fault(action::upgrade, 1'000, 3'000);
  if (!closed && random.chance(10)) rates[static_cast<std::size_t>(action::byzantine)] = 30'000;
  return rates;
}

}  // namespace detail

inline plan make_plan(std::uint64_t seed, std::size_t steps = 400) {
  prng random{seed};
  plan p;
  p.seed = seed;
  p.replicas = 2 + static_cast<std::size_t>(random.below(random.chance(20) ? 7 : 3));
  p.keys = 1 + static_cast<std::size_t>(random.below(random.chance(50) ? 4 : 40));
  p.closed = random.chance(35);
  p.loss = static_cast<unsigned>(random.below(31));
  p.duplication = static_cast<unsigned>(random.below(51));
  auto rates = detail::draw_rates(random, p.closed);
  if (p.closed) rates[static_cast<std::size_t>(action::admit)] = 10'000;
  while (p.steps.size() < steps) {
    plan_step s;
    auto roll = static_cast<std::uint32_t>(random.below(1'000'000));
    for (std::size_t a = 1; a < action_count; ++a) {
      if (roll < rates[a]) {
        s.what = static_cast<action>(a);
        break;
      }
      roll -= rates[a];
    }
    s.a = static_cast<std::uint8_t>(random.below(256));
    s.b = static_cast<std::uint8_t>(random.below(256));
    s.dice = random.next();
    p.steps.push_back(s);
  }
  return p;
}

}  // namespace joinery::testing
