// damaged: peers whose stores are damaged, and get back what they lost.
//
// Purpose: what the tests of damage to records, to the log and to its numbers share.
// Thread-safety: none.
#pragma once

#include "tests/replica/peer.hpp"
#include "tests/replica/stored.hpp"

namespace replica_tests {

inline std::string key(int n) { return "key " + std::to_string(100 + n); }

inline bytes record_key(peer& p, std::string_view k) {
  return history::record_key(*p.e->names().find("table"), k);
}

/// Hands over what `p` wants from `from`, as two sessions would.
inline bool fetch(peer& p, peer& from) {
  bool mended = false;
  for (const auto& what : p.e->list_wanted().value()) {
    const auto given = from.e->give(what).value();
    if (given) mended = p.e->take_back(what, *given).value() || mended;
  }
  return mended;
}

}  // namespace replica_tests
