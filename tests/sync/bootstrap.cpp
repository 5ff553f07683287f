// Snapshots for peers below the log's floor.
#include <catch2/catch.hpp>

#include "tests/sync/meeting.hpp"

using namespace sync_tests;
using replica_tests::area;
using replica_tests::durability;
using replica_tests::failed_with;
using replica_tests::memory_operation;
using sync::session_state;

namespace {

void scribble(peer& p, int edits, int keys = 10) {
  for (int i = 0; i < edits; ++i) {
    const auto key = "record " + std::to_string(p.dice.below(static_cast<std::uint64_t>(keys)));
    const auto alive = crdt::read_cell(p.e->record("table", key).value()).alive();
    if (alive && p.dice.below(5) == 0)
      p.erase(key).value();
    else
      p.set(key, static_cast<int>(p.dice.below(1000)), p.dice.chance(50) ? "number" : "other")
          .value();
  }
}

std::size_t staged_entries(peer& p) { return entries_of(p, area::staged, {"\0", 1}); }

// What is left to do in the background, done.
void settle(peer& p) {
  for (int n = 0; n < 1000 && staged_entries(p) > 0; ++n) p.e->tend().value();
  p.e->tend().value();
  CHECK(staged_entries(p) == 0);
}

}  // namespace

TEST_CASE("a new peer is served a snapshot where the log begins too late, and serves others") {
  peer a{1}, b{2}, c{3};
  scribble(a, 60);
  a.e->checkpoint().value();
  forget_log(a);
  REQUIRE(a.e->log_floor().position == 60);
  scribble(a, 5);
  meeting first{a, b, small_once()};
  first.run();
  INFO(first.outcome());
  REQUIRE(first.a.state() == session_state::finished);
  REQUIRE(first.b.state() == session_state::finished);
  CHECK(b.digest() == a.digest());
  CHECK(b.e->status().changesets == 65);

  // Nothing more is sent the next time.
  meeting again{a, b, small_once()};
  again.run();
  CHECK(again.a.state() == session_state::finished);
  CHECK(again.a.sent() + again.b.sent() == 0);

  // Before its records are joined, after a restart, and after.
  const auto digest = a.digest();
  b.crash();
  CHECK(b.digest() == digest);
  settle(b);
  CHECK(b.digest() == digest);
  b.reopen();
  CHECK(b.digest() == digest);

  scribble(b, 5);
  meeting second{b, c, small_once()};
  second.run();
  INFO(second.outcome());
  CHECK(second.b.state() == session_state::finished);
  CHECK(c.digest() == b.digest());
  meeting last{a, c, small_once()};
  last.run();
  CHECK(last.a.state() == session_state::finished);
  CHECK(a.digest() == c.digest());
}

TEST_CASE("a peer that is far behind, with work of its own, joins a snapshot, and all is there") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    peer a{10 * seed + 1}, b{10 * seed + 2}, all{10 * seed + 3};
    scribble(a, 20);
    scribble(b, 10);
    meeting{a, b, small_once()}.run();
    scribble(b, 15);
    scribble(a, 30);
    all.take(a.log()).value();
    all.take(b.log()).value();
    forget_log(a);
    if (seed % 2 == 0) b.e->checkpoint().value();
    meeting m{a, b, small_once()};
    m.run();
    INFO(m.outcome());
    REQUIRE(m.b.state() == session_state::finished);
    CHECK(a.digest() == all.digest());
    CHECK(b.digest() == all.digest());
    CHECK(b.e->status().changesets == 75);
    scribble(b, 5);
    meeting n{a, b, small_once()};
    n.run();
    CHECK(n.a.state() == session_state::finished);
    CHECK(n.a.received() == 5);
    settle(b);
    CHECK(b.digest() == a.digest());
  }
}

TEST_CASE("two replicas, each below the floor of the other, serve each other") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    peer a{10 * seed + 1}, b{10 * seed + 2}, all{10 * seed + 3};
    scribble(a, 40, 30);
    scribble(b, 10 + 20 * static_cast<int>(seed), 30);
    all.take(a.log()).value();
    all.take(b.log()).value();
    forget_log(a);
    forget_log(b);
    meeting m{a, b, small_once()};
    m.run();
    INFO(m.outcome());
    REQUIRE(m.a.state() == session_state::finished);
    CHECK(a.digest() == all.digest());
    CHECK(b.digest() == all.digest());
    scribble(a, 5);
    meeting n{a, b, small_once()};
    n.run();
    CHECK(n.a.sent() == 5);
    CHECK(b.digest() == a.digest());
  }
}

TEST_CASE("a transfer that is cut after any byte goes on from there, also at another server") {
  std::uint64_t whole = 0;
  std::size_t most_kept = 0;
  for (std::uint64_t cut = 0; cut == 0 || cut <= whole; cut += 97) {
    CAPTURE(cut);
    peer a{1}, other{2}, b{3};
    scribble(a, 200, 80);
    other.take(a.log()).value();
    scribble(b, 3);
    forget_log(a);
    forget_log(other);
    const auto before = b.digest();
    transport::pipe_options p;
    p.chunk = 50;
    if (cut > 0) p.cut_after = cut;
    meeting first{a, b, small_once(), p};
    first.run();
    if (cut == 0) {
      whole = first.wire.carried();
      INFO(first.outcome());
      REQUIRE(first.b.state() == session_state::finished);
      continue;
    }
    if (b.e->joins() == 0) CHECK(b.digest() == before);
    if (cut % 2 == 0) b.crash();
    const auto kept = b.e->joins() == 0 ? staged_entries(b) : 0;
    most_kept = std::max(most_kept, kept);
    scribble(a, 2);
    auto& next = cut % 3 == 0 ? a : other;
    meeting second{next, b, small_once(), {}};
    second.run();
    INFO(second.outcome());
    REQUIRE(second.b.state() == session_state::finished);
    if (kept > 20) CHECK(second.wire.carried() < whole);  // it did not begin anew
    meeting third{a, b, small_once()};
    third.run();
    REQUIRE(third.b.state() == session_state::finished);
    REQUIRE(a.digest() == b.digest());
  }
  CHECK(whole > 3000);
  CHECK(most_kept > 50);
}

TEST_CASE("whatever is done to a record while its snapshot is sent is in it, migrations included") {
  peer a{1}, b{2};
  for (int n = 0; n < 30; ++n) a.set("k" + std::to_string(n), n + 1).value();
  forget_log(a);
  const std::shared_ptr<const void> session = std::make_shared<char>();
  auto serving = a.e->serve_snapshot(b.e->request_snapshot(session).value().value(), 400).value();
  while (const auto chunk = a.e->next_chunk(serving, 400).value())
    b.e->take_chunk(*chunk, session).value();
  codec::changeset_writer w;
  w.add("table", "k3",
        {crdt::cell_action::amend, 1, "migrated", crdt::kind::lww, replica_tests::lww_delta(33)});
  a.e->commit(w).value();
  a.erase("k4").value();
  std::vector<bytes> tail;
  a.e->read_log(serving.tail_from(),
                [&](auto, const auto&, auto, bytes_view data) {
                  tail.emplace_back(data);
                  return true;
                })
      .value();
  const std::vector<bytes_view> views(tail.begin(), tail.end());
  b.e->take_tail(views, session).value();
  b.e->take_chunk(joinery::detail::chunk_of(joinery::detail::chunk_kind::end), session).value();
  CHECK(b.get("k3", "migrated") == 33);
  CHECK(b.get("k4") == 0);
  CHECK(a.digest() == b.digest());
}

TEST_CASE("a session whose snapshot was dropped brings no more of it") {
  peer a{1}, b{2};
  for (int n = 0; n < 30; ++n) a.set("k" + std::to_string(n), n + 1).value();
  forget_log(a);
  const std::shared_ptr<const void> first = std::make_shared<char>();
  const std::shared_ptr<const void> second = std::make_shared<char>();
  auto serving = a.e->serve_snapshot(b.e->request_snapshot(first).value().value(), 400).value();
  b.e->take_chunk(a.e->next_chunk(serving, 400).value().value(), first).value();
  const auto chunk = a.e->next_chunk(serving, 400).value().value();
  CHECK_FALSE(b.e->request_snapshot(second).value());
  CHECK(failed_with(b.e->take_chunk(chunk, second), errc::gap));
  CHECK(failed_with(b.e->take_tail({}, second), errc::gap));
  b.e->take_chunk(chunk, first).value();
}
