// Clock and randomness, injected.
//
// Purpose: joinery never asks the operating system for time or random numbers behind the program's
// back; whoever opens a replica may hand in these two (tests and the simulator do).
// Invariants: `now_ms` is milliseconds since 1970-01-01 UTC and may step back; the HLC copes.
// Thread-safety: an implementation must allow calls from the thread that uses the replica; a clock
// also from those that make readers.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <span>

namespace joinery {

struct clock {
  virtual ~clock() = default;
  virtual std::uint64_t now_ms() = 0;
};

struct random_source {
  virtual ~random_source() = default;
  virtual void fill(std::span<unsigned char> out) = 0;
};

struct system_clock final : clock {
  std::uint64_t now_ms() override {
    using namespace std::chrono;
    return static_cast<std::uint64_t>(
        duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  }
};

struct system_random final : random_source {
  void fill(std::span<unsigned char> out) override {
    std::random_device device;
    for (auto& byte : out) byte = static_cast<unsigned char>(device());
  }
};

/// A clock that stands still until told otherwise.
struct manual_clock final : clock {
  std::uint64_t now = 0;
  explicit manual_clock(std::uint64_t start = 0) : now(start) {}
  std::uint64_t now_ms() override { return now; }
};

}  // namespace joinery
