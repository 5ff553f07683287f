// Sessions with a device that has no room, or that cannot be believed any more.
#include <catch2/catch.hpp>

#include "tests/sync/meeting.hpp"

using namespace sync_tests;
using history::memory_operation;
using sync::session_state;

namespace {

/// Its next thousand commits find no room; it waits a second before it tries again.
void fill(peer& p) {
  p.options.full_retry_ms = 1000;
  p.reopen();
  for (std::uint64_t n = 1; n <= 1000; ++n)
    p.disk.fail_nth(memory_operation::commit, n, errc::full);
}
std::size_t count(memory_session& s, sync::event_kind kind) {
  std::size_t n = 0;
  while (auto e = s.next_event()) n += e->kind == kind ? 1 : 0;
  return n;
}

}  // namespace

TEST_CASE("a full device pauses the session: it goes on sending, and takes all when it has room") {
  peer full{1}, other{2};
  for (int n = 0; n < 20; ++n) full.set("mine " + std::to_string(n), n + 1).value();
  for (int n = 0; n < 20; ++n) other.set("theirs " + std::to_string(n), n + 1).value();
  fill(full);
  sync::session_options o;
  o.window = 4096;
  o.batch = 600;
  meeting m{full, other, o};
  m.run();
  for (std::uint64_t now = 0; now < 30'000; now += 100) {
    full.time.now += 100;
    m.run(now);
    if (now == 20'000) other.set("later", 1).value();
  }
  CHECK(other.e->log_size() == 41);  // what the full one had came through
  CHECK(full.e->log_size() == 20);
  CHECK_FALSE(m.a.ended());
  CHECK_FALSE(m.a.in_sync());
  CHECK_FALSE(m.b.in_sync());
  CHECK(count(m.a, sync::event_kind::paused) == 1);
  full.disk.clear_faults();
  for (std::uint64_t now = 30'000; now < 33'000; now += 100) {
    full.time.now += 100;
    m.run(now);
  }
  CHECK(m.a.in_sync());
  CHECK(m.b.in_sync());
  CHECK(full.e->log_size() == 41);
  CHECK(full.digest() == other.digest());
  CHECK_FALSE(full.e->status().blocked);
}

TEST_CASE("a session does not wait for room for ever, and tells why it ends") {
  peer full{1}, other{2};
  other.set("theirs", 1).value();
  fill(full);
  meeting m{full, other};
  const auto patience = sync::session_options{}.stall_patience_ms;
  std::uint64_t now = 0;
  for (; now <= patience + 2000 && !m.a.ended(); now += 1000) {
    full.time.now += 1000;
    m.run(now);
  }
  CHECK(now > patience);
  CHECK(code_of(m.a) == errc::full);
  CHECK(code_of(m.b) == errc::full);
  CHECK(full.e->log_size() == 0);
}

TEST_CASE("one exchange with a full device gives what it has and ends at once") {
  peer full{1}, other{2};
  for (int n = 0; n < 5; ++n) full.set("mine", n + 1).value();
  other.set("theirs", 1).value();
  fill(full);
  const auto done = transport::sync_once(*full.e, *other.e);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == errc::full);
  CHECK(other.e->log_size() == 6);
  full.disk.clear_faults();
  full.time.now += full.options.full_retry_ms;
  transport::sync_once(*full.e, *other.e).value();
  CHECK(full.digest() == other.digest());
}

TEST_CASE("a store that cannot be believed ends its session, acknowledges nothing, and reopens") {
  for (const bool lands : {false, true}) {
    peer a{1}, b{2};
    b.set("one", 1).value();
    a.disk.fail_nth(memory_operation::commit, 1, errc::io, lands);
    meeting m{a, b};
    m.run();
    CHECK(code_of(m.a) == errc::io);
    CHECK(code_of(m.b) == errc::io);
    CHECK(m.b.failed_by_peer());
    CHECK(a.e->status().poisoned);
    meeting again{a, b};  // until it is opened again
    again.run();
    CHECK(code_of(again.a) == errc::poisoned);
    CHECK(code_of(again.b) == errc::poisoned);
    a.crash();
    CHECK(a.e->log_size() == (lands ? 1 : 0));
    transport::sync_once(*a.e, *b.e).value();
    CHECK(a.digest() == b.digest());
  }
}
