// Sessions between real engines.
#include <catch2/catch.hpp>

#include "tests/sync/meeting.hpp"

using namespace sync_tests;
using history::durability;
using history::memory_operation;
using sync::session_state;

namespace {

sync::session_options once() {
  sync::session_options o;
  o.once = true;
  return o;
}

std::optional<crypto::digest> certificate(memory_session& s) {
  while (auto e = s.next_event())
    if (e->kind == sync::event_kind::in_sync) return e->digest;
  return std::nullopt;
}

void scribble(peer& p, int edits) {
  for (int i = 0; i < edits; ++i) {
    const auto key = "record " + std::to_string(p.dice.below(10));
    const auto alive = crdt::read_cell(p.e->record("table", key).value()).alive();
    if (alive && p.dice.below(5) == 0) {
      p.erase(key).value();
    } else {
      p.set(key, static_cast<int>(p.dice.below(1000))).value();
    }
  }
}

}  // namespace

TEST_CASE("replicas that edited and deleted apart agree after one round, and prove it") {
  peer a{1}, b{2}, c{3};
  for (int round = 0; round < 5; ++round) {
    for (auto* p : {&a, &b, &c}) scribble(*p, 30);
    meeting{a, b, once()}.run();
    meeting{b, c, once()}.run();
    meeting last{a, c, once()};
    last.run();
    CHECK(last.a.state() == session_state::finished);
    meeting again{a, b, once()};
    again.run();
    CHECK(again.b.state() == session_state::finished);
    const auto proof = certificate(again.a);
    REQUIRE(proof);
    CHECK(proof == certificate(again.b));
    CHECK(proof->hex() == c.digest());
  }
  CHECK(a.e->log_size() == 5 * 90);
}

TEST_CASE("a cut at any byte leaves both replicas whole, and the next session completes them") {
  std::uint64_t whole = 0;
  for (std::uint64_t cut = 0; cut == 0 || cut <= whole; cut += 13) {
    peer a{1}, b{2};
    scribble(a, 12);
    scribble(b, 5);
    auto small = once();
    small.batch = 512;
    transport::pipe_options p;
    p.chunk = 50;
    if (cut > 0) p.cut_after = cut;
    meeting first{a, b, small, p};
    first.run();
    if (cut == 0) whole = first.wire.carried();
    a.crash();
    b.crash();
    meeting second{a, b, small};
    second.run();
    REQUIRE(second.a.state() == session_state::finished);
    REQUIRE(a.digest() == b.digest());
    REQUIRE(a.e->log_size() == 17);
    REQUIRE(b.e->log_size() == 17);
  }
  CHECK(whole > 500);
}

TEST_CASE("with interval durability nothing unsynced is offered or acknowledged") {
  peer a{1, durability::interval}, b{2, durability::interval};
  a.options.sync_interval_ms = b.options.sync_interval_ms = 1u << 30;
  a.reopen();
  b.reopen();
  a.set("one", 1).value();  // the first write syncs, as the last sync was long ago
  a.e->flush().value();
  meeting m{a, b};
  m.run();
  b.e->flush().value();
  m.run(100);
  CHECK(m.a.in_sync());
  a.set("two", 2).value();
  m.run(200);
  CHECK(b.e->log_size() == 1);
  a.e->flush().value();
  m.run(300);
  CHECK(b.e->log_size() == 2);
  CHECK_FALSE(m.a.in_sync());
  b.crash();  // b loses it again, and nobody was told that it had it
  CHECK(b.e->log_size() == 1);
  meeting next{a, b, once()};
  next.run();
  CHECK(b.e->log_size() == 2);
  CHECK(next.a.state() == session_state::live);  // it waits for b to sync
  b.e->flush().value();
  next.run(60);
  CHECK(next.a.state() == session_state::finished);
}

TEST_CASE("a store that was put back from an older image may not renew itself when forbidden") {
  peer a{1}, b{2};
  a.set("one", 1).value();
  const auto image = a.disk.clone();
  a.set("two", 2).value();
  meeting{a, b, once()}.run();
  a.e.reset();
  a.disk.put_back(image);
  a.options.renew = false;
  a.open().value();
  meeting m{a, b};
  m.run();
  CHECK(code_of(m.a) == errc::fork);
  CHECK(code_of(m.b) == errc::fork);

  // It wrote on: the same dot, other bytes.
  a.set("two", 3).value();
  meeting n{a, b};
  n.run();
  CHECK(code_of(n.a) == errc::fork);
  CHECK(code_of(n.b) == errc::fork);
  CHECK(b.get("two") == 2);
}

TEST_CASE("a changeset from the future is held, and does not keep sessions from ending") {
  peer a{1}, b{2};
  a.time.now = b.time.now + b.options.max_clock_drift_ms + 1000;
  a.set("one", 1).value();
  for (int session = 0; session < 2; ++session) {  // the second time it is held already
    meeting m{a, b, once()};
    m.run();
    m.run(sync::session_options{}.durable_patience_ms);
    CHECK(m.a.state() == session_state::finished);
    CHECK(m.b.state() == session_state::finished);
    CHECK(b.e->log_size() == 0);
    CHECK(b.e->status().held == 1);
  }
  b.time.now = a.time.now;
  b.e->tend().value();
  meeting m{a, b, once()};
  m.run();
  CHECK(certificate(m.a));
  CHECK(b.get("one") == 1);
}

TEST_CASE("a replica relays tables that its program has never heard of") {
  peer a{1}, relay{2}, c{3};
  const schema::descriptor known{
      {{"table", schema::delete_rule::update_wins, {{"number", crdt::kind::lww, "int"}}}}};
  a.options.descriptor = c.options.descriptor = known;
  a.reopen();
  c.reopen();
  scribble(a, 20);
  meeting{a, relay, once()}.run();
  meeting{relay, c, once()}.run();
  CHECK(c.e->log_size() == 20);
  CHECK(a.digest() == c.digest());
}
