// target: what a fuzzer is, and the registry of those that a program was linked with.
//
// Purpose: one entry point for libFuzzer, for the ordinary tests and for whoever repeats a finding.
// A fuzzer is a file fuzz/<name>.cpp that opens with its strategy and invariants and registers
// itself; fuzz/CMakeLists.txt lists it.
// Invariants: a run depends on nothing but its input. A fault ends the program through `demand`,
// a sanitizer, or a bound that is exceeded.
// Thread-safety: none; fuzzers run in one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "joinery/base/bytes.hpp"
#include "joinery/testing/prng.hpp"

namespace fuzz {

using joinery::bytes;
using joinery::bytes_view;
using joinery::testing::prng;

/// What one input may cost, its set-up not counted. Memory is what is live at once, beyond what was
/// when the measuring began; both grow with the input's size alone.
struct bounds {
  std::size_t bytes_per_byte = 64;
  std::size_t bytes_flat = 64u << 10;
  std::size_t cpu_ms = 250;
};

struct target {
  const char* name = nullptr;
  void (*run)(bytes_view input) = nullptr;
  /// Inputs made of real encodings, for the fuzzer to begin with.
  std::vector<bytes> (*seeds)() = nullptr;
  bounds most{};
  /// Repairs what a mutation broke that no fuzzer would guess, such as checksums; may be null.
  bytes (*mend)(bytes_view mutated, prng& dice) = nullptr;
};

/// All that were registered, in order of name.
std::vector<target>& targets();

struct registration {
  explicit registration(const target& t) { targets().push_back(t); }
};

/// Ends the program, with a word on what is wrong, unless `holds`.
void demand(bool holds, const char* what);
void demand(bool holds, const std::string& what);

/// The set-up is over: what comes is charged to the input.
void begin_measuring();

/// Runs one input within the bounds of its target.
void run_within_bounds(const target& t, bytes_view input);

}  // namespace fuzz
