// The oracle's operations and readings in joinery's types.
//
// Purpose: `subject<C>` turns an operation into the delta that the type's own mutator makes of
// it, and reads a state in the oracle's words.
// Thread-safety: pure functions.
#pragma once

#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/crdt/mv.hpp"
#include "joinery/testing/law_subject.hpp"
#include "tests/crdt/cell_of.hpp"
#include "tests/crdt/oracle.hpp"

namespace crdt_tests {

using number = std::int64_t;
using joinery::causal::roster;
using oracle::op;
using oracle::type;
using oracle::verb;

/// Nothing where the type refuses the operation.
using maybe_delta = std::optional<bytes>;

template <class C>
struct subject;

inline oracle::shape around(type outer, oracle::shape inner) { return {outer, {std::move(inner)}}; }
inline std::string or_none(const std::optional<number>& v) {
  return v ? std::to_string(*v) : "none";
}

template <>
struct subject<crdt::lww<number>> {
  static oracle::shape shape() { return {type::lww}; }
  static maybe_delta delta(const crdt::lww<number>& now, const op& o) {
    return now.set(o.value, o.rank);
  }
  static std::string read(const crdt::lww<number>& now, const roster& replicas) {
    const auto v = now.get(replicas);
    return v ? std::to_string(*v) + (now.in_conflict() ? " in conflict" : " ") : "none";
  }
};

template <>
struct subject<crdt::mv<number>> {
  static oracle::shape shape() { return {type::mv}; }
  static maybe_delta delta(const crdt::mv<number>& now, const op& o) {
    return now.set(o.value, o.rank);
  }
  static std::string read(const crdt::mv<number>& now, const roster&) {
    std::string out;
    for (const auto v : now.get()) out += std::to_string(v) + " ";
    return out.empty() ? "none" : out + (now.in_conflict() ? "in conflict" : "");
  }
};

template <>
struct subject<crdt::or_set<number>> {
  static oracle::shape shape() { return {type::set}; }
  static maybe_delta delta(const crdt::or_set<number>& now, const op& o) {
    return o.what == verb::add ? now.insert(o.value) : now.erase(o.value);
  }
  static std::string read(const crdt::or_set<number>& now, const roster&) {
    std::string out;
    now.for_each([&](number v) { out += std::to_string(v) + (now.contains(v) ? " " : "?"); });
    return out;
  }
};

template <crdt::kind Kind>
struct subject<crdt::counter<Kind>> {
  static oracle::shape shape() {
    return {Kind == crdt::kind::pn_counter ? type::counter : type::g_counter};
  }
  static maybe_delta delta(const crdt::counter<Kind>& now, const op& o) { return now.add(o.value); }
  static std::string read(const crdt::counter<Kind>& now, const roster&) {
    return std::to_string(now.get().value);
  }
};

template <>
struct subject<crdt::tally<number>> {
  static oracle::shape shape() { return {type::tally}; }
  static maybe_delta delta(const crdt::tally<number>& now, const op& o) {
    return now.grant(o.key, static_cast<std::uint64_t>(o.value));
  }
  static std::string read(const crdt::tally<number>& now, const roster&) {
    std::string out;
    now.for_each([&](number key, std::uint64_t amount) {
      out += std::to_string(key) + "=" + std::to_string(amount) + " ";
    });
    return out + "sum " + std::to_string(now.get().value);
  }
};

template <crdt::kind Kind>
struct subject<crdt::extremum<number, Kind>> {
  static oracle::shape shape() { return {Kind == crdt::kind::max_of ? type::max : type::min}; }
  static maybe_delta delta(const crdt::extremum<number, Kind>& now, const op& o) {
    return now.put(o.value);
  }
  static std::string read(const crdt::extremum<number, Kind>& now, const roster&) {
    return or_none(now.get());
  }
};

template <>
struct subject<crdt::flag> {
  static oracle::shape shape() { return {type::flag}; }
  static maybe_delta delta(const crdt::flag& now, const op& o) {
    return now.set(o.what == verb::enable);
  }
  static std::string read(const crdt::flag& now, const roster&) { return now.get() ? "on" : "off"; }
};

template <class C>
struct subject<crdt::map<number, C>> {
  using map = crdt::map<number, C>;
  static oracle::shape shape() { return around(type::map, subject<C>::shape()); }
  static maybe_delta delta(const map& now, const op& o) {
    if (o.what == verb::create) return now.create(o.key);
    if (o.what == verb::erase) return now.erase(o.key);
    const auto inner = subject<C>::delta(now.at(o.key).value_or(C{}), o.inner.front());
    return inner ? maybe_delta{now.update(o.key, *inner)} : std::nullopt;
  }
  static std::string read(const map& now, const roster& replicas) {
    std::string out;
    now.for_each([&](number key, const C& value) {
      out += std::to_string(key) + ": (" + subject<C>::read(value, replicas) + ") ";
    });
    return out;
  }
};

template <class C>
struct subject<cell_of<C>> {
  static oracle::shape shape() { return around(type::cell, subject<C>::shape()); }
  static maybe_delta delta(const cell_of<C>& now, const op& o) {
    if (o.what == verb::create) return now.create();
    if (o.what != verb::update) return now.erase(o.what == verb::erase_final);
    const auto inner = subject<C>::delta(now.value(), o.inner.front());
    return inner ? now.update(*inner) : std::nullopt;
  }
  static std::string read(const cell_of<C>& now, const roster& replicas) {
    return now.alive() ? subject<C>::read(now.value(), replicas) : "dead";
  }
};

/// A subject by its bytes, so that the tests are compiled once and not once for each type.
struct oracle_subject {
  const joinery::testing::law_subject* laws;
  oracle::shape shape;
  maybe_delta (*delta)(bytes_view state, const op& o);
  std::string (*read)(bytes_view state, const roster& replicas);
  std::string (*read_canonical)(bytes_view state, const roster& replicas);
  std::string (*ledger)(bytes_view state, const roster& replicas) = nullptr;  ///< of records
};

template <class C>
oracle_subject oracle_subject_of() {
  const auto read = [](bytes_view state, const roster& replicas) {
    return subject<C>::read(C{bytes{state}}, replicas);
  };
  return {&joinery::testing::law_subject_of<C>, subject<C>::shape(),
          [](bytes_view state, const op& o) { return subject<C>::delta(C{bytes{state}}, o); }, read,
          read};
}

}  // namespace crdt_tests
