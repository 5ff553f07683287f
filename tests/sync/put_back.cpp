// Stores that were put back, or take a new id, where the log does not reach back to the beginning.
#include <catch2/catch.hpp>

#include "tests/sync/notebook.hpp"

using namespace sync_tests;
using replica_tests::failed_with;
using transport::sync_once;

TEST_CASE("a store that was put back and whose log was dropped loses nothing and mixes nothing") {
  peer a{1}, b{2};
  for (int n = 0; n < 10; ++n) b.set("k" + std::to_string(n), n).value();
  sync_once(*a.e, *b.e).value();
  forget_log(b);
  const auto image = b.disk.clone();
  b.set("k1", 100).value();
  sync_once(*a.e, *b.e).value();
  b.e.reset();
  b.disk.put_back(image);
  b.open().value();
  SECTION("it wrote nothing: it takes a new id and what it had given away") {
    const auto former = b.id();
    sync_once(*a.e, *b.e).value();
    CHECK(b.id() != former);
    CHECK(b.digest() == a.digest());
    b.set("k2", 200).value();
    sync_once(*a.e, *b.e).value();
    CHECK(b.digest() == a.digest());
    CHECK(a.get("k2") == 200);
  }
  SECTION("it wrote: that goes on under a new id, and what it changed comes back from the peer") {
    b.set("only here", 7).value();
    b.set("k5", 55).value();
    b.erase("k6").value();
    const auto former = b.id();
    sync_once(*a.e, *b.e).value();
    sync_once(*a.e, *b.e).value();
    CHECK(b.id() != former);
    CHECK(b.digest() == a.digest());
    for (auto* p : {&a, &b}) {
      CHECK(p->get("only here") == 7);
      CHECK(p->get("k1") == 100);
      CHECK(p->get("k5") == 55);
      CHECK(p->get("k6") == 0);
      CHECK(p->get("k7") == 7);
    }
    CHECK(b.e->status().damaged == 0);
    b.reopen();
    CHECK(b.digest() == a.digest());
    b.set("k5", 56).value();
    sync_once(*a.e, *b.e).value();
    CHECK(b.digest() == a.digest());
  }
  SECTION("it wrote, and the log does not reach back to where the two part") {
    b.set("only here", 7).value();
    b.options.retain_log_bytes = 0;
    b.reopen();
    b.e->acknowledged({{{b.id(), 100, {}}}});
    b.e->checkpoint().value();
    const auto before = b.digest();
    CHECK(failed_with(sync_once(*a.e, *b.e), errc::gap));
    CHECK(b.digest() == before);
    CHECK(b.get("only here") == 7);
    CHECK(a.get("only here") == 0);
  }
}

TEST_CASE("a restored phone that was bootstrapped loses no increment and counts none twice") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    notebook<notes> server{10 * seed}, phone{10 * seed + 1};
    testing::prng dice{seed};
    std::map<std::string, std::int64_t> likes;
    const auto write = [&](notebook<notes>& on) {
      const auto n = static_cast<int>(dice.below(6));
      const auto more = 1 + static_cast<int>(dice.below(5));
      on.write(n, "title " + std::to_string(dice.below(3)), more);
      likes[key_of(n)] += more;
    };
    for (int n = 0; n < 12; ++n) write(server);
    server.forget_log();
    sync_once(server.db->endpoint(), phone.db->endpoint()).value();
    for (int n = 0; n < 4; ++n) write(phone);
    sync_once(server.db->endpoint(), phone.db->endpoint()).value();
    if (dice.chance(50)) phone.db->endpoint().checkpoint().value();
    const auto image = phone.disk.clone();
    for (int n = 0; n < 3; ++n) write(phone);
    sync_once(server.db->endpoint(), phone.db->endpoint()).value();
    phone.db.reset();
    phone.disk.put_back(image);
    phone.open();
    for (auto n = dice.below(4); n > 0; --n) write(phone);
    if (dice.chance(50)) write(server);
    for (int n = 0; n < 2; ++n) sync_once(server.db->endpoint(), phone.db->endpoint()).value();
    REQUIRE(server.digest() == phone.digest());
    for (const auto& [key, content] : contents(*phone.db)) CHECK(content.second == likes.at(key));
    CHECK(contents(*phone.db).size() == likes.size());
  }
}

TEST_CASE("a new id while a snapshot is staged changes nothing of it") {
  int joined = 0;
  for (std::uint64_t cut = 400; cut < 4000; cut += 300) {
    CAPTURE(cut);
    peer a{1}, b{2};
    for (int n = 0; n < 60; ++n) a.set("k" + std::to_string(n), n).value();
    forget_log(a);
    b.set("mine", 1).value();
    b.set("k3", 300).value();
    transport::pipe_options p;
    p.chunk = 50;
    p.cut_after = cut;
    meeting{a, b, small_once(), p}.run();
    joined += b.e->joins() > 0 ? 1 : 0;
    b.e->renew(1).value();
    for (int n = 0; n < 2; ++n) sync_once(*a.e, *b.e).value();
    CHECK(a.digest() == b.digest());
    CHECK(a.get("mine") == 1);
    b.reopen();
    CHECK(a.digest() == b.digest());
  }
  CHECK(joined > 0);
  CHECK(joined < 12);
}
