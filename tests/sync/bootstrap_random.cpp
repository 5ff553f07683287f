// Snapshots in the middle of everything: random transfers against the oracle.
#include <catch2/catch.hpp>

#include <sstream>

#include "joinery/transport/pipe.hpp"
#include "tests/replica/sport_like.hpp"

using namespace replica_tests;

namespace {

using engine_type = replica_type::engine_type;
using session_type = sync::session<engine_type>;
using name = std::pair<int, std::uint64_t>;  // replica, seq

// Replicas that write, exchange changesets by hand, forget their logs, and are served snapshots by
// sessions that run a byte or so at a time while all that goes on.
class transfers {
 public:
  struct node {
    memory_storage disk;
    manual_clock time{1'000'000};
    replica_options options;
    std::optional<replica_type> db;
    replica_id id;
    std::set<int> known;
  };

  explicit transfers(std::uint64_t seed) : dice_(seed) {
    world_.tables = tables_of_app();
    for (int n = 0; n < 3; ++n) {
      auto& x = *nodes_.emplace_back(std::make_unique<node>());
      x.options.space = space_named("transfers");
      x.options.time = &x.time;
      x.options.random = &dice_;
      x.options.cache_bytes = dice_.below(3000);
      x.options.snapshot_records = 1 + dice_.below(6);
      x.options.snapshot_step_records = 1 + dice_.below(3);
      // Of its own, so that each seed's history stays what it is.
      prng size{seed * 3 + static_cast<std::uint64_t>(n)};
      x.options.large_field_bytes = size.chance(70) ? size.below(60) : ~std::size_t{0};
      open(x);
      x.id = x.db->status().self;
    }
    for (const auto& a : nodes_) {
      int rank = 0;
      for (const auto& b : nodes_) rank += b->id < a->id ? 1 : 0;
      world_.rank_of_id.push_back(rank);
    }
  }

  void run() {
    for (int n = 0; n < 25; ++n) act();
    give(2, 0);
    if (dice_.chance(70)) forget(0);
    if (dice_.chance(30)) forget(1);
    for (int n = 0; n < 4; ++n) write(static_cast<int>(dice_.below(3)));
    for (int n = 0; n < 12 && !transfer(n > 8); ++n) {}
    check(1);
    if (dice_.chance(50)) reopen(1, true);
    check(1);
    for (int n = 0; n < 5; ++n) write(1);
    check(1);
    for (int n = 0; n < 100; ++n) nodes_[1]->db->endpoint().tend().value();
    check(1);
    REQUIRE(transfer(true));
    // Whoever has all must show the same as one who never was served anything.
    REQUIRE(nodes_[0]->known == nodes_[1]->known);
    REQUIRE(nodes_[0]->db->digest().value() == nodes_[1]->db->digest().value());
    if (nodes_[1]->db->endpoint().joins() > 0) ++joined;
  }

  static inline int joined = 0;

 private:
  void open(node& n) {
    n.db.reset();
    n.db = replica_type::open(n.disk.share(), n.options).value();
  }
  void reopen(int n, bool crash) {
    auto& x = *nodes_[static_cast<std::size_t>(n)];
    x.db.reset();
    if (crash) x.disk.crash();
    open(x);
  }
  void forget(int n) {
    auto& x = *nodes_[static_cast<std::size_t>(n)];
    x.options.retain_log_bytes = 0;
    reopen(n, false);
    x.db->endpoint().acknowledged(x.db->endpoint().heads());
    x.db->checkpoint().value();
    x.options.retain_log_bytes = 1u << 20;
    reopen(n, false);
  }

  int number_of(const replica_id& id) const {
    for (std::size_t n = 0; n < nodes_.size(); ++n)
      if (nodes_[n]->id == id) return static_cast<int>(n);
    return -1;
  }
  int event_of(int replica, std::uint64_t seq) const {
    for (const auto& [number, e] : world_.events)
      if (e.replica == replica && e.seq == seq) return number;
    return -1;
  }

  void write(int number) {
    auto& n = *nodes_[static_cast<std::size_t>(number)];
    n.time.now += dice_.below(3);
    oracle::changeset e;
    e.replica = number;
    const auto [dot, time] = n.db->endpoint().next_own_stamp();
    e.seq = dot.seq;
    e.time = time;
    e.seen = n.known;
    const int event = next_event_++;
    auto known = n.known;
    known.insert(event);
    world_.events[event] = e;
    auto done = n.db->write([&](tx_type& tx) {
      for (auto left = 1 + dice_.below(3); left > 0; --left) {
        auto o = random_operation(dice_, keys);
        const bool expected = world_.address(known, o);
        perform(tx, o);
        if (expected) world_.events[event].operations.push_back(o);
      }
    });
    done.value();
    if (world_.events[event].operations.empty())
      world_.events.erase(event);
    else
      n.known = known;
  }

  // What `from` has in its log, as far as `to` can take it.
  void give(int from, int to) {
    auto& a = *nodes_[static_cast<std::size_t>(from)];
    auto& b = *nodes_[static_cast<std::size_t>(to)];
    std::vector<bytes> log;
    a.db->endpoint()
        .read_log(1,
                  [&](auto, const auto&, auto, bytes_view data) {
                    log.emplace_back(data);
                    return true;
                  })
        .value();
    std::vector<bytes_view> batch(log.begin(), log.end());
    b.db->endpoint().ingest(batch).value();
    learn(to);
  }

  // What a replica knows by now, of the events.
  void learn(int number) {
    auto& n = *nodes_[static_cast<std::size_t>(number)];
    const auto& e = n.db->endpoint();
    for (const auto& [event, c] : world_.events) {
      const auto r = e.replicas().find(nodes_[static_cast<std::size_t>(c.replica)]->id);
      if (r && c.seq <= e.seen().at(*r)) n.known.insert(event);
    }
  }

  void act() {
    const auto n = static_cast<int>(dice_.below(3));
    if (dice_.chance(70))
      write(n);
    else if (dice_.chance(50))
      give(n, (n + 1) % 2);  // not to the third
    else
      nodes_[static_cast<std::size_t>(n)]->db->endpoint().tend().value();
  }

  // A session between the first two; true when it came to its end.
  bool transfer(bool undisturbed) {
    sync::session_options o;
    o.once = true;
    o.batch = 512;
    transport::pipe_options p;
    p.chunk = 1 + dice_.below(300);
    if (!undisturbed && dice_.chance(60)) p.cut_after = dice_.below(6000);
    session_type a{nodes_[0]->db->endpoint(), o, 0};
    session_type b{nodes_[1]->db->endpoint(), o, 0};
    transport::pipe<session_type, session_type> wire{a, b, p};
    a.wake(0);
    b.wake(0);
    int writes = undisturbed ? 0 : 12;
    while (wire.step(0)) {
      if (writes == 0 || !dice_.chance(10)) continue;
      --writes;
      const auto who = static_cast<int>(dice_.below(3));
      learn(0);
      learn(1);
      write(who);
      if (dice_.chance(30)) give(2, 0);
      if (dice_.chance(10)) give(2, 1);
      if (dice_.chance(20)) check(1);
      a.wake(0);
      b.wake(0);
    }
    // What compares digests waits for a while when one of them is late.
    for (std::uint64_t now = 1000; now <= 10'000; now += 1000) {
      a.wake(now);
      b.wake(now);
      wire.run(now);
    }
    learn(0);
    learn(1);
    const bool done =
        a.state() == sync::session_state::finished && b.state() == sync::session_state::finished;
    if (!done && !p.cut_after) {
      for (const auto* s : {&a, &b})
        if (s->failure()) UNSCOPED_INFO(s->failure()->text());
      FAIL("a session that was not cut came to no end");
    }
    check(1);
    return done;
  }

  template <class Record>
  std::string text_of(node& n, int key) {
    const auto r = n.db->find<Record>(key_of(key));
    return r ? show_record(*r) : std::string{"none"};
  }
  void check(int number) {
    learn(number);
    auto& n = *nodes_[static_cast<std::size_t>(number)];
    for (int key = 0; key < keys; ++key) {
      REQUIRE(text_of<athlete>(n, key) == world_.read(n.known, "athletes", key));
      REQUIRE(text_of<entry>(n, key) == world_.read(n.known, "entries", key));
    }
    std::size_t walked = 0;
    n.db->for_each<athlete>([&](bytes_view, const athlete&) { ++walked; });
    std::size_t expected = 0;
    for (int key = 0; key < keys; ++key)
      expected += world_.look(n.known, "athletes", key).alive ? 1 : 0;
    REQUIRE(walked == expected);
  }

  static constexpr int keys = 8;
  prng dice_;
  oracle::world world_;
  std::vector<std::unique_ptr<node>> nodes_;
  int next_event_ = 0;
};

}  // namespace

TEST_CASE("snapshots amid writes, cuts and crashes show what the oracle says") {
  transfers::joined = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    transfers{seed}.run();
  }
  CHECK(transfers::joined > 10);
}
