// prove: the simulator as a program, on any schema.
//
// Purpose: `int main(int c, char** v) { return joinery::testing::prove<my_schema>(c, v); }` runs
// as many seeds as it is told, says what was simulated and how fast, and makes a failing seed into
// a small test case.
// Invariants: the last line holds the trace of everything that happened: equal on every compiler.
// Thread-safety: uses standard output.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "joinery/testing/shrink.hpp"

namespace joinery::testing {

namespace detail {

inline void print_totals(const sim_totals& t, double seconds) {
  const auto line = [](const char* what, std::uint64_t n) {
    std::printf("  %-11s %12llu\n", what, static_cast<unsigned long long>(n));
  };
  line("seeds", t.seeds);
  line("steps", t.steps);
  line("operations", t.operations);
  line("changesets", t.changesets);
  line("syncs", t.syncs);
  line("snapshots", t.joins);
  line("new ids", t.renewals);
  line("forks", t.forks);
  line("given up", t.abandoned);
  std::printf("by kind of step:\n");
  for (std::size_t i = 0; i < action_count; ++i)
    line(name_of(static_cast<action>(i)).data(), t.actions[i]);
  std::printf("%.1f s, %.0f simulated operations/s, trace %016llx\n", seconds,
              seconds > 0 ? static_cast<double>(t.operations) / seconds : 0,
              static_cast<unsigned long long>(t.trace));
}

/// What failed, without making it small: enough for whoever only asks whether anything does.
inline int print_failure(std::uint64_t seed, std::size_t step, const sim_totals& before,
                         const char* what) {
  std::printf("seed %llu fails at step %zu, after %llu seeds and %llu operations: %s\n",
              static_cast<unsigned long long>(seed), step,
              static_cast<unsigned long long>(before.seeds),
              static_cast<unsigned long long>(before.operations), what);
  return 1;
}

inline int prove_usage(const char* program) {
  std::fprintf(stderr,
               "%s [SEEDS] [--from SEED] [--steps N] [--first]\n"
               "  simulates SEEDS seeds (100), from SEED (0) on, N steps each (400);\n"
               "  --first ends with the first that fails, as it is\n",
               program);
  return 2;
}

/// A whole number, or nothing.
inline std::optional<std::uint64_t> number_in(const char* text) {
  char* end = nullptr;
  const auto n = std::strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0') return std::nullopt;
  return n;
}

}  // namespace detail

/// `type`: how a test would write the simulation, for the test case of a failing seed. Exit codes:
/// 0 all holds, 1 something does not, 2 wrong arguments.
template <class Schema, class Older = Schema>
int prove(int argc, char** argv,
          std::string_view type = "joinery::testing::simulation<my_schema>") {
  std::uint64_t seeds = 100, from = 0, steps = 400;
  bool first = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--first") == 0) {
      first = true;
      continue;
    }
    auto* value = std::strcmp(argv[i], "--from") == 0    ? &from
                  : std::strcmp(argv[i], "--steps") == 0 ? &steps
                                                         : &seeds;
    if (value != &seeds) ++i;
    const auto n = i < argc ? detail::number_in(argv[i]) : std::nullopt;
    if (!n) return detail::prove_usage(argv[0]);
    *value = *n;
  }
  // Of the processor: what else the machine does must not count.
  const auto start = std::clock();
  const auto seconds = [&] {
    return static_cast<double>(std::clock() - start) / static_cast<double>(CLOCKS_PER_SEC);
  };
  auto told = 0.0;
  sim_totals totals;
  for (auto seed = from; seed < from + seeds; ++seed) {
    const auto p = make_plan(seed, steps);
    simulation<Schema, Older> s{p};
    try {
      totals.add(s.run());
    } catch (const std::exception& failure) {
      if (first) return detail::print_failure(seed, s.at(), totals, failure.what());
      const auto why = failure_of<Schema, Older>(p).value_or("it does not fail a second time");
      std::printf("seed %llu, %s\n\nmaking it small…\n", static_cast<unsigned long long>(seed),
                  why.c_str());
      const auto small = shrink<Schema, Older>(p, why);
      std::printf("%s\n\n%s", failure_of<Schema, Older>(small).value_or("?").c_str(),
                  as_test(small, type).c_str());
      detail::print_totals(totals, seconds());
      return 1;
    }
    if (seconds() - told < 5) continue;
    told = seconds();
    std::fprintf(stderr, "%llu of %llu seeds, %llu operations\n",
                 static_cast<unsigned long long>(totals.seeds),
                 static_cast<unsigned long long>(seeds),
                 static_cast<unsigned long long>(totals.operations));
  }
  detail::print_totals(totals, seconds());
  return 0;
}

}  // namespace joinery::testing
