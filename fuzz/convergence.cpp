// Fuzzer of convergence itself.
//
// Strategy: the bytes are decisions: two or three real replicas with two tables of every kind of
// field create, change and delete records, and hand changesets to each other in any order, in part
// and twice, or by sessions that are cut after any byte; storages fail, lose what was not synced,
// and are opened again; logs are trimmed, so that snapshots are served.
// Invariants: after each step a replica's version is the prefix that its log (or a joined snapshot)
// gives, and it never falls but for what was not durable. At the end, after every two have met, all
// have the same version and the same canonical digest, have them still when they are opened again,
// and one more meeting sends nothing. A replica that never had but the changesets says the same.
#include "fuzz/support/input.hpp"
#include "joinery/transport/pipe.hpp"
#include "tests/replica/sport_like.hpp"

namespace fuzz::of_convergence {

using namespace joinery;
using namespace replica_tests;
using engine_type = replica_type::engine_type;
using session_type = sync::session<engine_type>;

constexpr std::size_t most_steps = 60;

/// The input as `random_operation` asks it.
struct dice_of_input {
  input& in;
  std::uint64_t below(std::uint64_t n) { return n < 2 ? 0 : in.u8() % n; }
  bool chance(unsigned percent) { return in.u8() * 100u / 256 < percent; }
};

struct peer_replica {
  memory_storage disk;
  manual_clock time{1'000'000};
  prng random{0};
  replica_options options;
  std::optional<replica_type> db;

  engine_type& e() { return db->endpoint(); }
};

class trial {
 public:
  explicit trial(input& in) : in_(in) {
    const auto count = 2 + in.below(2);
    for (std::size_t n = 0; n < count; ++n) add(n);
    begin_measuring();
    for (std::size_t n = 0; n < most_steps && in.more(); ++n) step();
    settle();
  }

 private:
  void add(std::size_t number) {
    auto& p = *all_.emplace_back(std::make_unique<peer_replica>());
    const auto choice = in_.u8();
    if (choice & 1) p.disk = memory_storage{durability::interval};
    p.random = prng{number + 1};
    p.options.space = space_named("convergence");
    p.options.time = &p.time;
    p.options.random = &p.random;
    p.options.full_retry_ms = 0;
    p.options.sync_interval_ms = choice & 2 ? 0 : 1000;
    constexpr std::size_t caches[] = {64u << 20, 0, 600, 3000};
    constexpr std::size_t large[] = {16u << 10, 0, 8, 64};
    p.options.cache_bytes = caches[choice >> 2 & 3];
    p.options.large_field_bytes = large[choice >> 4 & 3];
    if (choice & 0x40) p.options.snapshot_records = p.options.snapshot_step_records = 2;
    if (choice & 0x80) p.options.retain_log_bytes = 300;
    open(p);
  }
  void open(peer_replica& p) {
    p.db.reset();
    auto opened = replica_type::open(p.disk.share(), p.options);
    demand(opened.has_value(), "a replica that does not open");
    p.db = std::move(*opened);
  }

  // --- One step ---

  void step() {
    auto& p = *all_[in_.below(all_.size())];
    p.time.now += in_.u8() % 32;
    const auto what = in_.below(16);
    const bool fault = what == 15 || in_.chance(16);
    if (fault) arm(p);
    switch (what) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5: write(p); break;
      case 6:
      case 7:
      case 8: hand_over(p); break;
      case 9:
      case 10: meet(p); break;
      case 11: static_cast<void>(p.db->checkpoint().has_value()); break;
      case 12: static_cast<void>(p.e().tend().has_value()); break;
      case 13: again(p, false); break;
      case 14: again(p, true); break;
      default: write(p);
    }
    p.disk.clear_faults();
    if (p.disk.poisoned()) again(p, in_.chance(128));
    check_version(p);
  }

  void arm(peer_replica& p) {
    constexpr memory_operation calls[] = {memory_operation::put, memory_operation::erase,
                                          memory_operation::commit, memory_operation::sync,
                                          memory_operation::read};
    const auto call = in_.pick(calls);
    const auto n = 1 + in_.below(6);
    const auto code = in_.chance(128) ? errc::full : errc::io;
    p.disk.fail_nth(call, n, code, in_.chance(128));
  }

  void write(peer_replica& p) {
    dice_of_input dice{in_};
    static_cast<void>(p.db->write([&](tx_type& tx) {
                            for (auto n = 1 + in_.below(4); n > 0; --n)
                              static_cast<void>(perform(tx, random_operation(dice, 3)));
                          })
                          .has_value());
  }

  peer_replica& another(const peer_replica& than) {
    const auto n = in_.below(all_.size());
    return all_[n].get() == &than ? *all_[(n + 1) % all_.size()] : *all_[n];
  }

  /// Changesets of the other's log by hand: some of them, in an order of the input's, some twice.
  void hand_over(peer_replica& to) {
    auto& from = another(to);
    std::vector<bytes> log;
    static_cast<void>(from.e()
                          .read_log(from.e().log_floor().first(),
                                    [&](auto, const auto&, auto, bytes_view data) {
                                      log.emplace_back(data);
                                      return true;
                                    })
                          .has_value());
    std::vector<bytes_view> batch(log.begin(), log.end());
    for (auto n = in_.below(6); n > 0 && !batch.empty(); --n) {
      const auto at = in_.u8() % batch.size();
      const auto to_where = in_.u8() % batch.size();
      switch (in_.below(3)) {
        case 0: batch.erase(batch.begin() + static_cast<std::ptrdiff_t>(at)); break;
        case 1: batch.push_back(batch[at]); break;
        default: std::swap(batch[at], batch[to_where]);
      }
    }
    static_cast<void>(to.e().ingest(batch).has_value());
  }

  /// A session that may end after any byte.
  void meet(peer_replica& a) {
    auto& b = another(a);
    sync::session_options options;
    options.batch = in_.chance(128) ? 512 : 4096;
    transport::pipe_options wire_options;
    if (in_.chance(160)) wire_options.cut_after = in_.u16() % 6000;
    if (in_.chance(60)) wire_options.chunk = 1 + in_.u8();
    session_type at_a{a.e(), options, 0}, at_b{b.e(), options, 0};
    transport::pipe wire{at_a, at_b, wire_options};
    wire.run(0);
    if (in_.chance(60)) {  // one of them writes while they talk
      write(a);
      at_a.wake(1);
      wire.run(1);
    }
    at_a.disconnected();
    at_b.disconnected();
  }

  void again(peer_replica& p, bool crash) {
    const auto shown = p.e().heads();
    p.db.reset();
    if (crash)
      p.disk.crash(in_.below(4));
    else
      p.disk.reopen();
    open(p);
    for (const auto& h : shown) {
      const auto r = p.e().replicas().find(h.origin);
      demand(r && p.e().seen().at(*r) >= h.seq, "what was durable is lost");
    }
  }

  // --- What must hold ---

  void check_version(peer_replica& p) {
    auto& e = p.e();
    auto version = e.log_floor().version;
    const bool joined = !e.log_floor().joins.empty();
    auto read = e.read_log(e.log_floor().first(),
                           [&](auto, const replica_id& origin, std::uint64_t seq, bytes_view) {
                             const auto r = *e.replicas().find(origin);
                             demand(joined || seq == version.at(r) + 1, "a hole in the log");
                             version.raise({r, seq});
                             return true;
                           });
    demand(read.has_value(), "a log that cannot be read");
    if (p.disk.mode() == durability::commit)
      demand(version == e.seen(), "a version that is not the log's");
  }

  void settle() {
    for (int round = 0; round < 2; ++round)
      for (const auto& a : all_)
        for (const auto& b : all_)
          if (a < b) meet_whole(*a, *b);
    const auto digest = all_[0]->db->digest();
    demand(digest.has_value(), "no digest");
    const auto total = all_[0]->e().seen().total();
    for (const auto& p : all_) {
      check_version(*p);
      demand(p->e().seen().total() == total, "equal replicas with different versions");
      demand(p->db->status().held == 0, "something is held although all is there");
      demand(p->db->digest().value() == *digest, "the digests differ");
    }
    for (const auto& p : all_) {
      again(*p, true);
      demand(p->db->digest().value() == *digest, "another digest after opening again");
    }
    replay(*digest);
    idle();
  }
  void meet_whole(peer_replica& a, peer_replica& b) {
    // A log that is trimmed while it is sent ends the session: the next one begins with a snapshot.
    auto done = transport::sync_once(a.e(), b.e());
    for (int n = 0; n < 3 && !done && done.error().code == errc::gap; ++n)
      done = transport::sync_once(a.e(), b.e());
    if (!done) demand(false, "an honest meeting fails: " + done.error().text());
  }

  /// From a log that reaches back to the beginning, all at once and without a snapshot.
  void replay(const crypto::digest& digest) {
    for (const auto& p : all_) {
      if (p->e().log_floor().position > 0 || !p->e().log_floor().joins.empty()) continue;
      peer_replica fresh;
      fresh.options.space = space_named("convergence");
      fresh.options.time = &fresh.time;
      fresh.time.now += 100'000;
      fresh.options.random = &fresh.random;
      open(fresh);
      std::vector<bytes> log;
      p->e()
          .read_log(1,
                    [&](auto, const auto&, auto, bytes_view data) {
                      log.emplace_back(data);
                      return true;
                    })
          .value();
      const std::vector<bytes_view> batch(log.begin(), log.end());
      fresh.e().ingest(batch).value();
      demand(fresh.db->digest().value() == digest, "a replay of the log gives another state");
    }
  }

  void idle() {
    sync::session_options options;
    session_type a{all_[0]->e(), options, 0}, b{all_[1]->e(), options, 0};
    transport::pipe wire{a, b};
    wire.run(0);
    demand(a.sent() + b.sent() == 0, "replicas in sync send changesets");
  }

  input& in_;
  std::vector<std::unique_ptr<peer_replica>> all_;
};

void run(bytes_view data) {
  input in{data};
  trial{in};
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  prng dice{5};
  for (int n = 0; n < 24; ++n) {
    bytes one(40 + 30 * static_cast<std::size_t>(n), '\0');
    for (auto& c : one) c = static_cast<char>(dice.next());
    out.push_back(one);
  }
  return out;
}

const registration here{{"convergence", run, seeds, {8192, 8u << 20, 1000}}};

}  // namespace fuzz::of_convergence
