// Read transactions that are used again.
//
// Purpose: beginning a read takes LMDB's lock on its reader table; renewing one that kept its slot
// does not, and one that still has its image needs not even that, nor to look for the areas' roots
// anew.
// Invariants: at most `most_idle` wait here, each holding one slot; an image only as long as it is
// the newest, and nobody writes: nothing keeps a writer from using freed pages again.
// Thread-safety: all of it; what is lent belongs to one thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
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
      if (txn_) pool_.give_back({std::move(txn_), image_}, sound_);
    }
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    /// Begins it; LMDB's code.
    int begin(lmdb_environment& environment) { return pool_.borrow(environment, *this); }
    /// The read met no fault, so that the transaction may be read from again as it is.
    void sound() noexcept { sound_ = true; }
    [[nodiscard]] MDB_txn* txn() const noexcept { return txn_.get(); }

   private:
    friend class read_pool;
    read_pool& pool_;
    lmdb_transaction txn_;
    std::uint64_t image_ = 0;
    bool sound_ = false;
  };

  /// From here to `end_of_writing` what is here lets go of its image, and takes no other.
  void begin_writing() noexcept {
    const std::lock_guard lock(mutex_);
    writing_ = true;
    ++image_;
    let_go();
  }
  void end_of_writing() noexcept {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    ++image_;
  }

  /// What nobody reads from lets go of its image.
  void rest() noexcept {
    const std::lock_guard lock(mutex_);
    let_go();
  }
  void clear() noexcept {
    const std::lock_guard lock(mutex_);
    idle_.clear();
  }

 private:
  static constexpr std::size_t most_idle = 16;

  struct idle {
    lmdb_transaction txn;
    std::uint64_t image = 0;  ///< the number of the image that it has; 0: none
  };

  void let_go() noexcept {
    for (auto& i : idle_)
      if (std::exchange(i.image, 0) != 0) ::mdb_txn_reset(i.txn.get());
  }

  int borrow(lmdb_environment& environment, lease& out) {
    idle found;
    {
      const std::lock_guard lock(mutex_);
      out.image_ = image_;
      if (!idle_.empty()) {
        found = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    out.txn_ = std::move(found.txn);
    if (out.txn_ && (found.image != 0 || ::mdb_txn_renew(out.txn_.get()) == 0)) return 0;
    out.txn_.reset();
    return environment.begin(MDB_RDONLY, out.txn_);
  }

  // An image from before a write that has begun since is not the newest.
  void give_back(idle i, bool sound) noexcept {
    const std::lock_guard lock(mutex_);
    if (writing_ || !sound || i.image != image_) {
      ::mdb_txn_reset(i.txn.get());
      i.image = 0;
    }
    if (idle_.size() < most_idle) idle_.push_back(std::move(i));
  }

  std::mutex mutex_;
  std::vector<idle> idle_;
  std::uint64_t image_ = 1;  // counts the moments at which another image may become the newest
  bool writing_ = false;
};

}  // namespace joinery::store::detail
