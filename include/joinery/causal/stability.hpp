// stability: what every member is known to have.
//
// Purpose: the frontier of causal stability (Baquero, Almeida, Shoker 2017): the pointwise minimum
// of what is known of each member's version. Nobody who counts can still make a change that has not
// seen what is below it.
// Invariants: counting one more member never raises it; without any, it bounds nothing.
// Thread-safety: values.
#pragma once

#include <optional>

#include "joinery/causal/version.hpp"

namespace joinery::causal {

class frontier {
 public:
  /// One more member, known to have `known`.
  void count(const version& known) {
    if (!least_) {
      least_ = known;
      return;
    }
    for (replica_index r = 0; r < least_->size(); ++r)
      least_->set(r, std::min(least_->at(r), known.at(r)));
  }
  /// Whether all who count have `d`.
  [[nodiscard]] bool covers(dot d) const noexcept { return !least_ || least_->seen(d); }

 private:
  std::optional<version> least_;
};

}  // namespace joinery::causal
