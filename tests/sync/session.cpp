#include <catch2/catch.hpp>

#include "tests/sync/two_peers.hpp"

using namespace sync_tests;
using sync::event_kind;
using sync::session_state;

namespace {

sync::session_options once() {
  sync::session_options o;
  o.once = true;
  return o;
}

/// `a` has what `b` lacks and the other way round, with one origin that neither is.
void fill(fake_endpoint& a, fake_endpoint& b) {
  fake_endpoint third{3};
  for (int i = 0; i < 3; ++i) third.commit("third " + std::to_string(i));
  connection c{third, a};
  c.run();
  for (int i = 0; i < 4; ++i) a.commit("a " + std::to_string(i));
  for (int i = 0; i < 2; ++i) b.commit("b " + std::to_string(i));
}

}  // namespace

TEST_CASE("two replicas give each other what they lack, relayed changesets included") {
  fake_endpoint a{1}, b{2};
  fill(a, b);
  connection c{a, b};
  c.run();
  CHECK(c.a.state() == session_state::live);
  CHECK(c.b.state() == session_state::live);
  CHECK(a.log().size() == 9);
  CHECK(a.content() == b.content());
  CHECK(a.duplicates + b.duplicates == 0);
  CHECK(c.a.sent() == 7);
  CHECK(c.b.sent() == 2);
}

TEST_CASE("the program is told who the peer is, what came, and that both are in sync") {
  fake_endpoint a{1}, b{2};
  fill(a, b);
  connection c{a, b};
  c.run();
  const auto greeted = c.b.next_event();
  REQUIRE(greeted);
  CHECK(greeted->kind == event_kind::greeted);
  CHECK(greeted->peer == rid(1));
  const auto received = c.b.next_event();
  REQUIRE(received);
  CHECK(received->kind == event_kind::received);
  CHECK(received->report.integrated == 7);
  const auto in_sync = c.b.next_event();
  REQUIRE(in_sync);
  CHECK(in_sync->kind == event_kind::in_sync);
  CHECK(in_sync->digest == *b.digest());
  CHECK_FALSE(c.b.next_event());
  CHECK(c.b.in_sync());
}

TEST_CASE("a session of a single run says bye once both are in sync, and ends well") {
  fake_endpoint a{1}, b{2};
  fill(a, b);
  connection c{a, b, once()};
  c.run();
  CHECK(c.a.state() == session_state::finished);
  CHECK(c.b.state() == session_state::finished);
  CHECK(next_of(c.a, event_kind::in_sync)->digest == *a.digest());
  CHECK(next_of(c.b, event_kind::in_sync)->digest == *b.digest());
  CHECK(next_of(c.a, event_kind::finished));
  CHECK(a.content() == b.content());
  CHECK_FALSE(c.a.next_wake());
}

TEST_CASE("a single run against a live peer ends both, and nobody fails") {
  fake_endpoint a{1}, b{2};
  fill(a, b);
  connection c{a, b, once(), {}, {}};
  c.run();
  CHECK(c.a.state() == session_state::finished);
  CHECK(c.b.state() == session_state::finished);
  CHECK(a.content() == b.content());
}

TEST_CASE("two empty replicas are in sync") {
  fake_endpoint a{1}, b{2};
  connection c{a, b, once()};
  c.run();
  CHECK(c.a.state() == session_state::finished);
  CHECK(c.b.state() == session_state::finished);
}

TEST_CASE("what is committed while live is pushed, and not back to whom it came from") {
  fake_endpoint a{1}, b{2};
  connection c{a, b};
  c.run();
  for (int i = 0; i < 5; ++i) {
    a.commit();
    b.commit();
    c.run();
  }
  CHECK(a.content() == b.content());
  CHECK(c.a.sent() == 5);
  CHECK(c.b.sent() == 5);
  CHECK(a.duplicates + b.duplicates == 0);
  CHECK(c.a.in_sync());
  CHECK(next_of(c.a, event_kind::in_sync));
}

TEST_CASE("one more sync sends no changeset") {
  fake_endpoint a{1}, b{2};
  fill(a, b);
  {
    connection c{a, b, once()};
    c.run();
  }
  connection again{a, b, once()};
  again.run();
  CHECK(again.a.sent() + again.b.sent() == 0);
  CHECK(again.a.state() == session_state::finished);
}

TEST_CASE("a peer sees only what is durable, and acknowledgements wait for that as well") {
  fake_endpoint a{1}, b{2};
  a.interval = b.interval = true;
  a.commit();
  connection c{a, b};
  c.run();
  CHECK(b.log().empty());
  CHECK(c.a.in_sync());

  a.flush();
  c.run(1);
  CHECK(b.log().size() == 1);
  CHECK_FALSE(c.a.in_sync());  // b has it, but could lose it
  CHECK_FALSE(c.b.in_sync());
  CHECK(c.b.next_wake() == 1 + sync::session_options{}.durable_poll_ms);

  b.flush();
  c.run(60);
  CHECK(c.a.in_sync());
  CHECK(c.b.in_sync());
}

TEST_CASE("changesets that the peer holds back do not keep a single run from ending") {
  fake_endpoint a{1}, b{2};
  a.commit();
  b.hold_everything = true;
  connection c{a, b, once()};
  c.run();
  CHECK(c.a.state() == session_state::finished);
  const auto in_sync = next_of(c.a, event_kind::in_sync);
  REQUIRE(in_sync);
  CHECK(in_sync->held_there == 1);
  CHECK_FALSE(in_sync->digest);
}

TEST_CASE("what never becomes durable is reported as held after a while") {
  fake_endpoint a{1}, b{2};
  a.commit();
  b.interval = true;
  connection c{a, b, once()};
  c.run();
  CHECK(c.a.state() == session_state::live);
  c.run(sync::session_options{}.durable_patience_ms);
  CHECK(c.a.state() == session_state::finished);
  CHECK(next_of(c.a, event_kind::in_sync)->held_there == 1);
}

TEST_CASE("equal versions with different states are a divergence, on both sides") {
  fake_endpoint a{1}, b{2};
  fill(a, b);
  b.corrupt_digest = true;
  connection c{a, b};
  c.run();
  CHECK(failed_with(c.a) == errc::diverged);
  CHECK(failed_with(c.b) == errc::diverged);
}

TEST_CASE("digests are compared when either side wants it, and not when neither does") {
  fake_endpoint a{1}, b{2};
  auto without = once();
  without.verify = false;
  {
    connection c{a, b, without, once(), {}};
    c.run();
    CHECK(next_of(c.a, event_kind::in_sync)->digest);
    CHECK(next_of(c.b, event_kind::in_sync)->digest);
  }
  a.digests = 0;
  connection c{a, b, without};
  c.run();
  CHECK_FALSE(next_of(c.a, event_kind::in_sync)->digest);
  CHECK(c.a.state() == session_state::finished);
  CHECK(a.digests == 0);
}

TEST_CASE("live states are compared again now and then, not at every push") {
  fake_endpoint a{1}, b{2};
  connection c{a, b};
  c.run();
  CHECK(next_of(c.a, event_kind::in_sync)->digest);
  a.digests = 0;
  for (std::uint64_t t = 1; t <= 10; ++t) {
    a.commit();
    c.run(t * 100);
  }
  CHECK(a.digests == 0);
  CHECK(c.a.in_sync());
  while (c.a.next_event()) {}
  sync::session_options o;
  std::uint64_t t = 1000;
  while (a.digests == 0 && t < 2 * o.verify_every_ms) {  // just as it asks to be woken
    t = std::min(*c.a.next_wake(), *c.b.next_wake());
    c.run(t);
  }
  CHECK(t == o.verify_every_ms);
  CHECK(a.digests == 1);
  CHECK(next_of(c.a, event_kind::in_sync)->digest == *a.digest());
}

TEST_CASE("finish says bye politely, and what was not sent goes with the next session") {
  fake_endpoint a{1}, b{2};
  connection c{a, b};
  c.run();
  a.commit();
  c.a.finish();
  c.run();
  CHECK(c.a.state() == session_state::finished);
  CHECK(c.b.state() == session_state::finished);
  CHECK(b.log().empty());
  connection next{a, b};
  next.run();
  CHECK(b.log().size() == 1);
}

TEST_CASE("a connection that ends is an error, unless bye was said") {
  fake_endpoint a{1}, b{2};
  connection c{a, b};
  c.run();
  c.a.finish();
  c.wire.cut();
  CHECK(c.a.state() == session_state::finished);
  CHECK(failed_with(c.b) == errc::closed);
  CHECK(c.b.pending_output() == 0);
}

TEST_CASE("a silent peer is pinged, and given up in the end") {
  fake_endpoint a{1}, b{2};
  sync::session_options o;
  o.keepalive_ms = 10;
  o.idle_timeout_ms = 100;
  connection c{a, b, o};
  c.run();
  CHECK(c.a.next_wake() == 10);
  for (std::uint64_t t = 10; t <= 1000; t += 10) c.run(t);
  CHECK(c.a.state() == session_state::live);

  c.wire.stall_to_a(true);
  for (std::uint64_t t = 1010; t < 1100; t += 10) c.run(t);
  CHECK(c.a.state() == session_state::live);
  c.run(1100);
  CHECK(failed_with(c.a) == errc::closed);
  CHECK(failed_with(c.b) == errc::closed);
}

TEST_CASE("pings come often enough for the patience that the peer has") {
  fake_endpoint a{1}, b{2};
  sync::session_options patient, hasty;
  hasty.idle_timeout_ms = 30;
  connection c{a, b, patient, hasty, {}};
  c.run();
  for (std::uint64_t t = 1; t <= 300; ++t) c.run(t);
  CHECK(c.b.state() == session_state::live);
}

TEST_CASE("a peer that does not introduce itself is given up") {
  fake_endpoint a{1};
  fake_session s{a, {}, 1000};
  CHECK(s.next_wake() == 11'000);
  s.wake(10'999);
  CHECK(s.state() == session_state::greeting);
  s.wake(11'000);
  CHECK(failed_with(s) == errc::closed);
}

TEST_CASE("time that goes back does no harm") {
  fake_endpoint a{1}, b{2};
  connection c{a, b};
  c.run();
  c.run(20'000);
  c.run(5);
  a.commit();
  c.run(6);
  CHECK(c.a.state() == session_state::live);
  CHECK(b.log().size() == 1);
}

TEST_CASE("a session that can do nothing does not ask to be woken at once") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 40; ++i) a.commit(noise(1000, static_cast<std::uint64_t>(i)));
  b.interval = true;
  sync::session_options o;
  o.low_water = 1;
  connection c{a, b, o};
  c.wire.stall_to_a(true);
  c.wire.stall_to_b(true);
  std::uint64_t t = 0;
  for (int wakes = 0; t < 60'000 && !c.a.ended(); ++wakes) {
    REQUIRE(wakes < 100);
    const auto next = c.a.next_wake();
    REQUIRE(next);
    REQUIRE(*next > t);
    t = *next;
    c.run(t);
    if (wakes == 1) {
      c.wire.stall_to_a(false);
      c.run(t);
      c.wire.stall_to_a(true);
      c.a.finish();
    }
  }
}

TEST_CASE("events that nobody looks at stay few, and add up") {
  fake_endpoint a{1}, b{2};
  connection c{a, b};
  for (int i = 0; i < 100; ++i) {
    a.commit();
    c.run();
  }
  std::size_t events = 0, integrated = 0;
  while (auto e = c.b.next_event()) {
    ++events;
    if (e->kind == event_kind::received) integrated += e->report.integrated;
  }
  CHECK(events <= 6);
  CHECK(integrated == 100);
}
