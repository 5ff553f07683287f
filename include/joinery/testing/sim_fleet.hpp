// sim_fleet: the simulated devices, and what must hold of each after every step.
//
// Purpose: opens stores by programs, follows their logs into the graph of all changesets, and finds
// fault with them. Nothing here decides what happens: simulation.hpp does.
// Invariants, checked by `look_at`: the version is the contiguous prefix of the log, changeset by
// changeset; what a changeset saw is there before it; an origin's stamps increase, and are above
// all that it saw; no dot has two changesets unless its store was put back, cloned, or follows no
// rule; what was durable survives; memory keeps within its caps.
// Thread-safety: none.
#pragma once

#include <set>

#include "joinery/testing/oracle.hpp"
#include "joinery/testing/plan.hpp"
#include "joinery/testing/sim_program.hpp"

namespace joinery::testing {

/// What went wrong in a simulation.
struct broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a store is opened by.
enum class program_kind : std::uint8_t { newer, older, relay };

struct sim_node {
  history::memory_storage disk;
  manual_clock time;
  prng random{0};
  replica_options options;
  program_kind kind{};
  std::unique_ptr<sim_program> program;
  std::vector<history::memory_storage> images;
  std::vector<int> heads;   ///< by number of origin: the last durable event
  std::uint64_t next = 1;   ///< log position to read on from
  std::uint64_t joins = 0;  ///< snapshots joined when it was looked at last
  replica_id self;
  replica_id founder;     ///< under which it began; none when it is a copy
  bool put_back = false;  ///< or a copy
  bool dirty = true;      ///< to be looked at

  [[nodiscard]] sim_engine& engine() const { return program->endpoint(); }
  [[nodiscard]] int head_of(std::size_t origin) const {
    return origin < heads.size() ? heads[origin] : -1;
  }
  void set_head(std::size_t origin, int e) {
    if (origin >= heads.size()) heads.resize(origin + 1, -1);
    heads[origin] = e;
  }
};

template <class Schema, class Older>
class sim_fleet {
 public:
  explicit sim_fleet(const plan& p) : graph(space_named("simulation")), plan_(p) {
    for (std::size_t n = 0; n < p.replicas; ++n) add(history::memory_storage{}, n);
  }

  std::vector<std::unique_ptr<sim_node>> nodes;
  event_graph graph;
  std::uint64_t operations = 0;  ///< committed, and integrated anywhere
  std::uint64_t changesets = 0;
  std::uint64_t renewals = 0;
  std::uint64_t joins = 0;
  std::uint64_t abandoned = 0;  ///< stores that could not go on after they were put back

  [[noreturn]] static void fail(const std::string& what) { throw broken(what); }
  [[nodiscard]] std::string name(const sim_node& n) const {
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i].get() == &n) return "replica " + std::to_string(i);
    return "?";
  }
  void demand_of(const sim_node& n, bool holds, const std::string& what) const {
    if (!holds) fail(name(n) + ": " + what);
  }

  /// One more device: `disk` is empty, or a copy.
  sim_node& add(history::memory_storage disk, std::size_t number) {
    auto n = std::make_unique<sim_node>();
    prng random{plan_.seed * 1000 + number};
    const bool interval = random.chance(30);
    if (number < plan_.replicas)
      disk = history::memory_storage{interval ? history::durability::interval
                                              : history::durability::commit};
    n->disk = std::move(disk);
    n->time.now = 1'700'000'000'000 + random.below(1000);
    n->random = prng{random.next()};
    n->kind = number > 0 && random.chance(15) ? program_kind::relay : program_kind::newer;
    draw_options(*n, random, interval);
    nodes.push_back(std::move(n));
    auto& added = *nodes.back();
    open(added);
    if (number < plan_.replicas) added.founder = added.engine().self();
    return added;
  }

  void open(sim_node& n) {
    n.program.reset();
    n.options.time = &n.time;
    n.options.random = &n.random;
    auto opened =
        n.kind == program_kind::newer   ? typed_program<Schema>::open(n.disk.share(), n.options)
        : n.kind == program_kind::older ? typed_program<Older>::open(n.disk.share(), n.options)
                                        : relay_program::open(n.disk.share(), n.options);
    if (!opened) fail(name(n) + " does not open: " + opened.error().text());
    n.program = std::move(*opened);
    n.dirty = true;
  }
  /// Closes and opens again; `crash` takes back what was not synced, but for `survivors` commits.
  void restart(sim_node& n, bool crash, std::size_t survivors) {
    n.program.reset();
    crash ? n.disk.crash(survivors) : n.disk.reopen();
    open(n);
  }

  /// Reads what is new in the log, and finds fault with it.
  void look_at(sim_node& n) {
    n.dirty = false;
    auto& e = n.engine();
    const bool renewed = !(e.self() == n.self);
    if (renewed) {
      if (!n.self.is_none()) ++renewals;
      n.self = e.self();
    }
    const bool joined = e.joins() != n.joins;
    if (joined && e.joins() > n.joins) joins += e.joins() - n.joins;
    n.joins = e.joins();
    const bool trimmed = e.log_floor().position >= n.next;
    if (renewed || joined || trimmed) {
      register_log(n);
      adopt_heads(n);
    } else {
      follow_log(n);
    }
    compare_heads(n);
    const auto s = e.status();
    demand_of(n, s.held <= n.options.max_held_changesets, "more is held than may be");
    demand_of(n,
              s.memory_bytes <= n.options.cache_bytes + n.options.snapshot_log_bytes * 16 +
                                    n.options.max_held_bytes + (256u << 10),
              "memory outgrows its cap");
  }
  void look_at_all() {
    for (const auto& n : nodes)
      if (n->dirty) look_at(*n);
  }
  /// Whether the changesets of this origin may part: its store was copied, or it keeps no rule.
  void may_fork(const replica_id& id) { forking_.insert(id); }
  [[nodiscard]] bool forks(const replica_id& id) const { return forking_.contains(id); }
  void keeps_no_rule(const replica_id& id) {
    forking_.insert(id);
    lawless_.insert(id);
  }
  [[nodiscard]] bool lawless(const replica_id& id) const { return lawless_.contains(id); }

  [[nodiscard]] bool has_lawless() const { return !lawless_.empty(); }

  /// Takes the heads from the replica itself, after its log was replaced.
  void adopt_heads(sim_node& n) {
    n.heads.assign(n.heads.size(), -1);
    for (const auto& h : n.engine().heads()) {
      if (h.seq == 0) continue;
      int e = graph.find(h.chain);
      // It came with a snapshot from one whose log was not looked at since.
      for (std::size_t i = 0; e < 0 && i < nodes.size(); ++i) {
        register_log(*nodes[i]);
        e = graph.find(h.chain);
      }
      demand_of(n, e >= 0,
                "a head that nobody wrote: " + std::to_string(h.seq) + " of origin " +
                    numbered(h.origin) + ", event " + std::to_string(e) + " not " +
                    std::to_string(n.head_of(graph.number_of(h.origin))));
      n.set_head(graph.number_of(h.origin), e);
    }
    n.next = n.engine().log_end();
  }

  /// As `adopt_heads`, for a store that is another one now.
  void adopt(sim_node& n) {
    n.self = n.engine().self();
    n.joins = n.engine().joins();
    register_log(n);
    adopt_heads(n);
  }
  /// Gives the store up: what only it had goes, and an empty one takes its place.
  void start_anew(sim_node& n, std::set<int>& lost) {
    const auto before = n.heads;
    n.program.reset();
    n.disk = history::memory_storage{n.disk.mode()};
    n.put_back = false;
    open(n);
    adopt(n);
    for (const int e : before) note_lost(n, e, lost);
    ++abandoned;
  }
  [[nodiscard]] static std::vector<replica_id> ids_of(const sim_node& n) {
    auto s = n.engine().status();
    s.former_ids.push_back(s.self);
    return s.former_ids;
  }
  /// What a replica has, in a line.
  [[nodiscard]] std::string versions(const sim_node& n) const {
    auto out = "\n  " + name(n) + " (origin " + numbered(n.self) + "):";
    for (const int head : n.heads) out += ' ' + std::to_string(head < 0 ? 0 : graph.at(head).seq);
    const auto s = n.engine().status();
    return out + ", held " + std::to_string(s.held) + ", forks " + std::to_string(s.forks.size()) +
           ", log from " + std::to_string(s.log_floor) + ", members " +
           std::to_string(s.membership.members);
  }
  [[nodiscard]] std::string numbered(const replica_id& id) const {
    for (std::size_t o = 0; o < graph.ids().size(); ++o)
      if (graph.ids()[o] == id) return std::to_string(o);
    return "?";
  }
  [[nodiscard]] std::string all_versions() const {
    std::string out;
    for (const auto& n : nodes) out += versions(*n);
    return out;
  }
  [[nodiscard]] bool nothing_forks() const { return forking_.empty(); }
  [[nodiscard]] bool still_has(const sim_node& n, int e) const {
    const auto& wanted = graph.at(e);
    return graph.back_to(n.head_of(wanted.origin), wanted.seq) == e;
  }
  /// Of `e` and its predecessors, those that `n` lacks and nobody else has.
  void note_lost(const sim_node& n, int e, std::set<int>& lost) const {
    for (; e >= 0 && !still_has(n, e); e = graph.at(e).before)
      if (std::none_of(nodes.begin(), nodes.end(),
                       [&](const auto& other) { return still_has(*other, e); }))
        lost.insert(e);
  }

  [[nodiscard]] crypto::digest digest(sim_node& n) {
    auto d = n.engine().digest();
    if (!d) fail(name(n) + " gives no digest: " + d.error().text());
    return *d;
  }
  /// Compares the state with the oracle's; gives its digest.
  crypto::digest compare_state(sim_node& n) {
    const auto d = digest(n);
    look_at(n);
    if (n.heads != judged_) {
      const oracle truth{graph, n.heads};
      judged_ = n.heads;
      true_digest_ = crypto::hasher{}.add(truth.canonical()).finish();
      true_conflicts_ = truth.conflicts();
    }
    if (d != true_digest_) fail(difference(n, oracle{graph, n.heads}));
    const auto ledger = n.engine().conflicts();
    if (!ledger) fail(name(n) + ", conflicts: " + ledger.error().text());
    demand_of(n, ledger->size() == true_conflicts_, "the ledger of open conflicts");
    return d;
  }

 private:
  void draw_options(sim_node& n, prng& random, bool interval) const {
    auto& o = n.options;
    o.space = space_named("simulation");
    o.full_retry_ms = 0;
    o.cache_bytes = random.chance(50) ? random.below(600) : random.below(8000);
    o.snapshot_records = 1 + random.below(16);
    o.snapshot_log_bytes = 200 + random.below(4000);
    o.snapshot_step_records = 1 + random.below(8);
    constexpr std::size_t large[] = {0, 16, 64, ~std::size_t{0}};
    o.large_field_bytes = large[random.below(4)];
    // What is dropped before it was looked at would be a changeset that nobody wrote.
    if (random.chance(40))
      o.retain_log_bytes = 10'000 + random.below(4000) + (interval ? 20'000 : 0);
    o.clean_up_records = 1 + random.below(16);
    o.acknowledge_after_ms = 500;
    o.scrub_every_ms = random.chance(50) ? 0 : 10'000;
    o.scrub_step_entries = 8;
    o.max_held_changesets = 200;
    o.max_held_bytes = 64u << 10;
    // Drawn already: half of the logs are packed, in entries of a few changesets or many.
    n.disk.pack_log(o.snapshot_log_bytes % 2 == 0);
    o.log_entry_bytes = 4 * o.snapshot_log_bytes;
    if (interval) o.sync_interval_ms = random.below(200);
  }

  void follow_log(sim_node& n) {
    std::string wrong;
    auto done = n.engine().read_log(
        n.next, [&](std::uint64_t at, const replica_id& id, std::uint64_t seq, bytes_view data) {
          n.next = at + 1;
          wrong = take(n, id, seq, data);
          return wrong.empty();
        });
    if (!wrong.empty()) fail(name(n) + ": " + wrong);
    if (!done) fail(name(n) + ", reading its log: " + done.error().text());
  }
  /// One changeset of a log; gives what is wrong with it.
  std::string take(sim_node& n, const replica_id& id, std::uint64_t seq, bytes_view data) {
    const auto origin = graph.number_of(id);
    const int before = n.head_of(origin);
    if (seq != (before < 0 ? 1 : graph.at(before).seq + 1))
      return "the log has changeset " + std::to_string(seq) + " of origin " +
             std::to_string(origin) + " out of turn, after " +
             std::to_string(before < 0 ? 0 : graph.at(before).seq);
    const auto added = graph.add(before, data);
    if (added.event < 0) return "a changeset in the log that is none";
    const auto& e = graph.at(added.event);
    if (added.forks && !forks(id)) return "two changesets under one dot";
    if (id != n.self && early(n, e)) return "a stamp that is too far ahead was taken in";
    for (std::size_t o = 0; o < e.seen.size(); ++o) {
      const int head = n.head_of(o);
      const auto have = head < 0 ? 0 : graph.at(head).seq;
      if (o != origin && e.seen[o] > have) return "a changeset before one that it saw";
    }
    if (added.fresh) {
      ++changesets;
      if (auto wrong = bad_stamp(n, e); !wrong.empty() && !lawless(id)) return wrong;
    }
    operations += e.ops.size();
    n.set_head(origin, added.event);
    return {};
  }
  /// Whether a peer's changeset should still be held. Only where it was taken in just now: the
  /// clock may have been set back since.
  [[nodiscard]] static bool early(const sim_node& n, const event& e) {
    return n.disk.mode() == history::durability::commit &&
           causal::hlc_ms(e.time) > n.time.now + n.options.max_clock_drift_ms;
  }
  std::string bad_stamp(const sim_node& n, const event& e) const {
    if (e.before >= 0 && graph.at(e.before).time >= e.time) return "an origin's stamps step back";
    for (std::size_t o = 0; o < e.seen.size(); ++o) {
      const int seen = o == e.origin ? -1 : graph.back_to(n.head_of(o), e.seen[o]);
      if (seen >= 0 && graph.at(seen).time >= e.time)
        return "a stamp that is not above what it saw: changeset " + std::to_string(e.seq) +
               " of origin " + std::to_string(e.origin) + " saw " + std::to_string(e.seen[o]) +
               " of origin " + std::to_string(o);
    }
    return {};
  }
  /// After a renewal or a join: whatever in the log is not known yet.
  void register_log(sim_node& n) {
    std::vector<std::pair<history::head, bytes>> log;
    static_cast<void>(
        n.engine().read_log(1, [&](auto, const replica_id& id, auto seq, bytes_view data) {
          log.emplace_back(history::head{id, seq, {}}, data);
          return true;
        }));
    for (const auto& [name, data] : log) {
      const auto chain = n.engine().chain_at(name.origin, name.seq);
      if (!chain || !*chain || graph.find(**chain) >= 0) continue;
      int before = -1;
      if (name.seq > 1) {
        const auto previous = n.engine().chain_at(name.origin, name.seq - 1);
        before = previous && *previous ? graph.find(**previous) : -1;
        if (before < 0) continue;
      }
      const auto added = graph.add(before, data);
      if (added.fresh) ++changesets, operations += graph.at(added.event).ops.size();
    }
  }
  void compare_heads(const sim_node& n) {
    const auto heads = n.engine().heads();
    std::size_t there = 0;
    for (const auto& h : heads) {
      if (h.seq == 0) continue;
      ++there;
      const int e = graph.find(h.chain);
      demand_of(n, e >= 0 && n.head_of(graph.at(e).origin) == e && graph.at(e).seq == h.seq,
                "its version is not what its log has: " + std::to_string(h.seq) + " of origin " +
                    numbered(h.origin) + ", event " + std::to_string(e) + " not " +
                    std::to_string(n.head_of(graph.number_of(h.origin))));
    }
    const auto mine = static_cast<std::size_t>(
        std::count_if(n.heads.begin(), n.heads.end(), [](int e) { return e >= 0; }));
    demand_of(n, mine == there, "its version lacks an origin that its log has");
  }

  std::string difference(sim_node& n, const oracle& truth) const {
    auto& e = n.engine();
    auto out =
        name(n) + " has another state than the oracle; records that differ:" + all_versions();
    std::vector<causal::replica_index> order;
    const auto map = state::canonical_order(e.replicas(), e.seen(), order);
    for (const auto& [where, wanted] : truth.records()) {
      const auto packed = e.record(where.first, where.second);
      const auto got =
          packed ? state::canonical_record(packed->view(), map, e.names()) : packed.error().text();
      if (got != wanted)
        out += "\n  " + where.first + "/" + where.second + ": " + to_hex(got) + ", should be " +
               to_hex(wanted);
    }
    return out;
  }

  const plan& plan_;
  std::vector<int> judged_{-2};  // the heads of which the oracle was asked last, and what it said
  crypto::digest true_digest_;
  std::size_t true_conflicts_ = 0;
  std::set<replica_id> forking_;
  std::set<replica_id> lawless_;
};

}  // namespace joinery::testing
