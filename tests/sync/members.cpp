// Sessions and membership: who knows that a peer is no member neither hears nor serves it.
#include <catch2/catch.hpp>

#include "joinery/transport/pipe.hpp"
#include "tests/replica/peer.hpp"

using replica_tests::peer;
using namespace joinery;

namespace {

using engine_session = sync::session<engine<history::memory_storage>>;

struct meeting {
  engine_session a;
  engine_session b;
  transport::pipe<engine_session, engine_session> wire;

  meeting(peer& pa, peer& pb, bool once)
      : a(*pa.e, options(once), 0), b(*pb.e, options(once), 0), wire(a, b, {}) {}
  meeting& run(std::uint64_t now_ms = 0) {
    a.wake(now_ms);
    b.wake(now_ms);
    wire.run(now_ms);
    return *this;
  }
  [[nodiscard]] bool both_failed_with(errc code) const {
    return a.failure() && a.failure()->code == code && b.failure() && b.failure()->code == code;
  }
  static sync::session_options options(bool once) {
    sync::session_options o;
    o.once = once;
    return o;
  }
};

void sync_once(peer& a, peer& b) {
  meeting m{a, b, true};
  m.run();
  REQUIRE(m.a.state() == sync::session_state::finished);
  REQUIRE(m.b.state() == sync::session_state::finished);
}

}  // namespace

TEST_CASE("a replica that a closed space does not know is refused by either side, and told why") {
  peer a{1}, b{2}, c{3};
  a.set("x", 1).value();
  sync_once(a, b);
  a.e->close_membership().value();
  c.set("y", 1).value();
  meeting m{a, c, true};
  m.run();
  CHECK(m.both_failed_with(errc::not_a_member));
  CHECK(m.b.failed_by_peer());
  CHECK(m.b.failure()->where.find(c.id().hex()) != std::string::npos);
  CHECK(m.b.failure()->advice.find("admit") != std::string::npos);
  CHECK(a.get("y") == 0);
  CHECK(c.get("x") == 0);
}

TEST_CASE("a new device is admitted under its id, and then syncs with every member") {
  peer a{1}, b{2}, c{3};
  b.set("x", 1).value();
  sync_once(a, b);
  a.e->close_membership().value();
  a.e->admit(c.e->status().self, "watch").value();
  sync_once(a, b);
  sync_once(c, b);
  c.set("y", 2).value();
  sync_once(c, a);
  sync_once(a, b);
  CHECK(a.digest() == c.digest());
  CHECK(b.get("y") == 2);
}

TEST_CASE("an eviction ends the sessions with the evicted one that are under way") {
  peer a{1}, b{2}, c{3};
  for (auto* p : {&a, &b, &c}) p->set("of " + p->id().hex(), 1).value();
  sync_once(a, b);
  sync_once(a, c);
  sync_once(a, b);
  a.e->close_membership().value();
  sync_once(a, b);
  sync_once(a, c);

  meeting live{b, c, false};
  live.run();
  CHECK(live.a.in_sync());
  a.e->evict(c.id()).value();
  sync_once(a, b);
  const auto before = c.e->log_size();
  c.set("late", 7).value();
  live.run(10);
  CHECK(live.both_failed_with(errc::not_a_member));
  CHECK(b.get("late") == 0);             // not heard
  CHECK(c.e->log_size() == before + 1);  // nor served
  CHECK_FALSE(a.get("late") == 7);
}

TEST_CASE("acknowledgements travel like all changesets, and leave the replicas in sync") {
  peer a{1}, b{2};
  a.set("x", 1).value();
  b.set("y", 1).value();
  sync_once(a, b);
  a.e->close_membership().value();
  sync_once(a, b);
  b.time.now += b.options.acknowledge_after_ms;
  b.e->tend().value();
  CHECK(b.e->log_size() == a.e->log_size() + 1);
  sync_once(a, b);
  CHECK(b.e->log_size() == a.e->log_size());
  CHECK(a.digest() == b.digest());
  CHECK(a.e->status().membership.waiting_for.empty());
}
