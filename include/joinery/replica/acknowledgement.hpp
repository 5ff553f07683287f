// acknowledgement: when an idle member should say what it has.
//
// Purpose: others may clean only what this replica is known to have, and they know it from its
// changesets. Who writes nothing of its own says so by an empty one.
// Invariants: what changes nothing needs no acknowledgement, so acknowledgements are never
// acknowledged, and a space at rest falls silent.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <algorithm>
#include <optional>

#include "joinery/causal/hlc.hpp"
#include "joinery/codec/changeset.hpp"

namespace joinery::detail {

class acknowledgement {
 public:
  /// A changeset of another replica was taken in.
  void heard(const codec::changeset& c, std::uint64_t now_ms) {
    if (!c.ops.empty() && !since_ms_) since_ms_ = std::min(causal::hlc_ms(c.time), now_ms);
  }
  /// A snapshot was joined: there may have been changes in it.
  void joined(std::uint64_t now_ms) noexcept {
    if (!since_ms_) since_ms_ = now_ms;
  }
  /// This replica wrote: that says all.
  void said() noexcept { since_ms_.reset(); }

  [[nodiscard]] bool due(std::uint64_t now_ms, std::uint64_t after_ms) const noexcept {
    return since_ms_ && now_ms >= *since_ms_ && now_ms - *since_ms_ >= after_ms;
  }

 private:
  std::optional<std::uint64_t>
      since_ms_;  // when the first change that it has not answered was made
};

}  // namespace joinery::detail
