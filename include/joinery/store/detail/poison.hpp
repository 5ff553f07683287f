// Whether a store may still be believed.
//
// Purpose: one failure of the device after which no later success means anything; the first one is
// remembered.
// Thread-safety: all of it.
#pragma once

#include <atomic>
#include <mutex>

#include "joinery/base/error.hpp"

namespace joinery::store::detail {

class poison {
 public:
  /// Takes effect for all later calls; gives `cause` back, for the call that met it.
  error set(error cause) {
    const std::lock_guard lock(mutex_);
    if (!set_) {
      reason_ = {errc::poisoned, "an earlier commit or sync failed: " + cause.what, cause.where,
                 "close the store and open it again: what was acknowledged is examined then"};
      set_ = true;
    }
    return cause;
  }

  [[nodiscard]] bool is_set() const noexcept { return set_; }
  [[nodiscard]] error reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  mutable std::mutex mutex_;
  error reason_;
  std::atomic<bool> set_{false};
};

}  // namespace joinery::store::detail
