// arbitrary<T>: random values that meet each other.
//
// Purpose: values, keys and elements for random executions. They come from small pools with the
// awkward ones in them (extremes, zero bytes, the empty), so that replicas often touch the same
// key and write equal values.
// Invariants: every value can be stored: no NaN. Specialise `arbitrary<T>` for a type of your
// own.
// Thread-safety: pure but for the prng.
#pragma once

#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <tuple>

#include "joinery/crdt/value.hpp"
#include "joinery/testing/prng.hpp"

namespace joinery::testing {

template <class T>
struct arbitrary;

template <class T>
concept arbitrary_value = crdt::value<T> && requires(prng& random) {
  { arbitrary<T>::make(random) } -> std::same_as<T>;
};

template <>
struct arbitrary<bool> {
  static bool make(prng& random) { return random.chance(50); }
};

template <std::integral T>
struct arbitrary<T> {
  static T make(prng& random) {
    using limits = std::numeric_limits<T>;
    const T pool[] = {0, 1, 2, 3, limits::max(), limits::min()};
    return random.pick(pool);
  }
};

template <>
struct arbitrary<double> {
  static double make(prng& random) {
    using limits = std::numeric_limits<double>;
    const double pool[] = {0.0, -0.0, 1.5, -1.5, limits::denorm_min(), -limits::infinity()};
    return random.pick(pool);
  }
};

template <>
struct arbitrary<std::string> {
  static std::string make(prng& random) {
    const std::string pool[] = {"", "a", "b", std::string(1, '\0'), std::string("a\0b", 3), "\xFF"};
    return random.pick(pool);
  }
};

template <>
struct arbitrary<crdt::blob> {
  static crdt::blob make(prng& random) { return {arbitrary<std::string>::make(random)}; }
};

template <class Tag>
struct arbitrary<id128<Tag>> {
  static id128<Tag> make(prng& random) {
    id128<Tag> id;
    id.data[random.chance(50) ? 0 : 15] = static_cast<unsigned char>(random.below(3));
    return id;
  }
};

template <class Duration>
struct arbitrary<std::chrono::time_point<std::chrono::system_clock, Duration>> {
  using point = std::chrono::time_point<std::chrono::system_clock, Duration>;
  static point make(prng& random) {
    const int days[] = {0, 1, -1, 20'000, -20'000};
    return point{std::chrono::duration_cast<Duration>(std::chrono::days{random.pick(days)})};
  }
};

template <arbitrary_value T>
struct arbitrary<std::optional<T>> {
  static std::optional<T> make(prng& random) {
    if (random.chance(25)) return std::nullopt;
    return arbitrary<T>::make(random);
  }
};

template <arbitrary_value... T>
struct arbitrary<std::tuple<T...>> {
  static std::tuple<T...> make(prng& random) {
    return std::tuple<T...>{arbitrary<T>::make(random)...};
  }
};

}  // namespace joinery::testing
