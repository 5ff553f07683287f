// enumerated: what is enumerated, how far, and how many histories that must be.
//
// Purpose: one list of cases serves the ordinary run, which every change passes, and the exhaustive
// one, `./dev oracle`, which prints what it compared: a line for each case, under the heads that
// are printed there. Both hold the number of histories against the one that stands in the list: a
// vocabulary that shrank unnoticed would prove less than it says.
// Thread-safety: none.
#pragma once

#include <chrono>
#include <cstdio>

#include <catch2/catch.hpp>

#include "tests/crdt/enumeration.hpp"

namespace crdt_tests {

/// Up to how many operations, and how many histories these make. None: another case has them all.
struct extent {
  unsigned operations = 0;
  std::uint64_t histories = 0;
};

struct extents {
  extent under_sanitizers, ordinary, exhaustive;
};

struct enumerated {
  std::string name;
  oracle_subject type;
  vocabulary_limits limits;
  bool stamps = false;  ///< all of them, and all orders of ids
  extents reach;
};

inline void expect_no_difference(const enumerated& what, const extent& goal, bool print) {
  const auto start = std::chrono::steady_clock::now();
  const enumeration all(what.type, small_vocabulary(what.type.shape, what.limits), goal.operations,
                        what.stamps);
  CAPTURE(what.name, goal.operations);
  CHECK(all.wrong == "");
  CHECK(all.counts.histories == goal.histories);
  if (!print) return;
  const auto seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto shown = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf("%-50s %u %10llu %11llu %10llu %11llu %12llu %8.1f\n", what.name.c_str(),
              goal.operations, shown(all.counts.histories), shown(all.counts.deliveries),
              shown(all.counts.cuts), shown(all.counts.applied), shown(all.counts.joined), seconds);
  std::fflush(stdout);
}

inline void try_ordinary(const std::vector<enumerated>& cases) {
  for (const auto& c : cases)
    expect_no_difference(c, JOINERY_SANITIZED ? c.reach.under_sanitizers : c.reach.ordinary, false);
}

inline void try_exhaustively(const std::vector<enumerated>& cases) {
  for (const auto& c : cases)
    if (c.reach.exhaustive.operations > 0) expect_no_difference(c, c.reach.exhaustive, true);
}

}  // namespace crdt_tests
