// Read transactions that are used again.
//
// Purpose: beginning a read takes LMDB's lock on its reader table; renewing one that kept its slot
// does not.
// Invariants: at most `most_idle` wait here, each holding one slot and no image.
// Thread-safety: all of it; what is lent belongs to one thread.
#pragma once

#include <mutex>
#include <vector>

#include "joinery/store/detail/lmdb_environment.hpp"

namespace joinery::store::detail {

class read_pool {
 public:
  read_pool() { idle_.reserve(most_idle); }

  /// A read transaction until the end of the scope.
  class lease {
   public:
    explicit lease(read_pool& pool) noexcept : pool_(pool) {}
    ~lease() {
      if (txn_) pool_.give_back(std::move(txn_));
    }
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    /// Begins it; LMDB's code.
    int begin(lmdb_environment& environment) { return pool_.borrow(environment, txn_); }
    [[nodiscard]] MDB_txn* txn() const noexcept { return txn_.get(); }

   private:
    read_pool& pool_;
    lmdb_transaction txn_;
  };

  void clear() noexcept {
    const std::lock_guard lock(mutex_);
    idle_.clear();
  }

 private:
  static constexpr std::size_t most_idle = 16;

  int borrow(lmdb_environment& environment, lmdb_transaction& out) {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        out = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (out && ::mdb_txn_renew(out.get()) == 0) return 0;
    out.reset();
    return environment.begin(MDB_RDONLY, out);
  }

  void give_back(lmdb_transaction txn) noexcept {
    ::mdb_txn_reset(txn.get());
    const std::lock_guard lock(mutex_);
    if (idle_.size() < most_idle) idle_.push_back(std::move(txn));
  }

  std::mutex mutex_;
  std::vector<lmdb_transaction> idle_;
};

}  // namespace joinery::store::detail
