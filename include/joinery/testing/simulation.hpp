// simulation: one plan, carried out on real replicas.
//
// Purpose: the whole engine (schema, state, log, snapshots, sessions) on devices that crash, run
// full, are cut off, set back, copied and lied to, in one thread and from one seed; after every
// step, and when all has come to rest, it is compared with what must hold.
// Invariants: the same plan does the same to the byte, on every compiler. `run` throws `broken`
// when something does not hold.
// Thread-safety: none.
#pragma once

#include "joinery/testing/byzantine.hpp"
#include "joinery/testing/sim_rest.hpp"

namespace joinery::testing {

/// What simulations did.
struct sim_totals {
  std::uint64_t seeds = 0;
  std::uint64_t steps = 0;
  std::uint64_t operations = 0;  ///< committed, and integrated on some replica
  std::uint64_t changesets = 0;
  std::uint64_t syncs = 0;  ///< sessions that came to be in sync
  std::uint64_t renewals = 0;
  std::uint64_t joins = 0;      ///< of snapshots
  std::uint64_t forks = 0;      ///< reported, at rest
  std::uint64_t abandoned = 0;  ///< stores that could not go on after they were put back
  std::array<std::uint64_t, action_count> actions{};
  std::uint64_t trace = 0;  ///< of everything that happened

  void add(const sim_totals& t) {
    seeds += t.seeds, steps += t.steps, operations += t.operations, changesets += t.changesets;
    syncs += t.syncs, renewals += t.renewals, joins += t.joins, forks += t.forks;
    abandoned += t.abandoned;
    for (std::size_t i = 0; i < action_count; ++i) actions[i] += t.actions[i];
    trace = trace * 0x9E3779B97F4A7C15ull + t.trace;
  }
};

template <class Schema, class Older = Schema>
class simulation {
 public:
  explicit simulation(const plan& p) : plan_(p), fleet_(p), liar_(fleet_, p.seed) {}

  sim_totals run() {
    if (plan_.closed) close();
    for (at_ = 0; at_ < plan_.steps.size(); ++at_) step(plan_.steps[at_]);
    links_.clear();
    blocked_.clear();
    sim_rest<Schema, Older> rest{plan_, fleet_, lost_};
    rest.run(now_);
    totals_.syncs += rest.syncs();
    totals_.forks = rest.forks();
    for (const auto& d : rest.digests()) note(first_word(d));
    totals_.seeds = 1;
    totals_.steps = plan_.steps.size();
    totals_.operations = fleet_.operations;
    totals_.changesets = fleet_.changesets;
    totals_.renewals = fleet_.renewals;
    totals_.joins = fleet_.joins;
    totals_.abandoned = fleet_.abandoned;
    return totals_;
  }
  /// The number of the step under way, for messages.
  [[nodiscard]] std::size_t at() const noexcept { return at_; }

 private:
  using link = sim_link<sim_engine>;
  using pair = std::pair<std::size_t, std::size_t>;

  static constexpr std::size_t most_replicas = 8;

  void note(std::uint64_t word) { totals_.trace = (totals_.trace ^ word) * 0x100000001B3ull; }
  static std::uint64_t first_word(const crypto::digest& d) {
    std::uint64_t word = 0;
    for (int i = 0; i < 8; ++i) word = word << 8 | d.data[static_cast<std::size_t>(i)];
    return word;
  }
  template <class R>
  void outcome(const R& r) {
    note(r ? 0 : static_cast<std::uint64_t>(r.error().code));
  }
  [[nodiscard]] std::size_t number(std::uint8_t n) const { return n % fleet_.nodes.size(); }

  void step(const plan_step& s) {
    now_ += s.dice % 20;
    for (const auto& n : fleet_.nodes) n->time.now += s.dice % 20;
    const auto a = number(s.a);
    auto b = number(s.b);
    if (a == b) b = (b + 1) % fleet_.nodes.size();
    auto& n = *fleet_.nodes[a];
    n.dirty = true;
    prng dice{s.dice};
    ++totals_.actions[static_cast<std::size_t>(s.what)];
    note(static_cast<std::uint64_t>(s.what));
    act(s.what, n, a, b, dice);
    for (std::size_t i = 0; i < fleet_.nodes.size(); ++i)
      if (fleet_.nodes[i]->disk.poisoned()) restart(i, dice.chance(70), dice);
    fleet_.look_at_all();
    note(n.next);
  }

  void act(action what, sim_node& n, std::size_t a, std::size_t b, prng& dice) {
    switch (what) {
      case action::write: return write(n, dice);
      case action::carry: return carry(a, b, dice);
      case action::hand_over: return hand_over(n, *fleet_.nodes[b], dice);
      case action::tend: return outcome(n.engine().tend());
      case action::checkpoint: return outcome(n.engine().checkpoint());
      case action::read: return read(n);
      case action::restart: return restart(a, false, dice);
      case action::crash: return crash(n, a, dice);
      case action::sync_fails: return fail_sync(n, dice);
      case action::disk_full: return fill_disk(n, dice);
      case action::cut: links_.erase(ordered(a, b)); return;
      case action::damage: return damage(a, b, dice);
      case action::partition: return part(a, b, dice);
      case action::heal: blocked_.clear(); return;
      case action::hour: return set_clock(n, 3'600'000, dice);
      case action::year: return set_clock(n, 31'536'000'000, dice);
      case action::image: return keep_image(n);
      case action::put_back: return put_back(n, a, dice);
      case action::clone: return clone(n);
      case action::upgrade: return upgrade(n, a, dice);
      case action::admit: return admit(n);
      case action::byzantine: return liar_.act(n, dice);
    }
  }

  // --- What replicas do ---

  /// Whoever has written is a founder; relays are admitted.
  void close() {
    auto& first = *fleet_.nodes.front();
    prng dice{plan_.seed};
    for (const auto& n : fleet_.nodes) write(*n, dice);
    meet_all();
    if (auto done = first.engine().close_membership(); !done)
      fleet_.fail("close_membership: " + done.error().text());
    admit(first);
    meet_all();
  }
  void meet_all() {
    auto& first = *fleet_.nodes.front();
    for (int round = 0; round < 2; ++round)
      for (const auto& n : fleet_.nodes)
        if (n.get() != &first) meet(fleet_, first, *n, false, now_);
    fleet_.look_at_all();
  }
  void write(sim_node& n, prng& dice) {
    const auto count = 1 + static_cast<std::size_t>(dice.below(dice.chance(5) ? 60 : 8));
    try {
      const auto done = n.program->write(dice, plan_.keys, count);
      outcome(done);
      // After it took a new id, what its log could not tell has to come from others.
      const bool waits = !done && n.put_back && done.error().code == errc::quarantined;
      if (!done && !excused(done.error()) && !waits)
        fleet_.fail(fleet_.name(n) + " writes: " + done.error().text());
    } catch (const misread& wrong) {
      fleet_.fail(fleet_.name(n) + " reads what it did not write: " + wrong.what());
    }
  }
  /// Whether an error has its cause in what was done to a device.
  [[nodiscard]] bool excused(const error& e) const {
    switch (e.code) {
      case errc::io:
      case errc::full:
      case errc::poisoned: return true;
      case errc::not_admitted:
      case errc::not_a_member: return plan_.closed;
      case errc::clock_drift: return totals_.actions[static_cast<std::size_t>(action::year)] > 0;
      default: return false;
    }
  }
  void read(sim_node& n) {
    if (n.disk.has_faults()) return;
    if (n.put_back && n.engine().status().damaged > 0) return;  // what only others know is missing
    fleet_.look_at_all();  // whatever it may have got from others is known then
    fleet_.compare_state(n);
  }

  static pair ordered(std::size_t a, std::size_t b) { return std::minmax(a, b); }
  void carry(std::size_t a, std::size_t b, prng& dice) {
    const auto ends = ordered(a, b);
    auto& x = *fleet_.nodes[ends.first];
    auto& y = *fleet_.nodes[ends.second];
    auto at = links_.find(ends);
    if (at == links_.end() || at->second->ended()) {
      if (at != links_.end()) links_.erase(at);
      sync::session_options o;
      o.once = dice.chance(30);
      o.verify = dice.chance(25);  // each costs a walk over everything; at rest all is compared
      o.batch = 512 + dice.below(4000);
      o.verify_every_ms = 5'000;
      o.durable_patience_ms = 500;
      o.verify_patience_ms = 500;
      at = links_.emplace(ends, std::make_unique<link>(x.engine(), y.engine(), o, now_)).first;
    }
    auto& l = *at->second;
    const bool to_a = !blocked_.contains({ends.second, ends.first});
    const bool to_b = !blocked_.contains(ends);
    l.carry(dice, 1 + static_cast<std::size_t>(dice.below(40)), 4000, to_a, to_b, now_);
    x.dirty = y.dirty = true;
    totals_.syncs += l.in_sync_events();
    if (const auto why = l.failure()) judge(*why, x, y);
  }
  /// A session that failed for no reason that it may have.
  void judge(const error& why, const sim_node& x, const sim_node& y) {
    note(static_cast<std::uint64_t>(why.code));
    if (why.code == errc::diverged)
      fleet_.fail(fleet_.name(x) + " and " + fleet_.name(y) + " diverged: " + why.text());
  }
  void damage(std::size_t a, std::size_t b, prng& dice) {
    if (const auto at = links_.find(ordered(a, b)); at != links_.end()) at->second->damage(dice);
  }
  void part(std::size_t a, std::size_t b, prng& dice) {
    blocked_.insert({a, b});
    if (dice.chance(50)) blocked_.insert({b, a});
  }

  /// What a has goes to b by another way than a session: a broker, a file on a stick.
  void hand_over(sim_node& from, sim_node& to, prng& dice) {
    std::vector<bytes> taken;
    const auto end = from.engine().log_end();
    const auto start = end > 20 ? end - dice.below(20) : 1;
    static_cast<void>(from.engine().read_log(start, [&](auto, const auto&, auto, bytes_view data) {
      if (!dice.chance(plan_.loss)) taken.emplace_back(data);
      if (dice.chance(plan_.duplication)) taken.emplace_back(data);
      return taken.size() < 40;
    }));
    if (dice.chance(50)) dice.shuffle(taken);
    const std::vector<bytes_view> batch(taken.begin(), taken.end());
    const auto done = to.engine().ingest(batch);
    outcome(done);
    to.dirty = true;
    if (done || excused(done.error())) return;
    // Without a session nobody looks first whether the origins' histories are the same.
    const bool parts = done.error().code == errc::fork || done.error().code == errc::malformed;
    if (parts && !fleet_.nothing_forks()) return;
    fleet_.fail(fleet_.name(to) + " takes from a log: " + done.error().text());
  }

  // --- What is done to replicas ---

  void drop_links(std::size_t n) {
    std::erase_if(links_, [&](const auto& l) { return l.first.first == n || l.first.second == n; });
  }
  void restart(std::size_t a, bool crashes, prng& dice) {
    auto& n = *fleet_.nodes[a];
    drop_links(a);
    const auto before = n.heads;
    const auto self = n.self;
    const bool renewed = !(n.engine().self() == self);
    const auto unsynced = n.disk.unsynced_commits();
    // A process that ended well leaves behind all that waits for its predecessors.
    const bool ends_well = !crashes && !n.disk.poisoned();
    const auto held = n.engine().status().held;
    fleet_.restart(n, crashes, static_cast<std::size_t>(dice.below(unsynced + 1)));
    fleet_.look_at(n);
    if (ends_well && n.engine().status().held != held)
      fleet_.fail(fleet_.name(n) + " lost what was held");
    for (std::size_t o = 0; o < before.size(); ++o) {
      // What a new id was taken for stands under that now.
      const bool own = renewed && fleet_.graph.ids()[o] == self;
      if (before[o] >= 0 && !own && !fleet_.still_has(n, before[o]))
        fleet_.fail(fleet_.name(n) + " lost what was durable");
    }
  }
  void crash(sim_node& n, std::size_t a, prng& dice) {
    if (dice.chance(80)) {                 // within a commit, which lands or does not
      const auto nth = 1 + dice.below(2);  // draws have an order, arguments have none
      n.disk.fail_nth(history::memory_operation::commit, nth, errc::io, dice.chance(50));
      write(n, dice);
    }
    restart(a, true, dice);
  }
  void fail_sync(sim_node& n, prng& dice) {
    using history::memory_operation;
    const auto what = dice.chance(50) ? memory_operation::commit : memory_operation::sync;
    const auto nth = 1 + dice.below(3);
    n.disk.fail_nth(what, nth, errc::io, dice.chance(50));
  }
  void fill_disk(sim_node& n, prng& dice) {
    using history::memory_operation;
    const auto what = dice.chance(50) ? memory_operation::put : memory_operation::commit;
    n.disk.fail_nth(what, 1 + dice.below(6), errc::full);
  }
  void set_clock(sim_node& n, std::uint64_t most, prng& dice) {
    const auto by = dice.below(most);
    dice.chance(50) ? n.time.now += by : n.time.now -= by;
  }
  void keep_image(sim_node& n) {
    if (n.images.size() < 4) n.images.push_back(n.disk.clone());
  }
  void put_back(sim_node& n, std::size_t a, prng& dice) {
    if (n.images.empty()) return;
    drop_links(a);
    const auto& image = dice.pick(n.images);
    for (const auto& id : fleet_.ids_of(n)) fleet_.may_fork(id);
    const auto before = n.heads;
    n.program.reset();
    n.disk.put_back(image);
    n.put_back = true;
    fleet_.open(n);
    fleet_.adopt(n);
    for (const int e : before) fleet_.note_lost(n, e, lost_);
  }
  void clone(sim_node& n) {
    if (fleet_.nodes.size() >= most_replicas) return;
    for (const auto& id : fleet_.ids_of(n)) fleet_.may_fork(id);
    auto& copy = fleet_.add(n.disk.clone(), fleet_.nodes.size());
    copy.kind = n.kind;
    copy.put_back = n.put_back = true;
    fleet_.open(copy);
    fleet_.adopt(copy);
  }
  void upgrade(sim_node& n, std::size_t a, prng& dice) {
    n.kind = static_cast<program_kind>(dice.below(3));
    restart(a, false, dice);
  }
  void admit(sim_node& n) {
    for (const auto& other : fleet_.nodes) {
      const auto done = n.engine().admit(other->engine().self());
      outcome(done);
    }
  }

  const plan& plan_;
  sim_fleet<Schema, Older> fleet_;
  byzantine<Schema, Older> liar_;
  std::map<pair, std::unique_ptr<link>> links_;
  std::set<pair> blocked_;  // (from, to)
  std::set<int> lost_;      // events that went with a store that was put back
  std::uint64_t now_ = 1000;
  std::size_t at_ = 0;
  sim_totals totals_;
};

}  // namespace joinery::testing
