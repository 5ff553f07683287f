// Replicas that write, meet, fail and come back show what the contract says, whatever the order.
#include <catch2/catch.hpp>

#include "tests/replica/simulation.hpp"

using replica_tests::simulation;

namespace {

void run(std::uint64_t first, std::uint64_t count, int steps) {
  std::uint64_t good = 0;
  for (auto seed = first; seed < first + count; ++seed) {
    try {
      simulation{seed, steps};
      ++good;
    } catch (const std::exception& e) {
      FAIL("seed " << seed << ", " << steps << " steps: " << e.what());
    }
  }
  CHECK(good == count);
}

}  // namespace

TEST_CASE("short random histories agree with the oracle, on failing storages and tiny caches") {
  run(1, JOINERY_SANITIZED ? 150 : 1500, 14);
}
TEST_CASE("longer random histories agree with the oracle") {
  run(100'000, JOINERY_SANITIZED ? 12 : 60, 120);
}
