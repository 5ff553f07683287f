// A few replicas on storages that fail, and the oracle beside them.
//
// Purpose: one random history from one seed: transactions, deliveries in and out of order,
// duplicates, batches, failing storages, crashes, checkpoints at any moment, caches too small for
// anything. What a replica shows is compared with what the oracle makes of the changesets that it
// must have by now.
// Invariants: after each step the version is what causality allows and nothing else; a failed step
// changes nothing.
// Thread-safety: none.
#pragma once

#include <memory>
#include <sstream>

#include "tests/replica/sport_like.hpp"

namespace replica_tests {

/// What went wrong in a history; the message says where.
struct broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class simulation {
 public:
  explicit simulation(std::uint64_t seed, int steps) : dice_(seed) {
    world_.tables = tables_of_app();
    const auto count = 2 + dice_.below(3);
    faults_ = dice_.chance(60);
    keys_ = 1 + static_cast<int>(dice_.below(3));
    for (std::size_t n = 0; n < count; ++n) add_node();
    rank_ids();
    for (int n = 0; n < steps; ++n) step();
    settle();
  }

 private:
  using name = std::pair<int, std::uint64_t>;  // replica, seq

  using reader_type = reader<app>;
  /// A reader, and what it is to show whatever happens to the replica.
  struct kept_reader {
    reader_type reader;
    std::set<int> known;
  };

  struct node {
    memory_storage disk;
    manual_clock time;
    replica_options options;
    std::optional<replica_type> db;
    replica_id id;
    std::vector<kept_reader> readers;
    std::set<int> known;            // events that are integrated
    std::map<name, bytes> waiting;  // given, and not integrated
  };

  void add_node() {
    auto n = std::make_unique<node>();
    const bool interval = dice_.chance(30);
    n->disk = memory_storage{interval ? durability::interval : durability::commit};
    n->time.now = 1'000'000 + dice_.below(1000);
    auto& o = n->options;
    o.space = space_named("simulation");
    o.time = &n->time;
    o.random = &dice_;
    o.full_retry_ms = 0;
    o.max_reader_age_ms = ~std::uint64_t{0};
    if (dice_.chance(80)) {
      o.cache_bytes = dice_.chance(40) ? dice_.below(1500) : dice_.below(8000);
      o.snapshot_records = 1 + dice_.below(4);
      o.snapshot_log_bytes = 1 + dice_.below(2000);
      o.snapshot_step_records = 1 + dice_.below(3);
    }
    // Fields that are taken apart at once, early, or never: nobody must see a difference.
    const std::size_t large[] = {0, 8, 64, ~std::size_t{0}};
    o.large_field_bytes = dice_.pick(large);
    if (interval) o.sync_interval_ms = dice_.below(50);
    nodes_.push_back(std::move(n));
    open(*nodes_.back());
    nodes_.back()->id = nodes_.back()->db->status().self;
  }

  void rank_ids() {
    for (const auto& a : nodes_) {
      int rank = 0;
      for (const auto& b : nodes_) rank += b->id < a->id ? 1 : 0;
      world_.rank_of_id.push_back(rank);
    }
  }

  void open(node& n) {
    auto opened = replica_type::open(n.disk.share(), n.options);
    if (!opened) fail("open: " + opened.error().text());
    n.db = std::move(*opened);
  }

  [[noreturn]] void fail(const std::string& what) {
    std::string story;
    for (const auto& line : story_) story += line + "\n";
    throw broken(what + "\n" + story);
  }
  void demand(bool holds, const std::string& what) {
    if (!holds) fail(what);
  }

  int number_of(const replica_id& id) {
    for (std::size_t n = 0; n < nodes_.size(); ++n)
      if (nodes_[n]->id == id) return static_cast<int>(n);
    fail("an unknown replica");
  }
  std::uint64_t last_seq(const node& n, int replica) const {
    std::uint64_t last = 0;
    for (const int e : n.known)
      if (world_.events.at(e).replica == replica) last = std::max(last, world_.events.at(e).seq);
    return last;
  }
  int event_of(const name& which) const {
    for (const auto& [number, e] : world_.events)
      if (name{e.replica, e.seq} == which) return number;
    return -1;
  }

  // --- One step ---

  void step() {
    auto& n = *dice_.pick(nodes_);
    const auto number = number_of(n.id);
    // Clocks go on, stand still, or are set back.
    if (dice_.chance(70))
      n.time.now += dice_.below(30);
    else if (dice_.chance(20))
      n.time.now -= dice_.below(500);
    const bool fault = faults_ && dice_.chance(15);
    if (fault) {
      const memory_operation ops[] = {memory_operation::put, memory_operation::erase,
                                      memory_operation::commit, memory_operation::sync,
                                      memory_operation::read};
      n.disk.fail_nth(dice_.pick(ops), 1 + dice_.below(6), dice_.chance(50) ? errc::full : errc::io,
                      dice_.chance(50));
    }
    if (dice_.chance(5)) n.disk.rerun_next_write();
    story_.push_back(std::to_string(number) + (fault ? " (fault)" : "") + ": ");
    const auto what = dice_.below(100);
    if (what < 45)
      write(n, number);
    else if (what < 80)
      deliver(n);
    else if (what < 86)
      note(n.db->checkpoint());
    else if (what < 90)
      note(n.db->endpoint().tend());
    else if (what < 94)
      restart(n, false);
    else
      restart(n, true);
    n.disk.clear_faults();
    bool usable = true;
    if (auto probe = n.disk.read([](auto&) { return result<>{}; }); !probe) usable = false;
    if (!usable) restart(n, dice_.chance(50));
    check_version(n);
    if (dice_.chance(15)) check_readings(n);
    if (dice_.chance(15)) n.readers.push_back({n.db->reader().value(), n.known});
    if (!n.readers.empty() && dice_.chance(25)) check_reader(n);
  }

  template <class R>
  void note(const R& r) {
    story_.back() += r ? "ok" : r.error().text();
  }

  void write(node& n, int number) {
    story_.back() += "write";
    oracle::changeset e;
    e.replica = number;
    e.seq = last_seq(n, number) + 1;
    e.seen = n.known;
    const auto [dot, time] = n.db->endpoint().next_own_stamp();
    e.time = time;
    demand(dot.seq == e.seq, "the next sequence number");
    for (const int before : n.known)
      demand(world_.events.at(before).time < time, "a stamp below what was seen");
    demand(time >= causal::hlc_from_ms(n.time.now), "a stamp below the wall clock");
    const auto number_of_event = next_event_++;
    auto known = n.known;
    known.insert(number_of_event);
    world_.events[number_of_event] = e;
    const bool throws = dice_.chance(8);
    auto done = n.db->write([&](tx_type& tx) {
      for (auto left = 1 + dice_.below(5); left > 0; --left) {
        auto o = random_operation(dice_, keys_);
        const bool expected = world_.address(known, o);
        const bool happened = perform(tx, o);
        const bool update = o.what == oracle::verb::update;
        // The erasure of an absent entry is an update that does nothing.
        const auto entry_only = update && !expected && o.change == oracle::deed::erase_entry;
        demand(happened == expected || entry_only, "what the transaction refuses");
        if (expected) world_.events[number_of_event].operations.push_back(o);
        if (dice_.chance(20)) {
          const auto wanted = world_.read(known, o.table, o.key);
          const auto got = read_in(tx, o.table, o.key);
          if (wanted != got) fail("in the transaction:\n" + got + "\nwanted\n" + wanted);
        }
      }
      if (throws) throw failure({errc::invalid_argument, "thrown by the body", "", ""});
    });
    const bool empty = world_.events[number_of_event].operations.empty();
    if (done && !empty && !throws) {
      n.known = known;
      demand(done->has_value() && (*done)->seq == e.seq, "the dot of a commit");
    } else {
      demand(!done || !done->has_value(), "a commit of nothing");
      tentative_ = number_of_event;
    }
    if (!done) story_.back() += " " + done.error().text();
  }

  std::string read_in(tx_type& tx, const std::string& table, int key) {
    const auto text = [](const auto& r) { return r ? show_record(*r) : std::string{"none"}; };
    return table == "athletes" ? text(tx.find<athlete>(key_of(key)))
                               : text(tx.find<entry>(key_of(key)));
  }
  template <class From>
  static std::string read_from(From& from, const std::string& table, int key) {
    const auto text = [](const auto& r) { return r ? show_record(*r) : std::string{"none"}; };
    return table == "athletes" ? text(from.template find<athlete>(key_of(key)))
                               : text(from.template find<entry>(key_of(key)));
  }

  /// All that `n` may show to peers.
  std::vector<std::pair<name, bytes>> log_of(node& n) {
    std::vector<std::pair<name, bytes>> out;
    auto done =
        n.db->endpoint().read_log(1, [&](auto, const auto& origin, auto seq, bytes_view data) {
          out.emplace_back(name{number_of(origin), seq}, data);
          return true;
        });
    if (!done) fail("read_log: " + done.error().text());
    return out;
  }

  void deliver(node& to) {
    auto& from = *dice_.pick(nodes_);
    story_.back() += "from " + std::to_string(number_of(from.id));
    if (&from == &to) return;
    auto log = log_of(from);
    // Everything, some of it, or some of it in any order and twice.
    const auto mood = dice_.below(3);
    if (mood > 0) std::erase_if(log, [&](const auto&) { return dice_.chance(40); });
    if (mood > 1) {
      dice_.shuffle(log);
      if (!log.empty()) log.push_back(log[dice_.below(log.size())]);
    }
    give(to, log);
  }

  void give(node& to, const std::vector<std::pair<name, bytes>>& log) {
    std::vector<bytes_view> batch;
    for (const auto& [which, data] : log) batch.push_back(data);
    const auto before = to.known;
    auto done = to.db->endpoint().ingest(batch);
    note(done);
    if (!done) return;
    std::size_t known = 0;
    for (const auto& [which, data] : log) {
      story_.back() += " " + std::to_string(which.first) + "." + std::to_string(which.second);
      const bool fresh = !to.known.contains(event_of(which)) && !to.waiting.contains(which);
      if (fresh) to.waiting.emplace(which, data);
      known += fresh ? 0 : 1;
    }
    integrate_waiting(to);
    demand(done->integrated == to.known.size() - before.size(), "how many were integrated");
    // One that was held and comes again with what it waited for is no duplicate.
    demand(done->duplicates <= known, "how many were duplicates");
    demand(done->dropped == 0, "a good changeset was dropped");
  }

  void integrate_waiting(node& n) {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto at = n.waiting.begin(); at != n.waiting.end();) {
        const int e = event_of(at->first);
        const auto& seen = world_.events.at(e).seen;
        if (!std::includes(n.known.begin(), n.known.end(), seen.begin(), seen.end())) {
          ++at;
          continue;
        }
        n.known.insert(e);
        at = n.waiting.erase(at);
        moved = true;
      }
    }
  }

  void restart(node& n, bool crash) {
    story_.back() += crash ? " crash" : " restart";
    if (dice_.chance(20)) n.options.large_field_bytes = dice_.below(100);
    std::map<replica_id, std::uint64_t> shown;
    for (const auto& h : n.db->endpoint().heads()) shown[h.origin] = h.seq;
    n.readers.clear();
    n.db.reset();
    if (crash)
      n.disk.crash(dice_.below(4));
    else
      n.disk.reopen();
    open(n);
    adopt(n);
    const auto& engine = n.db->endpoint();
    for (const auto& [id, seq] : shown)
      demand(engine.seen().at(*engine.replicas().find(id)) >= seq, "what was durable is lost");
  }

  /// After a restart: what is there decides, within what a storage may lose or keep.
  void adopt(node& n) {
    const auto self = number_of(n.id);
    const auto& engine = n.db->endpoint();
    std::set<int> known;
    for (const auto& [number, e] : world_.events) {
      const auto r = engine.replicas().find(nodes_[static_cast<std::size_t>(e.replica)]->id);
      if (r && e.seq <= engine.seen().at(*r) && (e.replica != self || candidate(n, number)))
        known.insert(number);
    }
    // Own changesets that were never synced never happened.
    std::vector<int> lost;
    for (const auto& [number, e] : world_.events)
      if (e.replica == self && !known.contains(number)) lost.push_back(number);
    for (const int number : lost) {
      for (const auto& other : nodes_)
        demand(other.get() == &n || !other->known.contains(number), "an unsynced change was shown");
      world_.events.erase(number);
    }
    n.known = known;
    tentative_ = -1;
    n.waiting.clear();
    for (const auto& [which, data] : held_in(n)) n.waiting.emplace(which, data);
    demand(n.db->status().held == n.waiting.size(), "what is held after a restart");
  }
  /// Of two changesets under one own dot, the later one is what a restart may find; the other
  /// failed and did not land.
  bool candidate(const node& n, int number) const {
    const auto& e = world_.events.at(number);
    return n.known.contains(number) || (number == tentative_ && !e.operations.empty());
  }

  std::map<name, bytes> held_in(node& n) {
    std::map<name, bytes> out;
    auto done = n.disk.read([&](auto& view) -> result<> {
      view.scan(area::held, {}, [&](bytes_view, bytes_view value) {
        const auto data = value.substr(8);
        const auto dot = codec::peek_dot(data);
        out.emplace(name{number_of(dot->first), dot->second}, data);
        return true;
      });
      return {};
    });
    done.value();
    return out;
  }

  // --- What must hold ---

  void check_version(node& n) {
    if (tentative_ >= 0) world_.events.erase(tentative_);
    tentative_ = -1;
    const auto& engine = n.db->endpoint();
    for (std::size_t r = 0; r < nodes_.size(); ++r) {
      const auto index = engine.replicas().find(nodes_[r]->id);
      const auto seq = index ? engine.seen().at(*index) : 0;
      demand(seq == last_seq(n, static_cast<int>(r)), "the version after the step");
    }
    demand(n.db->status().held == n.waiting.size(), "the number of held changesets");
    demand(engine.log_size() == n.known.size(), "the length of the log");
  }

  void check_readings(node& n) {
    int conflicts = 0;
    for (const auto& [table, fields] : world_.tables) {
      for (int key = 0; key < keys_; ++key) {
        const auto wanted = world_.read(n.known, table, key);
        const auto got = read_from(*n.db, table, key);
        if (wanted != got)
          fail(table + " " + std::to_string(key) + ":\n" + got + "\nwanted\n" + wanted);
        conflicts += world_.conflicts(n.known, table, key);
      }
    }
    const auto ledger = n.db->conflicts().value();
    demand(ledger.size() == static_cast<std::size_t>(conflicts), "the number of open conflicts");
  }

  /// One of the readers shows what the replica showed when it was made.
  void check_reader(node& n) {
    const auto at = dice_.below(n.readers.size());
    const auto& [reader, known] = n.readers[at];
    demand(reader.log_size() == known.size(), "the length of the log in a reader");
    int conflicts = 0;
    for (const auto& [table, fields] : world_.tables) {
      for (int key = 0; key < keys_; ++key) {
        const auto wanted = world_.read(known, table, key);
        const auto got = read_from(reader, table, key);
        if (wanted != got)
          fail("a reader, " + table + " " + std::to_string(key) + ":\n" + got + "\nwanted\n" +
               wanted);
        conflicts += world_.conflicts(known, table, key);
      }
    }
    demand(reader.conflicts().value().size() == static_cast<std::size_t>(conflicts),
           "the number of open conflicts in a reader");
    if (known == n.known)
      demand(reader.digest().value() == n.db->digest().value(), "the digest of a reader");
    if (dice_.chance(30)) n.readers.erase(n.readers.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void settle() {
    faults_ = false;
    story_.push_back("settling");
    for (const auto& n : nodes_) {
      if (dice_.chance(50)) restart(*n, false);
      n->db->flush().value();
    }
    for (int round = 0; round < 2; ++round)
      for (const auto& to : nodes_)
        for (const auto& from : nodes_)
          if (from != to) {
            from->db->flush().value();
            give(*to, log_of(*from));
          }
    const auto digest = nodes_[0]->db->digest().value();
    for (const auto& n : nodes_) {
      check_version(*n);
      check_readings(*n);
      demand(n->known.size() == world_.events.size() && n->waiting.empty(),
             "not everything arrived");
      demand(n->db->digest().value() == digest, "the digests differ");
      demand(n->db->endpoint().log_size() == world_.events.size(), "one more sync sends something");
    }
    // A replica that gets everything at once and never takes a snapshot.
    memory_storage fresh;
    manual_clock time{2'000'000};
    auto plain =
        replica_type::open(std::move(fresh),
                           {.space = space_named("simulation"), .time = &time, .random = &dice_})
            .value();
    std::vector<bytes_view> batch;
    const auto log = log_of(*dice_.pick(nodes_));
    for (const auto& [which, data] : log) batch.push_back(data);
    plain.endpoint().ingest(batch).value();
    demand(plain.digest().value() == digest, "the digest of a replay of the whole log");
    // And the same stores once more, from their snapshots.
    for (const auto& n : nodes_) {
      if (dice_.chance(50)) n->db->checkpoint().value();
      n->db->flush().value();
      restart(*n, true);
      demand(n->db->digest().value() == digest, "the digest after opening again");
    }
  }

  prng dice_;
  oracle::world world_;
  std::vector<std::unique_ptr<node>> nodes_;
  std::vector<std::string> story_;
  int next_event_ = 0;
  int tentative_ = -1;  // the last changeset that was not committed
  int keys_ = 1;
  bool faults_ = false;
};

}  // namespace replica_tests
