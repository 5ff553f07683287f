// generator<C>: random deltas of a CRDT, and a reading of its state as text.
//
// Purpose: what the laws need to know of a type. A delta is made as a program makes it: by the
// type's own mutators, from the state that the writing replica has. A reading shows what a
// program can see, and nothing else.
// Invariants: a delta passes `valid_delta`; states that read differently have different readings.
// Specialise `generator<C>` for a CRDT of your own.
// Thread-safety: pure but for the prng.
#pragma once

#include "joinery/causal/roster.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/crdt/mv.hpp"
#include "joinery/testing/arbitrary.hpp"

namespace joinery::testing {

template <class C>
struct generator;

/// A CRDT that the laws can be held against.
template <class C>
concept generated = std::default_initializable<C> && std::copyable<C> &&
    std::constructible_from<C, bytes> && crdt::rules<typename C::rules_type> &&
    requires(prng& random, C& c, const C& other, const causal::stamp& by,
             const causal::version& seen, const crdt::reindexing& map,
             const causal::roster& replicas) {
  c.apply(bytes_view{}, by);
  c.join(seen, other, seen);
  { other.state() } -> std::same_as<bytes_view>;
  { other.reindexed(map) } -> std::same_as<bytes>;
  { generator<C>::delta(random, other, by.at.replica) } -> std::same_as<bytes>;
  { generator<C>::read(other, replicas) } -> std::same_as<std::string>;
};

namespace detail {

template <class T>
std::string show(const T& v) {
  return to_hex(crdt::encode_value(v));
}
inline std::string show(const crdt::clamped_sum& sum) {
  return std::to_string(sum.value) + (sum.clamped ? " clamped" : "");
}

/// `set(v, rank)`, sometimes with a rank.
template <class Register>
bytes register_delta(prng& random) {
  const auto rank = random.chance(20) ? static_cast<std::int64_t>(random.below(4)) - 1 : 0;
  return Register::set(arbitrary<typename Register::value_type>::make(random), rank);
}

}  // namespace detail

template <arbitrary_value T>
struct generator<crdt::lww<T>> {
  static bytes delta(prng& random, const crdt::lww<T>&, causal::replica_index) {
    return detail::register_delta<crdt::lww<T>>(random);
  }
  static std::string read(const crdt::lww<T>& now, const causal::roster& replicas) {
    const auto v = now.get(replicas);
    return (v ? detail::show(*v) : "none") + (now.in_conflict() ? " in conflict" : "");
  }
};

template <arbitrary_value T>
struct generator<crdt::mv<T>> {
  static bytes delta(prng& random, const crdt::mv<T>&, causal::replica_index) {
    return detail::register_delta<crdt::mv<T>>(random);
  }
  static std::string read(const crdt::mv<T>& now, const causal::roster&) {
    std::string out;
    for (const auto& v : now.get()) out += detail::show(v) + " ";
    return out + (now.in_conflict() ? "in conflict" : "");
  }
};

template <arbitrary_value T>
struct generator<crdt::or_set<T>> {
  static bytes delta(prng& random, const crdt::or_set<T>&, causal::replica_index) {
    const auto v = arbitrary<T>::make(random);
    return random.chance(60) ? crdt::or_set<T>::insert(v) : crdt::or_set<T>::erase(v);
  }
  static std::string read(const crdt::or_set<T>& now, const causal::roster&) {
    std::string out;
    now.for_each([&](const T& v) { out += detail::show(v) + " "; });
    return out;
  }
};

template <crdt::kind Kind>
struct generator<crdt::counter<Kind>> {
  using counter = crdt::counter<Kind>;
  static bytes delta(prng& random, const counter& now, causal::replica_index writer) {
    using limits = std::numeric_limits<std::int64_t>;
    // The great ones take running totals to their ends and sums beyond.
    const std::int64_t pool[] = {0, 1, 2, 7, limits::max(), -1, -5, limits::min()};
    const auto amount = pool[random.below(Kind == crdt::kind::pn_counter ? 8 : 5)];
    return counter::add(now.can_add(writer, amount) ? amount : 0);
  }
  static std::string read(const counter& now, const causal::roster&) {
    return detail::show(now.get());
  }
};

template <arbitrary_value K>
struct generator<crdt::tally<K>> {
  static bytes delta(prng& random, const crdt::tally<K>&, causal::replica_index) {
    const std::uint64_t pool[] = {0, 1, 2, 50, ~std::uint64_t{0}};
    return crdt::tally<K>::grant(arbitrary<K>::make(random), random.pick(pool));
  }
  static std::string read(const crdt::tally<K>& now, const causal::roster&) {
    auto out = detail::show(now.get());
    now.for_each([&](const K& key, std::uint64_t amount) {
      out += " " + detail::show(key) + "=" + std::to_string(amount);
    });
    return out;
  }
};

template <arbitrary_value T, crdt::kind Kind>
struct generator<crdt::extremum<T, Kind>> {
  static bytes delta(prng& random, const crdt::extremum<T, Kind>&, causal::replica_index) {
    return crdt::extremum<T, Kind>::put(arbitrary<T>::make(random));
  }
  static std::string read(const crdt::extremum<T, Kind>& now, const causal::roster&) {
    const auto v = now.get();
    return v ? detail::show(*v) : "none";
  }
};

template <>
struct generator<crdt::flag> {
  static bytes delta(prng& random, const crdt::flag&, causal::replica_index) {
    return crdt::flag::set(random.chance(50));
  }
  static std::string read(const crdt::flag& now, const causal::roster&) {
    return now.get() ? "on" : "off";
  }
};

template <arbitrary_value K, class C>
struct generator<crdt::map<K, C>> {
  static bytes delta(prng& random, const crdt::map<K, C>& now, causal::replica_index writer) {
    const auto key = arbitrary<K>::make(random);
    const auto roll = random.below(100);
    if (roll < 15) return now.create(key);
    if (roll < 40)
      if (auto erasure = now.erase(key)) return *erasure;
    return now.update(key, generator<C>::delta(random, now.at(key).value_or(C{}), writer));
  }
  static std::string read(const crdt::map<K, C>& now, const causal::roster& replicas) {
    std::string out;
    now.for_each([&](const K& key, const C& value) {
      out += detail::show(key) + ": (" + generator<C>::read(value, replicas) + ") ";
    });
    return out;
  }
};

}  // namespace joinery::testing
