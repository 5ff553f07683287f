// killed_process: a process that works on a store until one of its own calls kills it.
//
// Purpose: the child's side of the kill tests. It goes into one phase of a replica's life, and dies
// (SIGKILL) with the n-th call of that phase that changes a file or sends to the peer, after some
// of that call's bytes.
// Invariants: only calls made while it is armed count; what is durable is reported before the next
// step begins.
// Thread-safety: none: one thread, in a process of its own.
#pragma once

#include <chrono>

#include "tests/crash/reports.hpp"

namespace crash_tests {

enum class phase : std::uint8_t { open, commit, snapshot, trim, sync, join, serve };

constexpr const char* name_of(phase p) {
  constexpr const char* names[] = {"open", "commit", "snapshot", "trim", "sync", "join", "serve"};
  return names[static_cast<std::size_t>(p)];
}

/// Where the process is to die.
struct kill_plan {
  phase during{};
  durability mode{};
  std::uint64_t seed = 0;
  std::uint64_t call = 1;       ///< the n-th call of the phase
  std::uint64_t per_mille = 0;  ///< how much of its bytes get through
  std::uint64_t now_ms = 0;     ///< by the replica's clock
};

class killer final : public watcher {
 public:
  killer(const kill_plan& plan, const reporter& to) : plan_(plan), to_(to) {}
  bool armed = false;

  verdict judge(const system_call& call) override {
    if (!armed || is_idle(call) || ++calls_ < plan_.call) return {};
    const auto size = call.data.size();
    const auto part = std::min<std::size_t>(size, (size * plan_.per_mille + 999) / 1000);
    auto what = "call " + std::to_string(plan_.call) + ": " + call.name + " of " +
                (call.kind == call_kind::send ? "the session"
                 : call.file.empty()          ? "the directory"
                                              : call.file);
    if (call.kind == call_kind::write || call.kind == call_kind::send)
      what += ", byte " + std::to_string(part) + " of " + std::to_string(size);
    to_.say(report_kind::dying, what);
    return {part, 0, true};
  }
  void done(const system_call&) override {}

 private:
  static bool is_idle(const system_call& call) { return call.kind == call_kind::forget_cached; }

  kill_plan plan_;
  const reporter& to_;
  std::uint64_t calls_ = 0;
};

inline std::uint64_t steady_ms() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(
      duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

inline sync::session_options small_frames() {
  sync::session_options o;
  o.once = true;
  o.verify = false;
  o.batch = 512;
  o.low_water = 1500;
  return o;
}

/// One end of a session over a socket, driven a step at a time.
template <class Engine>
class wired_session {
 public:
  wired_session(Engine& e, int fd) : fd_(fd), session_(e, small_frames(), steady_ms()) {}

  /// Sends what there is, waits a little for an answer, and takes it. False once it is over.
  bool step(int patience_ms) {
    if (!send_all()) return false;
    if (session_.ended()) return false;
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, patience_ms) > 0) receive();
    session_.wake(steady_ms());
    return true;
  }
  void receive() {
    std::array<char, 3000> buffer{};
    const auto n = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n > 0)
      static_cast<void>(
          session_.receive({buffer.data(), static_cast<std::size_t>(n)}, steady_ms()).has_value());
    else if (n == 0 || errno != EAGAIN)
      session_.disconnected();
  }
  bool send_all() {
    for (auto out = session_.take_output(); !out.empty(); out = session_.take_output())
      for (bytes_view left{out}; !left.empty();) {
        const auto n =
            ::send(fd_, left.data(), std::min<std::size_t>(left.size(), 900), MSG_NOSIGNAL);
        if (n <= 0) return session_.disconnected(), false;
        left.remove_prefix(static_cast<std::size_t>(n));
      }
    return true;
  }
  [[nodiscard]] bool ended() const { return session_.ended(); }
  [[nodiscard]] const std::optional<error>& failure() const { return session_.failure(); }

 private:
  int fd_;
  sync::session<Engine> session_;
};

/// The work of a child; gives its exit code when nothing killed it.
class killed_process {
 public:
  killed_process(std::string path, const kill_plan& plan, int pipe, int socket)
      : path_(std::move(path)),
        plan_(plan),
        dice_(plan.seed),
        time_(plan.now_ms),
        reports_(pipe),
        killer_(plan, reports_),
        socket_(socket) {
    watch(&killer_, path_, socket);
  }

  int run() {
    killer_.armed = plan_.during == phase::open;
    open(plan_.during == phase::trim ? ~std::uint64_t{0} : 6000);
    for (int round = 0; round < 12; ++round) {
      switch (plan_.during) {
        case phase::open: open(6000); break;
        case phase::commit: write(6); break;
        case phase::snapshot: snapshot(); break;
        case phase::trim: trim(); break;
        default: return talk();
      }
    }
    return never_reached;
  }
  static constexpr int never_reached = 7, talked = 8;

 private:
  void open(std::uint64_t retained) {
    db_.reset();
    auto options = small_options(time_, dice_);
    options.retain_log_bytes = retained;
    // Snapshots and trimming have phases of their own.
    if (plan_.during == phase::commit || plan_.during == phase::trim)
      options.snapshot_records = options.snapshot_log_bytes = std::size_t{1} << 30;
    db_.emplace(open_on_disk(path_, plan_.mode, options).value());
    reports_.say(report_kind::opened, db_->status().self.view());
    reports_.durable(*db_);
  }
  void write(int changes) {
    for (int n = 0; n < changes; ++n) {
      killer_.armed = plan_.during == phase::commit || plan_.during == phase::open;
      time_.now += 20;
      if (dice_.chance(15))
        edit_draft(*db_).value();
      else
        change(*db_, dice_).value();
      if (dice_.chance(20)) db_->flush().value();
      killer_.armed = false;
      tell();
    }
  }
  void tell() {
    reports_.durable(*db_);
    // What a process wrote is there for the next one, synced or not: only the power could fail.
    reports_.edits(edits(*db_));
  }
  void snapshot() {
    write(8);
    killer_.armed = true;
    db_->checkpoint().value();
    killer_.armed = false;
    tell();
  }
  void trim() {
    write(25);
    db_->checkpoint().value();
    tell();
    open(2000);
    killer_.armed = true;
    db_->checkpoint().value();
    for (int n = 0; n < 4; ++n) db_->tend().value();
    killer_.armed = false;
    tell();
    open(~std::uint64_t{0});
  }
  /// A session with the parent, until the plan is met or both have everything.
  int talk() {
    if (plan_.during != phase::join) write(4);
    db_->flush().value();
    tell();
    // A new device is admitted before it syncs: the parent answers with one byte.
    char go = 0;
    if (::recv(socket_, &go, 1, 0) != 1) return 21;
    killer_.armed = true;
    wired_session wire{db_->endpoint(), socket_};
    while (wire.step(50)) {
      killer_.armed = false;
      tell();
      killer_.armed = true;
    }
    db_->checkpoint().value();
    killer_.armed = false;
    tell();
    return talked;
  }

  std::string path_;
  kill_plan plan_;
  prng dice_;
  manual_clock time_;
  reporter reports_;
  killer killer_;
  int socket_;
  std::optional<disk_replica> db_;
};

}  // namespace crash_tests
