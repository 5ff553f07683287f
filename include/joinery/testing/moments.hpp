// What the laws are written with: moments compared, joined, and carried to another roster.
//
// Purpose: the shared vocabulary of merge_laws.hpp and form_laws.hpp.
// Invariants: a breach names what was got and what was expected, as bytes and versions.
// Thread-safety: pure functions.
#pragma once

#include <optional>

#include "joinery/testing/execution.hpp"

namespace joinery::testing::laws {

/// What is wrong; nothing when the law holds of this execution.
using breach = std::optional<std::string>;

inline std::string show(const moment& m) {
  std::string out = to_hex(m.state) + " at";
  for (causal::replica_index r = 0; r < m.seen.size(); ++r)
    out += " " + std::to_string(m.seen.at(r));
  return out;
}
inline breach expect_equal(const moment& got, const moment& expected) {
  if (got == expected) return std::nullopt;
  return "got " + show(got) + ", expected " + show(expected);
}

inline moment joined(moment a, const moment& b) {
  a.join(b);
  return a;
}

/// The moment as a replica with another roster has it.
inline moment reindexed(const moment& m, const crdt::reindexing& map) {
  moment out{m.type, m.type->reindex(m.state, map)};
  for (causal::replica_index r = 0; r < m.seen.size(); ++r)
    if (m.seen.at(r) != 0) out.seen.set(map[r], m.seen.at(r));
  return out;
}
/// All replicas keep their indexes; what is dead is left out.
inline moment canonical(const moment& m, const execution& run) {
  crdt::reindexing map;
  for (causal::replica_index r = 0; r < run.replicas().size(); ++r) map.to.push_back(r);
  map.canonical = true;
  return reindexed(m, map);
}

}  // namespace joinery::testing::laws
