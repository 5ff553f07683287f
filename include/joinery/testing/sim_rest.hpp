// sim_rest: what must hold when all faults have ended and everybody has met everybody.
//
// Purpose: heals the simulated world, lets it come to rest in a bounded number of rounds, and
// compares.
// Invariants, checked: replicas that know of no fork have equal versions, and equal digests; each
// state is the oracle's; every change that was acknowledged is there, under its own dot or made
// again under a new id; one more session sends no changeset; a crash, and a copy that meets its
// original, change nothing.
// Thread-safety: none.
#pragma once

#include "joinery/testing/sim_meeting.hpp"

namespace joinery::testing {

template <class Schema, class Older>
class sim_rest {
 public:
  using fleet = sim_fleet<Schema, Older>;

  sim_rest(const plan& p, fleet& f, std::set<int>& lost) : plan_(p), fleet_(f), lost_(lost) {}

  void run(std::uint64_t now_ms) {
    now_ = now_ms;
    heal();
    come_to_rest();
    if (plan_.closed && replace_outsiders()) come_to_rest();
    rests_ = true;
    for (const auto& n : fleet_.nodes) digests_.push_back(fleet_.compare_state(*n));
    compare_with_each_other();
    expect_all_changes();
    expect_silence();
    expect_crashes_change_nothing();
    expect_copies_change_nothing();
  }
  [[nodiscard]] std::uint64_t syncs() const noexcept { return syncs_; }
  [[nodiscard]] std::uint64_t forks() const noexcept { return forks_; }
  /// Of each replica's state, at rest.
  [[nodiscard]] const std::vector<crypto::digest>& digests() const noexcept { return digests_; }

 private:
  static constexpr int most_rounds = 12;

  void heal() {
    std::uint64_t latest = 0;
    for (const auto& n : fleet_.nodes) latest = std::max(latest, n->time.now);
    for (std::size_t e = 0; e < fleet_.graph.size(); ++e) {
      const auto& event = fleet_.graph.at(static_cast<int>(e));
      if (!fleet_.lawless(fleet_.graph.ids()[event.origin]))
        latest = std::max(latest, causal::hlc_ms(event.time));
    }
    for (const auto& n : fleet_.nodes) {
      n->disk.clear_faults();
      if (n->disk.poisoned()) fleet_.restart(*n, false, 0);
      n->time.now = latest + 1000;
      must(*n, n->engine().tend(), "tends");
      must(*n, n->engine().flush(), "flushes");
      fleet_.look_at(*n);
    }
  }

  template <class R>
  void must(const sim_node& n, const R& done, const char* what) {
    if (!done) fleet_.fail(fleet_.name(n) + ' ' + what + ": " + done.error().text());
  }
  [[nodiscard]] std::uint64_t known() const {
    std::uint64_t total = 0;
    for (const auto& n : fleet_.nodes) {
      total += n->engine().log_size() + n->engine().forks().size();
      total += n->engine().status().former_ids.size();
      for (const int e : n->heads) total += static_cast<std::uint64_t>(e + 1);
    }
    return total;
  }

  void come_to_rest() {
    for (int round = 0; round < most_rounds; ++round) {
      const auto before = known();
      if (plan_.closed) admit_all();
      for (const auto& n : fleet_.nodes) {
        n->time.now += n->options.acknowledge_after_ms;
        for (int i = 0; i < 4; ++i) must(*n, n->engine().tend(), "tends");
        n->dirty = true;
      }
      for (std::size_t a = 0; a < fleet_.nodes.size(); ++a)
        for (std::size_t b = a + 1; b < fleet_.nodes.size(); ++b) meet(a, b);
      fleet_.look_at_all();
      if (known() == before) return;
    }
    fleet_.fail("there is no rest: after 12 rounds there is still something new");
  }
  /// In a closed space a copy may not write before it is admitted under its new id; when it did,
  /// nobody takes what it wrote, nor what depends on it: it has to start anew.
  bool replace_outsiders() {
    const auto found = std::find_if(fleet_.nodes.begin(), fleet_.nodes.end(),
                                    [](const auto& n) { return n->self == n->founder; });
    const auto& inside = found == fleet_.nodes.end() ? *fleet_.nodes.front() : **found;
    bool any = false;
    for (const auto& n : fleet_.nodes) {
      const int own = n->head_of(fleet_.graph.number_of(n->self));
      if (n->self == n->founder || n.get() == &inside || own < 0 || fleet_.still_has(inside, own))
        continue;
      const auto id = n->self;
      fleet_.start_anew(*n, lost_);
      for (const auto& m : fleet_.nodes)
        if (m != n && m->engine().evict(id)) break;
      any = true;
    }
    return any;
  }
  void admit_all() {
    for (const auto& n : fleet_.nodes) {
      bool tells = true;
      for (const auto& other : fleet_.nodes)
        tells = tells && n->engine().admit(other->engine().self()).has_value();
      if (tells) return;
    }
  }

  std::uint64_t meet(std::size_t a, std::size_t b) {
    const auto met = testing::meet(fleet_, *fleet_.nodes[a], *fleet_.nodes[b], rests_, now_);
    syncs_ += met.syncs;
    if (met.stuck != nullptr && !rests_) fleet_.start_anew(*met.stuck, lost_);
    return met.stuck != nullptr ? 0 : met.sent;
  }

  [[nodiscard]] static bool knows_forks(const sim_node& n) { return !n.engine().forks().empty(); }

  void compare_with_each_other() {
    std::map<std::vector<int>, crypto::digest> by_version;
    std::optional<std::size_t> first;
    const auto forks_in_all = std::count_if(fleet_.nodes.begin(), fleet_.nodes.end(),
                                            [](const auto& n) { return knows_forks(*n); });
    for (std::size_t i = 0; i < fleet_.nodes.size(); ++i) {
      const auto& n = *fleet_.nodes[i];
      auto heads = n.heads;
      while (!heads.empty() && heads.back() < 0) heads.pop_back();
      const auto [at, fresh] = by_version.try_emplace(heads, digests_[i]);
      if (at->second != digests_[i])
        fleet_.fail(fleet_.name(n) + ": equal versions, other digests");
      if (knows_forks(n)) {
        forks_ += n.engine().forks().size();
        continue;
      }
      if (!first) first = i;
      // One that meets only replicas of other branches may have to stay behind.
      if (forks_in_all > 0) continue;
      if (digests_[i] != digests_[*first])
        fleet_.fail(fleet_.name(n) + " and " + fleet_.name(*fleet_.nodes[*first]) +
                    " know of no fork, and differ at rest" + fleet_.all_versions());
    }
    if (forks_ > 0 && fleet_.nothing_forks()) fleet_.fail("a fork of an origin that has none");
  }

  /// What tells a change that was made again under another id from all others.
  static std::string content(const event& e) {
    std::string out = std::to_string(e.time);
    for (const auto& op : e.ops)
      out += '|' + op.table + '/' + op.key + '/' + op.field + '/' + op.delta;
    return out;
  }
  void expect_all_changes() {
    if (forks_ > 0) return;  // what depends on a branch stays with those who have the branch
    const auto& n = *fleet_.nodes.front();
    std::set<std::string> there;
    const auto note_all = [&](int head) {
      for (int e = head; e >= 0; e = fleet_.graph.at(e).before)
        there.insert(content(fleet_.graph.at(e)));
    };
    for (const int head : n.heads) note_all(head);
    for (const int e : lost_) there.insert(content(fleet_.graph.at(e)));  // under whatever id
    std::string missing;
    for (std::size_t i = 0; i < fleet_.graph.size(); ++i) {
      const auto& e = fleet_.graph.at(static_cast<int>(i));
      if (fleet_.still_has(n, static_cast<int>(i)) || lost_.contains(static_cast<int>(i))) continue;
      if (fleet_.lawless(fleet_.graph.ids()[e.origin]) || e.ops.empty()) continue;
      if (!there.contains(content(e)))
        missing += ' ' + std::to_string(e.origin) + '.' + std::to_string(e.seq);
    }
    if (!missing.empty())
      fleet_.fail("acknowledged changesets are nowhere at rest:" + missing + fleet_.all_versions());
  }

  void expect_silence() {
    // What keeps no rule may depend on a branch without saying so; it is offered again and again.
    if (forks_ > 0 && fleet_.has_lawless()) return;
    for (std::size_t a = 0; a < fleet_.nodes.size(); ++a)
      for (std::size_t b = a + 1; b < fleet_.nodes.size(); ++b)
        if (meet(a, b) > 0)
          fleet_.fail("one more session sends changesets: " + fleet_.name(*fleet_.nodes[a]) +
                      " and " + fleet_.name(*fleet_.nodes[b]) + fleet_.all_versions());
    fleet_.look_at_all();
  }
  void expect_crashes_change_nothing() {
    for (std::size_t i = 0; i < fleet_.nodes.size(); ++i) {
      auto& n = *fleet_.nodes[i];
      fleet_.restart(n, true, 0);
      fleet_.look_at(n);
      if (fleet_.digest(n) != digests_[i])
        fleet_.fail(fleet_.name(n) + " is another after one more session and a crash");
    }
  }
  void expect_copies_change_nothing() {
    auto& n = *fleet_.nodes.front();
    if (plan_.closed) return;  // a copy would have to be admitted
    const auto number = fleet_.nodes.size();
    auto& copy = fleet_.add(n.disk.clone(), number);
    fleet_.adopt(copy);
    meet(0, number);
    if (fleet_.digest(*fleet_.nodes.front()) != digests_.front() ||
        fleet_.digest(*fleet_.nodes[number]) != digests_.front())
      fleet_.fail("a backup that was put back changes the state");
    fleet_.nodes.pop_back();
  }

  const plan& plan_;
  fleet& fleet_;
  std::set<int>& lost_;
  std::uint64_t now_ = 0;
  bool rests_ = false;
  std::uint64_t syncs_ = 0;
  std::uint64_t forks_ = 0;
  std::vector<crypto::digest> digests_;
};

}  // namespace joinery::testing
