// The gate before the memory map: many threads may be inside, or one may move the map while nobody
// is.
//
// Purpose: LMDB 0.9 moves its map under running reads without a word. Growing closes the gate,
// waits for those inside to leave, with a limit, and opens it again. The gate also knows which
// threads are inside, so that a nested use is an error instead of a deadlock.
// Invariants: nobody is inside while the gate is closed and `close` succeeded.
// Thread-safety: all of it.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace joinery::store::detail {

class gate {
 public:
  /// Enters, after waiting while the gate is closed; false when this thread is inside already.
  [[nodiscard]] bool enter() {
    std::unique_lock lock(mutex_);
    const auto me = std::this_thread::get_id();
    if (std::find(inside_.begin(), inside_.end(), me) != inside_.end()) return false;
    changed_.wait(lock, [&] { return !closed_; });
    inside_.push_back(me);
    return true;
  }

  void leave() noexcept {
    const std::lock_guard lock(mutex_);
    const auto me = std::find(inside_.begin(), inside_.end(), std::this_thread::get_id());
    if (me == inside_.end()) return;
    *me = inside_.back();
    inside_.pop_back();
    if (closed_) changed_.notify_all();
  }

  /// Keeps others out and waits until nobody is inside; after `patience` gives up, opens again and
  /// says false.
  [[nodiscard]] bool close(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    closed_ = true;
    if (changed_.wait_for(lock, patience, [&] { return inside_.empty(); })) return true;
    closed_ = false;
    changed_.notify_all();
    return false;
  }

  void open() noexcept {
    const std::lock_guard lock(mutex_);
    closed_ = false;
    changed_.notify_all();
  }

  [[nodiscard]] bool holds_this_thread() const {
    const std::lock_guard lock(mutex_);
    return std::find(inside_.begin(), inside_.end(), std::this_thread::get_id()) != inside_.end();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread::id> inside_;
  bool closed_ = false;
};

/// Inside the gate until the end of the scope, unless the thread was inside before.
class gate_pass {
 public:
  explicit gate_pass(gate& g) : gate_(g), entered_(g.enter()) {}
  ~gate_pass() {
    if (entered_) gate_.leave();
  }
  gate_pass(const gate_pass&) = delete;
  gate_pass& operator=(const gate_pass&) = delete;
  [[nodiscard]] bool entered() const noexcept { return entered_; }

 private:
  gate& gate_;
  bool entered_;
};

}  // namespace joinery::store::detail
