// Every small history through whole engines: each order of delivery, and each snapshot joined.
//
// A history is a few changesets of up to three replicas, each of which has integrated any causally
// closed set of the earlier ones and creates, updates or erases a record. Each is written by
// engines that take in what they saw, and then
// - given to another engine in every order, those included in which changesets come too early and
//   are held;
// - for every two causally closed sets, of which one or the other has the newest changeset: an
//   engine with the one is joined with a snapshot of the other's, and is given all the rest.
// Wherever two engines have the same version they must have the same digest, and the record and its
// conflicts must read as the oracle reads. Ids, and the numbers under which an engine has the other
// replicas, differ from one engine to the next.
//
// Of the ways to write one history down, only the one is tried that always takes the lowest replica
// that can write next (tests/crdt/enumeration.hpp).
#include <chrono>
#include <cstdio>

#include <catch2/catch.hpp>

#include "tests/replica/engine_under_test.hpp"

namespace {

using namespace replica_tests;
using subset = unsigned;  ///< a bit for each changeset

class enumeration {
 public:
  std::uint64_t histories = 0, deliveries = 0, readings = 0, applied = 0, joined = 0;
  std::string wrong;

  explicit enumeration(const setting& s) : set_(s) {
    world_.tables = {{"t", s.fields}};
    std::vector<replica_id> ids;
    for (std::uint64_t r = 0; r < replicas; ++r)
      ids.push_back(engine_under_test{seed_of(r), s}.e->self());
    for (const auto& id : ids)
      world_.rank_of_id.push_back(static_cast<int>(
          std::count_if(ids.begin(), ids.end(), [&](const auto& other) { return other < id; })));
    reached_[0] = at(0).digest();
    extend();
  }

 private:
  static constexpr std::size_t replicas = 3;
  static std::uint64_t seed_of(std::size_t r) { return 11 + r; }

  struct change {
    std::size_t by = 0;
    subset seen = 0;
    bytes data{};
  };

  // --- Writing ---

  [[nodiscard]] bool closed(subset s) const {
    for (std::size_t i = 0; i < changes_.size(); ++i)
      if ((s >> i & 1) && (changes_[i].seen & ~s)) return false;
    return true;
  }
  /// Of what has arrived, that which can be integrated.
  [[nodiscard]] subset integrated(subset arrived) const {
    for (std::size_t i = 0; i < changes_.size(); ++i)  // in an order that respects causality
      if ((arrived >> i & 1) && (changes_[i].seen & ~arrived)) arrived &= ~(1u << i);
    return arrived;
  }
  static std::set<int> events_in(subset s) {
    std::set<int> out;
    for (int i = 0; s >> i; ++i)
      if (s >> i & 1) out.insert(i);
    return out;
  }

  void extend() {
    const auto n = changes_.size();
    if (n == set_.changesets) return;
    for (std::size_t r = 0; r < replicas; ++r)
      for (subset seen = 0; seen < 1u << n; ++seen) {
        if (!closed(seen) || !may_follow(r, seen)) continue;
        for (const auto& word : set_.words) {
          write(r, seen, word);
          if (!wrong.empty()) return;
        }
      }
  }
  [[nodiscard]] bool may_follow(std::size_t r, subset seen) const {
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if (changes_[i].by == r && (seen >> i & 1) == 0) return false;
      if (changes_[i].by > r && seen >> i == 0) return false;
    }
    return true;
  }

  void write(std::size_t r, subset seen, oracle::operation o) {
    const auto n = changes_.size();
    const auto number = static_cast<int>(n);
    auto known = events_in(seen);
    auto& event = world_.events[number];
    event = {static_cast<int>(r), 0, 0, known, {}};
    known.insert(number);
    if (o.field == 1 && o.change == oracle::deed::set) o.x = number + 1;  // values differ
    if (world_.address(known, o)) {
      event.operations.push_back(o);
      changes_.push_back({r, seen, {}});
      changes_.back().data = written_by(r, event.time);
      try_history();
      changes_.pop_back();
    }
    world_.events.erase(number);
  }

  /// The newest changeset, by an engine that writes all that its replica wrote, having taken in
  /// what each of these had seen.
  bytes written_by(std::size_t r, std::uint64_t& time) {
    engine_under_test writer{seed_of(r), set_};
    bytes data;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const auto& c = changes_[i];
      if (c.by != r) continue;
      for (std::size_t j = 0; j < i; ++j)
        if ((c.seen >> j & 1) && changes_[j].by != r) writer.take(changes_[j].data);
      time = writer.e->next_own_stamp().second;
      data = writer.commit(world_.events.at(static_cast<int>(i)).operations.front(), set_.fields);
      if (i + 1 < changes_.size() && data != c.data) fail("a replica writes other bytes again", 0);
    }
    return data;
  }

  // --- Comparing ---

  void try_history() {
    const auto n = changes_.size();
    ++histories;
    deliver_in_every_order();
    for (subset s = 0; s < 1u << n && wrong.empty(); ++s)
      for (subset t = 0; t < 1u << n && wrong.empty(); ++t)
        if (closed(s) && closed(t) && ((s | t) >> (n - 1) & 1)) join(s, t);
    if (wrong.empty()) extend();
    for (subset s = 1u << (n - 1); s < 1u << n; ++s) {
      reached_[s].clear();
      servers_[s].reset();
    }
  }

  void deliver_in_every_order() {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < changes_.size(); ++i) order.push_back(i);
    do {
      ++deliveries;
      engine_under_test receiver{100 + deliveries, set_};
      subset arrived = 0;
      for (const auto i : order) {
        receiver.take(changes_[i].data);
        arrived |= 1u << i;
        ++applied;
        expect(receiver, integrated(arrived), "delivery");
      }
    } while (wrong.empty() && std::next_permutation(order.begin(), order.end()));
  }

  /// An engine that was given `s`.
  engine_under_test& at(subset s) {
    if (!servers_[s]) {
      servers_[s] = std::make_unique<engine_under_test>(7, set_);
      give(*servers_[s], s);
    }
    return *servers_[s];
  }
  void give(engine_under_test& to, subset s) {
    for (std::size_t i = 0; i < changes_.size(); ++i)
      if (s >> i & 1) to.take(changes_[i].data);
  }

  void join(subset s, subset t) {
    ++joined;
    engine_under_test receiver{8, set_};
    give(receiver, s);
    receiver.join(at(t));
    expect(receiver, s | t, "a joined snapshot");
    receiver.e->tend().value();
    const auto all = (1u << changes_.size()) - 1;
    give(receiver, all & ~s);  // what the snapshot brought, too
    expect(receiver, all, "delivery after a joined snapshot");
  }

  void expect(engine_under_test& e, subset s, const std::string& after) {
    auto digest = e.digest();
    if (reached_[s].empty()) {
      reached_[s] = digest;
      ++readings;
    } else if (digest != reached_[s]) {
      fail(after + " leads to another digest", s);
    }
    const auto known = events_in(s);
    const auto got = e.read(set_.fields);
    const auto wanted = world_.read(known, "t", 0);
    if (got != wanted) fail(after + " shows " + got + ", should show " + wanted, s);
    const auto open = e.e->conflicts().value().size();
    if (open != static_cast<std::size_t>(world_.conflicts(known, "t", 0)))
      fail(after + " has " + std::to_string(open) + " conflicts", s);
  }

  void fail(const std::string& what, subset s) {
    if (!wrong.empty()) return;
    wrong = what + "; with " + std::to_string(s) + " of";
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const auto& o = world_.events.at(static_cast<int>(i)).operations.front();
      wrong += " [replica " + std::to_string(changes_[i].by) + " saw " +
               std::to_string(changes_[i].seen) + ", verb " +
               std::to_string(static_cast<int>(o.what)) + " life " + std::to_string(o.life) +
               " field " + std::to_string(o.field) + "]";
    }
  }

  setting set_;
  oracle::world world_;
  std::vector<change> changes_;
  std::array<std::string, 32> reached_;  ///< set → the digest at it
  std::array<std::unique_ptr<engine_under_test>, 32> servers_;
};

std::vector<oracle::operation> life(oracle::verb erasure) {
  return {{.table = "t", .what = oracle::verb::create}, {.table = "t", .what = erasure}};
}
oracle::operation update(std::size_t field, oracle::deed change, std::int64_t x) {
  return {.table = "t", .what = oracle::verb::update, .field = field, .change = change, .x = x};
}
setting counter_and_lww(oracle::verb erasure) {
  setting s;
  s.fields = {{"count", 0, oracle::leaf::counter}, {"text", 0, oracle::leaf::lww}};
  s.words = life(erasure);
  s.words.push_back(update(0, oracle::deed::count, 5));
  s.words.push_back(update(1, oracle::deed::set, 0));
  return s;
}
setting large_set(oracle::verb erasure) {
  setting s;
  s.fields = {{"tags", 0, oracle::leaf::set}};
  s.words = life(erasure);
  s.words.push_back(update(0, oracle::deed::insert, 1));
  s.words.push_back(update(0, oracle::deed::remove, 1));
  s.large = true;
  return s;
}

void try_all(const char* name, setting s, std::size_t changesets, std::uint64_t histories,
             bool print = false) {
  const auto start = std::chrono::steady_clock::now();
  s.changesets = changesets;
  const enumeration all{s};
  CAPTURE(name);
  CHECK(all.wrong == "");
  CHECK(all.histories == histories);
  if (!print) return;
  const auto seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto shown = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf("%-50s %zu %10llu %11llu %10llu %11llu %12llu %8.1f\n", name, changesets,
              shown(all.histories), shown(all.deliveries), shown(all.readings), shown(all.applied),
              shown(all.joined), seconds);
  std::fflush(stdout);
}

void try_ordinary(const char* name, const setting& s) {
  try_all(name, s, JOINERY_SANITIZED ? 2 : 3, JOINERY_SANITIZED ? 42 : 622);
}

using oracle::verb;

TEST_CASE("every small history of engines agrees with the oracle and among them") {
  try_ordinary("update_wins", counter_and_lww(verb::erase));
  try_ordinary("delete_wins", counter_and_lww(verb::erase_for_good));
}
TEST_CASE("every small history of engines with a large set agrees with the oracle and among them") {
  try_ordinary("update_wins", large_set(verb::erase));
  try_ordinary("delete_wins", large_set(verb::erase_for_good));
}
TEST_CASE("the large set of the enumeration stands apart from its record") {
  const auto s = large_set(verb::erase);
  engine_under_test e{1, s};
  e.commit(s.words[2], s.fields);
  const auto record = e.e->record("t", "k").value();
  CHECK(state::has_large_fields(crdt::read_cell(record).value));
}
TEST_CASE("every history of engines, exhaustively", "[.exhaustive]") {
  const auto try_four = [](const char* name, const setting& s, std::uint64_t histories) {
    try_all(name, s, 4, histories, true);
  };
  try_four("engines: counter and lww, update_wins", counter_and_lww(verb::erase), 11194);
  try_four("engines: counter and lww, delete_wins", counter_and_lww(verb::erase_for_good), 10600);
  try_four("engines: large or_set, update_wins", large_set(verb::erase), 11194);
  try_four("engines: large or_set, delete_wins", large_set(verb::erase_for_good), 10600);
}

}  // namespace
