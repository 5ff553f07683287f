// Who reads at this moment, and with what.
//
// Purpose: LMDB 0.9 moves its map under running reads without a word. Whoever reads has a place;
// growing closes all of them, waits for those inside to leave, with a limit, and opens them again.
// A place keeps its read transaction: beginning one takes LMDB's lock on its reader table, renewing
// one that kept its slot does not, and one that still has the newest image needs not even that, nor
// to look for the areas' roots anew. Places know whose they are, so that a nested use is an error
// instead of a deadlock. Coming and going is one exchange each, and no lock.
// Invariants: nobody is inside while the places are closed and `close` succeeded. A place that
// nobody has holds an image only as long as it is the newest, and nobody writes: nothing keeps a
// writer from using freed pages again. At most `most_idle` transactions wait here, each holding one
// slot.
// Thread-safety: all of it; what is in a place belongs to the thread that has it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

#include "joinery/store/detail/lmdb_environment.hpp"

namespace joinery::store::detail {

class read_places {
  // The order of what several threads do here is that of all its atomic steps: who comes marks a
  // place and then looks whether they are closed, who closes them does the reverse, and so it is
  // with a place that is left and an image that a writer makes old.
  struct alignas(64) place {
    std::atomic<std::thread::id> whose{};
    lmdb_transaction txn;
    std::uint64_t image = 0;  // the number of the one that the transaction has; 0: none
    bool lasts = false;       // its transaction waits here for the next read
  };

 public:
  /// A place until the end of the scope, unless the thread has one already. Waits while they are
  /// closed.
  class pass {
   public:
    explicit pass(read_places& of) : of_(of), place_(of.enter()) {}
    ~pass() {
      if (place_ != nullptr) of_.leave(*place_, sound_);
    }
    pass(const pass&) = delete;
    pass& operator=(const pass&) = delete;
    [[nodiscard]] bool entered() const noexcept { return place_ != nullptr; }

    /// Begins a read of the newest image; LMDB's code.
    int begin(lmdb_environment& environment) {
      sound_ = false;
      return of_.begin(environment, *place_);
    }
    /// The read met no fault, so that the transaction may be read from again as it is.
    void sound() noexcept { sound_ = true; }
    [[nodiscard]] MDB_txn* txn() const noexcept { return place_->txn.get(); }

    /// What nobody reads from lets go of its image.
    void rest() noexcept {
      if (place_ != nullptr) let_go(*place_);
      of_.let_go_of_idle();
    }

   private:
    read_places& of_;
    place* place_;
    bool sound_ = true;
  };

  /// From here to `end_of_writing` no place that is left has an image.
  void begin_writing() noexcept {
    image_.fetch_add(1);
    let_go_of_idle();
  }
  void end_of_writing() noexcept { image_.fetch_add(1); }

  /// Keeps others out and waits until nobody is inside; after `patience` gives up, opens again and
  /// says false.
  [[nodiscard]] bool close(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    closed_.store(true);
    if (changed_.wait_for(lock, patience, [&] { return is_empty(); })) return true;
    closed_.store(false);
    changed_.notify_all();
    return false;
  }
  void open() noexcept {
    const std::lock_guard lock(mutex_);
    closed_.store(false);
    changed_.notify_all();
  }

  /// Precondition: nobody else is here, or will come.
  void clear() noexcept {
    for (std::size_t i = 0; i < made_.load(); ++i) {
      places_[i]->txn.reset();
      places_[i]->image = 0;
    }
  }

  [[nodiscard]] bool holds_this_thread() const noexcept {
    return holds(std::this_thread::get_id());
  }

 private:
  static constexpr std::size_t most_idle = 16, most = 512;

  // A thread sees what it did itself, whatever it sees of others.
  [[nodiscard]] bool holds(std::thread::id me) const noexcept {
    const auto made = made_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < made; ++i)
      if (places_[i]->whose.load(std::memory_order_relaxed) == me) return true;
    return false;
  }
  [[nodiscard]] bool is_empty() const noexcept {
    for (std::size_t i = 0; i < made_.load(); ++i)
      if (places_[i]->whose.load() != std::thread::id{}) return false;
    return true;
  }

  // Null when this thread has one already.
  place* enter() {
    const auto me = std::this_thread::get_id();
    if (holds(me)) return nullptr;
    for (;;) {
      auto& mine = take(me);
      if (!closed_.load()) return &mine;
      release(mine);
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !closed_.load(); });
    }
  }
  static bool take(place& p, std::thread::id me) noexcept {
    std::thread::id nobody;
    return p.whose.load(std::memory_order_relaxed) == nobody &&
           p.whose.compare_exchange_strong(nobody, me);
  }
  place& take(std::thread::id me) {
    for (;; std::this_thread::yield()) {
      const auto made = made_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < made; ++i)
        if (take(*places_[i], me)) return *places_[i];
      if (made == most) continue;
      const std::lock_guard lock(mutex_);
      const auto now = made_.load();
      if (now != made) continue;
      places_[now] = std::make_unique<place>();
      places_[now]->whose.store(me);
      places_[now]->lasts = now < most_idle;
      made_.store(now + 1);
      return *places_[now];
    }
  }
  void release(place& p) noexcept {
    p.whose.store(std::thread::id{});
    if (!closed_.load()) return;
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  int begin(lmdb_environment& environment, place& p) {
    const auto newest = image_.load();
    if (p.image == newest) return 0;
    let_go(p);
    if (p.txn && ::mdb_txn_renew(p.txn.get()) == 0) {
      p.image = newest;
      return 0;
    }
    p.txn.reset();
    const int code = environment.begin(MDB_RDONLY, p.txn);
    if (code == 0) p.image = newest;
    return code;
  }
  // An image from before a write that has begun since is not the newest, and none is during one.
  void leave(place& p, bool sound) noexcept {
    const auto image = p.image;
    const bool keeps = image != 0 && sound && p.lasts && image % 2 == 0 && image == image_.load();
    if (!keeps) let_go(p);
    if (!p.lasts) p.txn.reset();
    release(p);
    if (keeps && image != image_.load()) let_go_if_idle(p, std::this_thread::get_id());
  }
  static void let_go(place& p) noexcept {
    if (std::exchange(p.image, 0) != 0) ::mdb_txn_reset(p.txn.get());
  }
  void let_go_if_idle(place& p, std::thread::id me) noexcept {
    if (!take(p, me)) return;
    let_go(p);
    release(p);
  }
  void let_go_of_idle() noexcept {
    const auto me = std::this_thread::get_id();
    for (std::size_t i = 0; i < made_.load(); ++i) let_go_if_idle(*places_[i], me);
  }

  std::array<std::unique_ptr<place>, most> places_;  // stay where they are
  std::atomic<std::size_t> made_{0};                 // so many, from the first on
  std::atomic<std::uint64_t> image_{2};  // of the newest image; odd while another is written
  std::atomic<bool> closed_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace joinery::store::detail
