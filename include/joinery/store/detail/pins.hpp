// Pinned images: read transactions that are kept.
//
// Purpose: an image that outlives one read, and the list of all of them: LMDB's map may move only
// when no transaction is open, so that growing ends them.
// Invariants: who ends them all is alone at the map, or is closing; an ended one has no
// transaction.
// Thread-safety: the list, all of it; the transaction of a pin is guarded by its mutex.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "joinery/store/detail/lmdb_transaction.hpp"

namespace joinery::store::detail {

struct image_pin {
  std::mutex mutex;
  lmdb_transaction txn;  // none in a read-only store, whose reads all share one
  std::optional<error> ended;

  image_pin() = default;
  image_pin(const image_pin&) = delete;
  image_pin& operator=(const image_pin&) = delete;
};

class pin_list {
 public:
  void add(const std::shared_ptr<image_pin>& pin) {
    const std::lock_guard lock(mutex_);
    std::erase_if(pins_, [](const auto& p) { return p.expired(); });
    pins_.push_back(pin);
  }

  /// Ends all of them for the reason `why`.
  void end(const error& why) {
    const std::lock_guard lock(mutex_);
    for (const auto& held : pins_) {
      const auto pin = held.lock();
      if (!pin) continue;
      const std::lock_guard one(pin->mutex);
      pin->txn.reset();
      pin->ended = why;
    }
    pins_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<image_pin>> pins_;
};

}  // namespace joinery::store::detail
