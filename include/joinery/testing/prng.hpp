// prng: random numbers that are the same everywhere for one seed.
//
// Purpose: every random test of joinery, and of schemas built on it, runs from one of these: a
// failure names its seed, and the seed repeats it on any machine. (Steele, Lea, Flood 2014:
// SplitMix.)
// Invariants: the sequence of a seed never changes. Not for secrets.
// Thread-safety: none; a value.
#pragma once

#include <cstdint>
#include <iterator>
#include <span>
#include <utility>

#include "joinery/base/clock.hpp"

namespace joinery::testing {

class prng final : public random_source {
 public:
  explicit prng(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    auto z = state_ += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
  }
  /// One of 0 … n − 1. Precondition: n > 0.
  std::uint64_t below(std::uint64_t n) noexcept { return next() % n; }
  bool chance(unsigned percent) noexcept { return below(100) < percent; }
  /// One of `items`, which must not be empty.
  template <class Items>
  decltype(auto) pick(Items&& items) {
    return *std::next(std::begin(items), static_cast<std::ptrdiff_t>(below(std::size(items))));
  }
  template <class Items>
  void shuffle(Items& items) {
    for (auto n = std::size(items); n > 1; --n)
      std::swap(items[n - 1], items[static_cast<std::size_t>(below(n))]);
  }
  void fill(std::span<unsigned char> out) override {
    for (auto& byte : out) byte = static_cast<unsigned char>(next());
  }

 private:
  std::uint64_t state_;
};

}  // namespace joinery::testing
