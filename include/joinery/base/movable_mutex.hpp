// movable_mutex: a mutex for members of types that are moved before they are shared.
//
// Purpose: a replica is opened as a value and moved to its place; the locks inside it must not
// forbid that.
// Invariants: moving or copying gives a new, unlocked mutex; the old one must not be locked.
// Thread-safety: as `std::mutex`; moving must not overlap anything.
#pragma once

#include <mutex>

namespace joinery {

class movable_mutex {
 public:
  movable_mutex() = default;
  movable_mutex(const movable_mutex&) noexcept {}
  movable_mutex& operator=(const movable_mutex&) noexcept { return *this; }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }
  bool try_lock() { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

}  // namespace joinery
