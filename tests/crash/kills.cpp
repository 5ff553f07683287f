// Processes that are killed, with SIGKILL, at a random byte of a write or of a frame: in opening,
// commits, snapshots, trimming, sync, and bootstrap at both ends.
//
// The parent has the peer in memory, hears what the child says is durable, and after each kill
// opens the store, compares it with a replay of all changesets, and syncs with it.
//
// Environment: JOINERY_KILLS says how many; `./dev kill` sets it.
#include <catch2/catch.hpp>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

#include "tests/crash/killed_process.hpp"
#include "tests/crash/store_folder.hpp"

using namespace crash_tests;

namespace {

int wanted_kills() {
  const char* const wanted = std::getenv("JOINERY_KILLS");
  if (wanted != nullptr) return std::max(1, std::atoi(wanted));
  return JOINERY_SANITIZED != 0 ? 14 : 42;
}

/// A store that is killed again and again, and the peer that it syncs with.
class world {
 public:
  world(durability mode, std::uint64_t seed, bool bootstraps)
      : mode_(mode), dice_(seed), ids_(seed * 31 + 7) {
    peer_ = open_in_memory(peer_disk_, 6000);
    work_of_peer(30);
    if (!bootstraps) {
      {
        survivor s = reopened();
        peer_->close_membership().value();
        peer_->admit(s.db->status().self).value();
        self_ = s.db->status().self;
        s.meets(*peer_);
      }
      learn();
    } else {
      peer_forgets();
    }
    names_[peer_->status().self] = "P";
    names_[self_] = "A";
  }

  /// Kills once; false when the child came through. `syncs`: it meets its peer afterwards; else the
  /// next child finds what this one left.
  bool kill(int number, phase during, bool syncs = true) {
    kill_plan plan{during,
                   mode_,
                   dice_.next(),
                   1 + dice_.below(calls_of(during)),
                   dice_.chance(20) ? dice_.below(2) * 1000 : dice_.below(1001),
                   time_.now};
    work_of_peer(during == phase::sync ? 5 : 0);
    listener heard;
    const auto status = run(plan, heard);
    time_.now += 10'000;
    INFO("kill " << number << ", " << name_of(during) << ", " << heard.died);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed) {
      REQUIRE(WIFEXITED(status));
      REQUIRE((WEXITSTATUS(status) == killed_process::never_reached ||
               WEXITSTATUS(status) == killed_process::talked));
    }
    recover(number, during, heard, killed, syncs || !killed);
    return killed;
  }

  /// Whether the store has what the peer had when it was new: it can serve others then.
  [[nodiscard]] bool joined() const { return joined_; }
  [[nodiscard]] std::size_t changesets() const { return all_.size(); }

 private:
  static std::uint64_t calls_of(phase p) {
    constexpr std::uint64_t most[] = {14, 60, 40, 24, 60, 90, 45};
    return most[static_cast<std::size_t>(p)];
  }

  std::optional<memory_replica> open_in_memory(memory_storage& disk, std::uint64_t retained) {
    auto options = small_options(time_, ids_);
    options.retain_log_bytes = retained;
    return memory_replica::open(disk.share(), options).value();
  }
  survivor reopened() {
    survivor s{folder_.path(), mode_, dice_.next(), time_.now};
    s.open();
    return s;
  }
  void learn() { learned_ = all_.learn(*peer_, learned_); }
  void work_of_peer(int changes) {
    for (int n = 0; n < changes; ++n) {
      time_.now += 10;
      change(*peer_, dice_).value();
      learn();
    }
  }
  void peer_forgets() {
    learn();
    peer_.reset();
    peer_ = open_in_memory(peer_disk_, 0);
    peer_->checkpoint().value();
    peer_.reset();
    peer_ = open_in_memory(peer_disk_, 6000);
    learn();
  }

  /// Forks a child with `plan`, and is its peer until it ends; gives how it ended.
  int run(const kill_plan& plan, listener& heard) {
    int reports[2], wire[2];
    REQUIRE(::pipe(reports) == 0);
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, wire) == 0);
    std::fflush(stdout);
    const auto child = ::fork();
    if (child == 0) {
      ::close(reports[0]);
      ::close(wire[0]);
      int code = 99;
      try {
        code = killed_process(folder_.path(), plan, reports[1], wire[1]).run();
      } catch (...) {}
      ::_exit(code);
    }
    ::close(reports[1]);
    ::close(wire[1]);
    if (plan.during == phase::serve) {
      // A new device, which the child's log does not reach.
      memory_storage disk;
      auto fresh = open_in_memory(disk, 6000);
      converse(*fresh, true, wire[0], reports[0], heard);
      served_ = version_of(*fresh);
    } else {
      const bool talks = plan.during == phase::sync || plan.during == phase::join;
      converse(*peer_, talks, wire[0], reports[0], heard);
    }
    ::close(reports[0]);
    ::close(wire[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }

  /// Hears reports and, once the child has opened, keeps up a session with it.
  template <class Db>
  static void converse(Db& with, bool talking, int wire, int reports, listener& heard) {
    std::optional<wired_session<typename Db::engine_type>> session;
    for (bool living = true; living;) {
      pollfd waiting[2] = {{reports, POLLIN, 0}, {talking ? wire : -1, POLLIN, 0}};
      if (::poll(waiting, 2, 20) < 0) continue;
      if (waiting[0].revents != 0) living = heard.hear(reports);
      if (talking && !session && !heard.promised.self.is_none()) {
        const char go = 1;
        if (::send(wire, &go, 1, MSG_NOSIGNAL) != 1) talking = false;
        session.emplace(with.endpoint(), wire);
      }
      if (!session || !talking) continue;
      talking = session->step(0);
    }
    for (int n = 0; talking && session && n < 1000; ++n) talking = session->step(0);
  }

  void recover(int number, phase during, listener& heard, bool killed, bool syncs) {
    for (const auto& data : heard.changesets) all_.add(data);
    learn();
    auto& p = heard.promised;
    if (!self_.is_none()) {
      CHECK((p.self.is_none() || p.self == self_));
      p.self = self_;
    }
    const auto has = united(version_of(*peer_), served_);
    if (!p.self.is_none() && has.contains(p.self)) p.told[p.self] = has.at(p.self);
    const auto& e = peer_->endpoint();
    if (const auto own = e.replicas().find(e.self()))
      p.told[e.self()] = e.log_floor().acknowledged.at(*own);
    p.durable = united(p.durable, promised_);
    p.edits = std::max(p.edits, edits_);

    auto s = reopened();
    self_ = s.db->status().self;
    names_[self_] = "A";
    const auto after = version_of(*s.db);
    if (killed)
      std::printf("kill %3d  %-8s %s; acknowledged %s, there %s\n", number, name_of(during),
                  heard.died.c_str(), show(p.durable, names_).c_str(), show(after, names_).c_str());
    s.keeps(p, all_);
    s.finishes();
    edits_ = edits(*s.db);
    promised_ = version_of(*s.db);
    if (!syncs) return;
    s.meets(*peer_);
    learn();
    all_.learn(*s.db, s.db->endpoint().log_floor().first());
    s.is_sound(all_);
    promised_ = version_of(*s.db);
    joined_ = true;
  }

  durability mode_;
  prng dice_, ids_;
  manual_clock time_{1'000'000};
  store_folder folder_;
  memory_storage peer_disk_;
  std::optional<memory_replica> peer_;
  archive all_;
  std::uint64_t learned_ = 1;
  replica_id self_;
  std::map<replica_id, std::string> names_;
  versions promised_, served_;
  std::int64_t edits_ = 0;
  bool joined_ = false;
};

class campaign {
 public:
  explicit campaign(int wanted) : wanted_(wanted) {}

  void run() {
    while (kills_ < wanted_) {
      in_one_that_lasts();
      in_a_new_one();
    }
    std::printf("%d kills:", kills_);
    for (const auto& [during, n] : by_phase_) std::printf(" %s %d", name_of(during), n);
    std::printf("; %d came through\n", through_);
  }

 private:
  void in_one_that_lasts() {
    constexpr phase phases[] = {phase::open,     phase::commit, phase::commit, phase::snapshot,
                                phase::snapshot, phase::trim,   phase::trim,   phase::sync,
                                phase::sync,     phase::sync};
    if (!lasting_ || lasting_->changesets() > 700)
      lasting_ = std::make_unique<world>(next_mode(), ++seed_, false);
    for (int n = 0; n < 5; ++n) once(*lasting_, dice_.pick(phases));
  }
  /// A device that joins, and serves others then.
  void in_a_new_one() {
    world w{next_mode(), ++seed_, true};
    for (int n = 0; n < 6 && !w.joined(); ++n) once(w, phase::join, dice_.chance(40));
    for (int n = 0; n < 2 && w.joined(); ++n) once(w, phase::serve);
  }
  void once(world& w, phase during, bool syncs = true) {
    if (kills_ == wanted_) return;
    if (w.kill(kills_ + 1, during, syncs))
      ++kills_, ++by_phase_[during];
    else
      ++through_;
  }
  durability next_mode() { return ++modes_ % 2 == 0 ? durability::interval : durability::commit; }

  int wanted_, kills_ = 0, through_ = 0;
  unsigned modes_ = 0;
  std::uint64_t seed_ = 100;
  prng dice_{9};
  std::unique_ptr<world> lasting_;
  std::map<phase, int> by_phase_;
};

}  // namespace

TEST_CASE("a process that is killed at any byte of any call has lost nothing, and sync goes on") {
  campaign{wanted_kills()}.run();
}
