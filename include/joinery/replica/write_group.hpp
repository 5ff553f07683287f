// write_group: threads that commit together.
//
// Purpose: the part of group_writer.hpp that knows no schema. Transactions run one after the other,
// each in its own thread; who finds nobody behind it stores what all of them made, in one
// transaction of the storage with one sync, while the others wait for it.
// Invariants: a transaction sees everything that was committed or gathered before it, and returns
// when it is durable, or was not made. An error of the write is everybody's whose transaction was
// in it, and so is what the write throws.
// Thread-safety: all of it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "joinery/replica/ports.hpp"

namespace joinery::detail {

class write_group {
 public:
  explicit write_group(engine_port& engine) : engine_(engine) {}
  write_group(const write_group&) = delete;
  write_group& operator=(const write_group&) = delete;

  result<std::optional<causal::dot>> write(function_ref<void(drafts_port&)> body) {
    if (is_inside()) return inside();
    const turn in(*this, arrived_);
    auto made = engine_.gather(body, [&] { return settle()->told(); });
    if (!made) return made.error();
    if (!made->waits) return made->at;
    pending_ = true;
    const auto mine = generation_;
    if (made->enough) static_cast<void>(settle());
    in.wait_until([&] { return mine->outcome.has_value() || arrived_ == 0; });
    if (!mine->outcome) static_cast<void>(settle());
    if (auto done = mine->told(); !done) return done.error();
    return made->at;
  }

  /// Runs `body` while nobody writes, and nothing is gathered. Errors: invalid_argument, from
  /// inside a transaction or callback.
  result<> alone(function_ref<void()> body) {
    if (is_inside()) return inside();
    std::atomic<std::size_t> none{1};
    const turn in(*this, none);
    if (pending_) static_cast<void>(settle());  // told to whose transactions those are
    body();
    return {};
  }

 private:
  /// Transactions that are stored together.
  struct generation {
    std::optional<result<>> outcome;
    std::exception_ptr thrown;  // instead of an outcome

    [[nodiscard]] result<> told() const {
      if (thrown) std::rethrow_exception(thrown);
      return *outcome;
    }
  };

  /// One thread at a time. Whoever leaves and finds nobody behind it stores what is gathered.
  class turn {
   public:
    turn(write_group& of, std::atomic<std::size_t>& arrived) : of_(of) {
      if (&arrived == &of.arrived_) ++arrived;
      lock_ = std::unique_lock(of.mutex_);
      --arrived;
      of_.inside_ = std::this_thread::get_id();
    }
    ~turn() {
      if (of_.pending_ && of_.arrived_ == 0) static_cast<void>(of_.settle());
      of_.inside_ = std::thread::id{};
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

    template <class F>
    void wait_until(F&& over) const {
      of_.inside_ = std::thread::id{};
      of_.settled_.wait(lock_, over);
      of_.inside_ = std::this_thread::get_id();
    }

   private:
    write_group& of_;
    mutable std::unique_lock<std::mutex> lock_;
  };

  // Stores what is gathered. Whatever comes of it, nobody waits for it any more.
  std::shared_ptr<const generation> settle() {
    const auto stored = std::exchange(generation_, std::make_shared<generation>());
    pending_ = false;
    stored->outcome.emplace();
    try {
      stored->outcome = engine_.commit_gathered();
    } catch (...) {
      stored->thrown = std::current_exception();
    }
    settled_.notify_all();
    return stored;
  }

  [[nodiscard]] bool is_inside() const noexcept { return inside_ == std::this_thread::get_id(); }
  static error inside() {
    return {errc::invalid_argument, "a write from inside a transaction or a callback", "",
            "return first; a callback may hand it to another thread"};
  }

  engine_port& engine_;
  std::mutex mutex_;  // guards all but the two atomics
  std::condition_variable settled_;
  std::atomic<std::size_t> arrived_{0};  // who waits for a turn to write
  std::atomic<std::thread::id> inside_{};
  bool pending_ = false;  // something is gathered
  std::shared_ptr<generation> generation_ = std::make_shared<generation>();
};

}  // namespace joinery::detail
