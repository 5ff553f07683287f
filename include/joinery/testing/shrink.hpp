// shrink: makes a plan that fails small, and prints it as a test.
//
// Purpose: a failing seed has hundreds of steps, of which a few matter. Whole classes of steps are
// left out, then halves, quarters and single ones, then replicas and keys, as long as what fails
// stays the same.
// Invariants: the plan that is given back fails as the first one did; bounded in tries.
// Thread-safety: pure functions.
#pragma once

#include <cctype>
#include <sstream>

#include "joinery/testing/simulation.hpp"

namespace joinery::testing {

/// What is wrong with a plan, and at which step; nothing when all holds.
template <class Schema, class Older = Schema>
std::optional<std::string> failure_of(const plan& p) {
  simulation<Schema, Older> s{p};
  try {
    s.run();
  } catch (const std::exception& e) {
    const bool at_rest = s.at() >= p.steps.size();
    return (at_rest ? std::string{"at rest: "} : "step " + std::to_string(s.at()) + ": ") +
           e.what();
  }
  return std::nullopt;
}

namespace detail {

/// The words of the first line: numbers and ids change when steps are left out.
inline std::string kind_of(const std::string& failure) {
  std::string out;
  for (const char c : failure.substr(0, failure.find('\n')))
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) out += c;
  const auto colon = out.find(": ");
  return out.substr(colon == std::string::npos ? 0 : colon, 60);
}

template <class Fails>
class shrinker {
 public:
  shrinker(plan p, std::size_t tries, Fails fails)
      : best_(std::move(p)), left_(tries), fails_(std::move(fails)) {}

  plan run() {
    for (std::size_t a = 0; a < action_count; ++a) {
      auto p = best_;
      std::erase_if(p.steps, [&](const auto& s) { return s.what == static_cast<action>(a); });
      keep_if_it_fails(std::move(p));
    }
    for (auto size = best_.steps.size(); size > 0; size /= 2)
      for (std::size_t at = 0; at < best_.steps.size();) {
        auto p = best_;
        const auto from = p.steps.begin() + static_cast<std::ptrdiff_t>(at);
        const auto n = std::min(size, p.steps.size() - at);
        p.steps.erase(from, from + static_cast<std::ptrdiff_t>(n));
        if (!keep_if_it_fails(std::move(p))) at += size;
      }
    while (best_.replicas > 2 && fewer(&plan::replicas)) {}
    while (best_.keys > 1 && fewer(&plan::keys)) {}
    return best_;
  }

 private:
  bool fewer(std::size_t plan::*what) {
    auto p = best_;
    --(p.*what);
    return keep_if_it_fails(std::move(p));
  }
  bool keep_if_it_fails(plan p) {
    if (left_ == 0 ||
        p.steps.size() + p.replicas + p.keys == best_.steps.size() + best_.replicas + best_.keys)
      return false;
    --left_;
    if (!fails_(p)) return false;
    best_ = std::move(p);
    return true;
  }

  plan best_;
  std::size_t left_;
  Fails fails_;
};

}  // namespace detail

/// A smaller plan that fails in the same way.
template <class Schema, class Older = Schema>
plan shrink(const plan& p, const std::string& failure, std::size_t tries = 2000) {
  const auto kind = detail::kind_of(failure);
  const auto fails = [&](const plan& smaller) {
    const auto found = failure_of<Schema, Older>(smaller);
    return found && detail::kind_of(*found) == kind;
  };
  return detail::shrinker{p, tries, fails}.run();
}

/// The plan as a test case of Catch2's. `simulation` is the type as the test would write it.
inline std::string as_test(const plan& p, std::string_view simulation) {
  std::ostringstream out;
  out << "TEST_CASE(\"simulation: seed " << p.seed << ", " << p.steps.size() << " steps\") {\n"
      << "  using joinery::testing::action;\n"
      << "  joinery::testing::plan p;\n"
      << "  p.seed = " << p.seed << "u;\n"
      << "  p.replicas = " << p.replicas << ";\n"
      << "  p.keys = " << p.keys << ";\n"
      << "  p.closed = " << (p.closed ? "true" : "false") << ";\n"
      << "  p.loss = " << p.loss << ";\n"
      << "  p.duplication = " << p.duplication << ";\n"
      << "  p.steps = {\n";
  for (const auto& s : p.steps)
    out << "      {action::" << name_of(s.what) << ", " << unsigned{s.a} << ", " << unsigned{s.b}
        << ", " << s.dice << "u},\n";
  out << "  };\n"
      << "  CHECK_NOTHROW(" << simulation << "{p}.run());\n"
      << "}\n";
  return out.str();
}

}  // namespace joinery::testing
