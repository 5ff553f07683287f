// The registry of fuzzers, and the bounds that each input is held to.
#include "fuzz/support/target.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "fuzz/support/allocations.hpp"

namespace fuzz {

namespace {

std::ptrdiff_t began_live = 0;
std::uint64_t began_ns = 0;

std::uint64_t cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(t.tv_nsec);
}

// Instrumented and unoptimised code is slower; the bound is meant for what grows without one.
constexpr std::size_t slowness = JOINERY_SANITIZED ? 20 : 4;

}  // namespace

std::vector<target>& targets() {
  static std::vector<target> all;
  return all;
}

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::fflush(stderr);
  std::abort();
}
void demand(bool holds, const std::string& what) { demand(holds, what.c_str()); }

void begin_measuring() {
  allocations::forget_peak();
  began_live = allocations::live();
  began_ns = cpu_ns();
}

void run_within_bounds(const target& t, bytes_view input) {
  begin_measuring();
  t.run(input);
  const auto ms = static_cast<std::size_t>((cpu_ns() - began_ns) / 1'000'000);
  const auto most_bytes = t.most.bytes_flat + t.most.bytes_per_byte * input.size();
  const auto used = static_cast<std::size_t>(allocations::peak() - began_live);
  if (used > most_bytes)
    demand(false, std::string{t.name} + ": an input of " + std::to_string(input.size()) +
                      " bytes took " + std::to_string(used) + " bytes of memory, more than " +
                      std::to_string(most_bytes));
  if (ms > t.most.cpu_ms * slowness)
    demand(false, std::string{t.name} + ": an input of " + std::to_string(input.size()) +
                      " bytes took " + std::to_string(ms) + " ms, more than " +
                      std::to_string(t.most.cpu_ms * slowness));
}

}  // namespace fuzz
