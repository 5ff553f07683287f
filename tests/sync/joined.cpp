// What a joined snapshot means for readers, indexes, watchers, members, forks and repair.
#include <catch2/catch.hpp>

#include "joinery/store/lmdb.hpp"
#include "tests/replica/circle.hpp"
#include "tests/replica/stored.hpp"
#include "tests/store/support.hpp"
#include "tests/sync/notebook.hpp"

using namespace sync_tests;
using replica_tests::area;
using replica_tests::dead_bytes;
using replica_tests::failed_with;
using replica_tests::flip;
using replica_tests::joining;
using replica_tests::memory_storage;
using sync::session_state;
using transport::sync_once;

namespace {

/// Two of a closed space, and a third that is a member and far away.
struct far_member {
  peer a{1}, b{2}, c{3};
  far_member() {
    for (auto* p : {&a, &b, &c}) p->set("of " + p->id().hex(), 1).value();
    for (auto* p : {&b, &c, &b}) sync_once(*a.e, *p->e).value();
    a.e->close_membership().value();
    for (int n = 0; n < 3; ++n) {
      for (auto* p : {&b, &c}) sync_once(*a.e, *p->e).value();
      rest({&a, &b, &c});
    }
    a.set("x", 1).value();
    sync_once(*a.e, *b.e).value();
    sync_once(*a.e, *c.e).value();
  }
  static void rest(const std::vector<peer*>& all) {
    for (int round = 0; round < 6; ++round) {
      for (auto* p : all) {
        p->time.now += p->options.acknowledge_after_ms;
        for (int n = 0; n < 8; ++n) p->e->tend().value();
      }
      for (auto* p : all)
        if (p != all.front()) sync_once(*all.front()->e, *p->e).value();
    }
  }
};

}  // namespace

TEST_CASE("while a joined snapshot is written, readers, queries and writes see all of it") {
  notebook<notes> a{1}, b{2};
  for (int n = 0; n < 60; ++n) a.write(n, n % 3 == 0 ? "long run" : "ride");
  sync_once(a.db->endpoint(), b.db->endpoint()).value();
  for (int n = 0; n < 60; n += 2) a.write(n, n % 3 == 0 ? "ride" : "long run");
  for (int n = 50; n < 90; ++n) b.write(n, "long run");
  a.forget_log();
  const auto before = b.db->reader().value();
  const auto old_digest = b.digest();
  std::vector<change_origin> told;
  const auto watching = b.db->endpoint().watch(
      {}, [&](const state::change_batch& batch) { told.push_back(batch.from); });

  sync_once(a.db->endpoint(), b.db->endpoint()).value();
  REQUIRE(joining(b.disk));
  REQUIRE(told.size() == 1);
  CHECK(told[0].from_snapshot);
  CHECK(before.digest().value().hex() == old_digest);
  const auto digest = a.digest();
  CHECK(b.digest() == digest);
  CHECK(a.db->reader().value().digest().value().hex() == digest);

  const auto after = b.db->reader().value();
  CHECK(after.digest().value().hex() == digest);
  const auto all = contents(*b.db);
  CHECK(contents(after) == all);
  const auto check_queries = [&] {
    for (const std::string title : {"long run", "ride", "none"}) {
      std::vector<std::string> expected;
      for (const auto& [key, content] : contents(*b.db))
        if (content.first == title) expected.push_back(key);
      CHECK(titled(*b.db, title) == expected);
    }
  };
  check_queries();

  b.write(3, "swim");
  b.write(200, "swim");
  CHECK(joining(b.disk));
  check_queries();
  CHECK(titled(*b.db, "swim") == std::vector<std::string>{key_of(3), key_of(200)});
  const auto now = contents(*b.db);
  SECTION("kept open, with a reader that stays what it is") {
    for (int n = 0; n < 200 && joining(b.disk); ++n) b.db->endpoint().tend().value();
    CHECK(contents(after) == all);
    CHECK(after.digest().value().hex() == digest);
    CHECK(before.digest().value().hex() == old_digest);
  }
  SECTION("opened again meanwhile") { b.open(); }
  SECTION("without memory") {
    b.options.cache_bytes = 0;
    b.open();
  }
  CHECK(contents(*b.db) == now);
  check_queries();
  for (int n = 0; n < 200 && joining(b.disk); ++n) b.db->endpoint().tend().value();
  REQUIRE_FALSE(joining(b.disk));
  CHECK(contents(*b.db) == now);
  check_queries();
  sync_once(a.db->endpoint(), b.db->endpoint()).value();
  CHECK(a.digest() == b.digest());
}

TEST_CASE("an index that is declared while a snapshot is being written lists all in the end") {
  notebook<notes> a{1};
  notebook<plain_notes> b{2};
  for (int n = 0; n < 40; ++n) a.write(n, "run");
  for (int n = 30; n < 50; ++n) b.write(n, "mine");
  a.forget_log();
  sync_once(a.db->endpoint(), b.db->endpoint()).value();
  REQUIRE(joining(b.disk));
  b.db.reset();
  auto db = replica<notes, memory_storage>::open(b.disk.share(), b.options).value();
  REQUIRE(joining(b.disk));
  const auto expected = [&] {
    std::vector<std::string> keys;
    for (const auto& [key, content] : contents(db))
      if (content.first == "run") keys.push_back(key);
    return keys;
  };
  CHECK(titled(db, "run") == expected());
  for (int n = 0; n < 200 && joining(b.disk); ++n) db.endpoint().tend().value();
  CHECK(titled(db, "run") == expected());
  CHECK(expected().size() >= 30);
  CHECK_FALSE(db.status().last_index_error);
}

TEST_CASE("clean-up does not pass a hole in the log before all know what was there") {
  far_member m;
  m.a.erase("x").value();
  sync_once(*m.a.e, *m.b.e).value();
  forget_log(m.a);
  REQUIRE(m.a.e->log_floor().position > 0);
  // Their acknowledgements change nothing, and follow the hole.
  far_member::rest({&m.a, &m.b});
  CHECK(dead_bytes(m.a) > 0);
  CHECK(dead_bytes(m.b) > 0);
  m.c.set("x", 9, "other").value();  // which had not seen its end: it comes back whole
  sync_once(*m.a.e, *m.c.e).value();
  CHECK(m.a.digest() == m.c.digest());
  CHECK(m.a.get("x") == 1);
  CHECK(m.a.get("x", "other") == 9);
  m.a.erase("x").value();
  far_member::rest({&m.a, &m.b, &m.c});
  far_member::rest({&m.a, &m.b, &m.c});
  for (auto* p : {&m.a, &m.b, &m.c}) CHECK(dead_bytes(*p) == 0);
  CHECK(m.a.digest() == m.b.digest());
  CHECK(m.a.digest() == m.c.digest());
}

TEST_CASE("clean-up that goes on behind a hole does not clean what was in it") {
  far_member m;
  m.a.set("y", 1).value();
  far_member::rest({&m.a, &m.b, &m.c});
  m.a.erase("x").value();  // which nobody else hears of
  forget_log(m.a);
  m.b.erase("y").value();
  for (int n = 0; n < 3; ++n) {
    for (auto* p : {&m.b, &m.c}) {
      p->time.now += p->options.acknowledge_after_ms;
      for (int k = 0; k < 8; ++k) p->e->tend().value();
    }
    sync_once(*m.b.e, *m.c.e).value();
  }
  replica_tests::hear(m.a, m.b).value();
  for (int n = 0; n < 20; ++n) m.a.e->tend().value();
  const auto x = m.a.e->record("table", "x").value();
  CHECK_FALSE(crdt::read_cell(x).alive());
  CHECK_FALSE(crdt::read_cell(x).value.empty());
}

TEST_CASE("what clean-up has not read is kept in the log, until that is far too large") {
  far_member m;
  m.a.erase("x").value();
  sync_once(*m.a.e, *m.b.e).value();
  m.a.options.retain_log_bytes = m.a.e->status().log_bytes - 1;
  m.a.reopen();
  m.a.e->acknowledged(m.a.e->heads());
  m.a.e->checkpoint().value();
  const auto stable = m.a.e->status().membership.stable_position;
  CHECK(m.a.e->log_floor().position <= stable);
  CHECK(stable < m.a.e->log_size());
}

TEST_CASE("a snapshot goes to members only, and tells who they are") {
  far_member m;
  for (int n = 0; n < 20; ++n) m.a.set("k" + std::to_string(n), n).value();
  forget_log(m.a);
  peer stranger{9}, d{4};
  CHECK(failed_with(sync_once(*m.a.e, *stranger.e), errc::not_a_member));
  CHECK(stranger.e->seen().size() <= 1);
  m.a.e->admit(d.id()).value();
  forget_log(m.a);
  sync_once(*m.a.e, *d.e).value();
  CHECK(d.digest() == m.a.digest());
  CHECK(d.e->status().membership.closed);
  CHECK(d.e->status().membership.self == member_state::member);
  d.set("of d", 1).value();
  sync_once(*m.b.e, *m.a.e).value();
  sync_once(*d.e, *m.a.e).value();
  sync_once(*m.b.e, *m.a.e).value();
  CHECK(m.a.digest() == d.digest());
  CHECK(m.b.digest() == d.digest());
  CHECK(failed_with(sync_once(*d.e, *stranger.e), errc::not_a_member));
}

TEST_CASE("a damaged record of a snapshot that is being written is taken from a peer again") {
  peer a{1}, b{2};
  for (int n = 0; n < 30; ++n) a.set("k" + std::to_string(n), n).value();
  for (int n = 20; n < 40; ++n) b.set("k" + std::to_string(n), 100 + n).value();
  forget_log(a);
  b.options.snapshot_step_records = 2;
  b.options.cache_bytes = 0;
  b.reopen();
  sync_once(*a.e, *b.e).value();
  REQUIRE(joining(b.disk));
  const auto digest = a.digest();
  const auto table = *b.e->names().find("table");
  const auto damage = [&](const std::string& key) {
    flip(b.disk, area::staged, joinery::detail::staged_key(table, key));
  };
  damage("k25");
  damage("k7");
  const auto met = [&](int way) {
    switch (way) {
      case 0:
        return failed_with(b.e->record("table", "k25"), errc::quarantined) &&
               failed_with(b.e->record("table", "k7"), errc::quarantined);
      case 1: return failed_with(b.e->digest(), errc::quarantined);
      case 2:
        for (int n = 0; n < 200 && joining(b.disk); ++n) b.e->tend().value();
        return !joining(b.disk);
      default:
        for (int n = 0; n < 50; ++n) b.e->scrub(20).value();
        return true;
    }
  };
  const auto way = GENERATE(0, 1, 2, 3);
  CAPTURE(way);
  CHECK(met(way));
  CHECK(b.e->status().damaged == 2);
  CHECK(b.get("k8") == 8);
  for (int n = 0; n < 200 && joining(b.disk); ++n) b.e->tend().value();
  CHECK_FALSE(joining(b.disk));
  sync_once(*a.e, *b.e).value();
  CHECK(b.e->status().damaged == 0);
  CHECK(b.digest() == digest);
}

TEST_CASE("a record that is damaged after a join is rebuilt from what came since") {
  peer a{1}, b{2};
  for (int n = 0; n < 5; ++n) a.set("k" + std::to_string(n), n).value();
  sync_once(*a.e, *b.e).value();  // so that the log has some from before as well
  for (int n = 5; n < 30; ++n) a.set("k" + std::to_string(n), n).value();
  b.set("mine", 1).value();
  forget_log(a);
  sync_once(*a.e, *b.e).value();
  for (int n = 0; n < 200 && joining(b.disk); ++n) b.e->tend().value();
  b.set("k3", 33).value();
  b.e->checkpoint().value();
  b.options.cache_bytes = 0;
  b.reopen();
  const auto table = *b.e->names().find("table");
  flip(b.disk, area::records, history::record_key(table, "k3"));
  CHECK(failed_with(b.e->record("table", "k3"), errc::quarantined));
  // From a peer that knows less than this replica, and all that the log lacks.
  const auto wanted = b.e->list_wanted().value();
  REQUIRE(wanted.size() == 1);
  CHECK(b.e->take_back(wanted[0], a.e->give(wanted[0]).value().value()).value());
  CHECK(b.get("k3") == 33);
  sync_once(*a.e, *b.e).value();
  CHECK(a.digest() == b.digest());
}

TEST_CASE("nobody is served a snapshot of another branch") {
  peer x{1}, a{2}, b{3}, twin{4};
  x.set("of x", 1).value();
  sync_once(*x.e, *a.e).value();
  sync_once(*x.e, *b.e).value();
  twin.e.reset();
  twin.disk.put_back(x.disk.clone());
  twin.open().value();
  x.set("left", 1).value();
  twin.set("right", 2).value();
  a.take(x.log()).value();
  b.take(twin.log()).value();
  REQUIRE(twin.id() == x.id());
  a.set("after", 1).value();  // depends on one branch
  forget_log(a);
  a.set("later", 1).value();
  const auto before = b.digest();
  CHECK(failed_with(sync_once(*a.e, *b.e), errc::gap));
  CHECK(b.digest() == before);
  CHECK(b.get("left") == 0);
  const auto clean = a.e->clean_of(x.id(), 1).value();
  CHECK(clean.at(a.id()) == 0);
}

TEST_CASE("a staged snapshot that is damaged is dropped, and the next transfer begins anew") {
  for (const char kind : {'o', 'r', 'v'}) {
    for (const bool reopened : {false, true}) {
      CAPTURE(kind, reopened);
      peer a{1}, b{2};
      for (int n = 0; n < 60; ++n) a.set("k" + std::to_string(n), n).value();
      forget_log(a);
      transport::pipe_options p;
      p.chunk = 50;
      int damaged = 0, written = 0;
      auto options = small_once();
      options.low_water = 256;
      meeting cut{a, b, options, p};
      cut.a.wake(0);
      cut.b.wake(0);
      while (damaged == 0 && cut.wire.step(0)) {
        if (kind == 'v' && written < 200) a.set("k7", ++written).value();
        b.disk
            .write([&](auto& w) -> result<> {
              std::optional<std::pair<bytes, bytes>> found;
              w.scan(area::staged, bytes(1, kind), [&](bytes_view key, bytes_view value) {
                if (key[0] == kind) found.emplace(key, value);
                return false;
              });
              if (!found) return {};
              ++damaged;
              found->second.back() = static_cast<char>(found->second.back() ^ 1);
              w.put(area::staged, found->first, found->second);
              return {};
            })
            .value();
      }
      REQUIRE(damaged == 1);
      REQUIRE(b.e->joins() == 0);
      if (reopened)
        b.reopen();
      else
        for (int n = 0; n < 20; ++n) b.e->scrub(50).value();
      for (int n = 0; n < 3 && a.digest() != b.digest(); ++n)
        static_cast<void>(sync_once(*a.e, *b.e));  // what is met on the way costs one session
      CHECK(a.digest() == b.digest());
      CHECK(b.e->status().damaged == 0);
    }
  }
}

TEST_CASE("a peer that is to have some tables only is not served a snapshot of all") {
  peer a{1}, b{2};
  a.set("k", 1).value();
  forget_log(a);
  auto some = small_once();
  some.tables = sync::table_selection::only({"table"});
  meeting m{a, b, some};
  m.run();
  REQUIRE(m.a.failure());
  CHECK(m.a.failure()->code == errc::gap);
  CHECK(b.get("k") == 0);
}

TEST_CASE("on disk: a snapshot is served, joined, continued after a restart, and served on") {
  const store_tests::temporary_directory files;
  manual_clock time{1'000'000};
  testing::prng dice{7};
  replica_options options;
  options.space = space_named("joined on disk");
  options.time = &time;
  options.random = &dice;
  options.snapshot_step_records = 20;
  options.cache_bytes = 20'000;
  using db_type = replica<notes, store::lmdb>;
  const auto open = [&](const std::string& name) {
    return db_type::open(store::lmdb::open({.path = files.path(name)}).value(), options).value();
  };
  const auto fill = [](db_type& db, int from, int to) {
    db.write([&](auto& tx) {
        for (int n = from; n < to; ++n) {
          auto fresh = tx.template create<note>(key_of(n));
          fresh.title = "note";
          fresh.likes += n;
        }
      }).value();
  };
  auto a = open("a");
  for (int n = 0; n < 2000; n += 50) fill(a, n, n + 50);
  a.endpoint().acknowledged(a.endpoint().heads());
  options.retain_log_bytes = 0;
  a = open("b");  // another, while the first is closed
  fill(a, 1990, 2100);
  auto server = open("a");
  server.endpoint().acknowledged(server.endpoint().heads());
  server.endpoint().checkpoint().value();
  REQUIRE(server.endpoint().log_floor().position == 40);
  sync_once(server.endpoint(), a.endpoint()).value();
  const auto digest = server.digest().value();
  CHECK(a.digest().value() == digest);
  CHECK(contents(a).size() == 2100);
  a = open("c");
  auto again = open("b");
  CHECK(again.digest().value() == digest);
  sync_once(again.endpoint(), a.endpoint()).value();
  CHECK(a.digest().value() == digest);
  for (int n = 0; n < 500; ++n) a.endpoint().tend().value();
  CHECK(a.digest().value() == digest);
  CHECK(titled(a, "note").size() == 2100);
}
