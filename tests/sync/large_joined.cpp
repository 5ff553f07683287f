// Large fields and snapshots: what is served, joined and swept, and what if an entry is damaged.
#include <catch2/catch.hpp>

#include "joinery/transport/pipe.hpp"
#include "tests/replica/large.hpp"

using namespace large_tests;
using transport::sync_once;

namespace {

void forget_log(device& d) {
  d.db->endpoint().acknowledged(d.db->endpoint().heads());
  d.options.retain_log_bytes = 0;
  d.reopen();
  d.db->endpoint().acknowledged(d.db->endpoint().heads());
  d.db->endpoint().checkpoint().value();
  REQUIRE(d.db->endpoint().log_floor().position > 0);
}
void tend(device& d) {
  for (int n = 0; n < 60; ++n) d.db->tend().value();
}
/// What a snapshot finds in `b`'s store: `field`'s entry 7 damaged, and the log as well.
void damage(device& b) {
  b.db->checkpoint().value();
  flip_part(b, "badges", element(7));
  flip(b.disk, area::log, history::position_key(1));
  b.reopen();
}

}  // namespace

TEST_CASE("a snapshot is joined into large fields, and nothing of them is lost or comes back") {
  for (int way = 0; way < 7; ++way) {
    CAPTURE(way);
    device a{1}, b{2}, whole{3};
    whole.options.large_field_bytes = ~std::size_t{0};
    for (auto* d : {&a, &b}) {
      d->options.large_field_bytes = 100;
      d->options.cache_bytes = 5000;
      d->options.snapshot_records = 30;
      d->options.snapshot_step_records = 20;
      d->reopen();
    }
    whole.reopen();
    fill(a, 0, 150);
    sync_once(a.db->endpoint(), b.db->endpoint()).value();
    a.write([](auto& tx) {
      auto p = tx.template edit<profile>("p");
      for (int n = 0; n < 100; n += 2) p.badges.erase(element(n)), p.laps.erase(element(n));
      p.notes["of a"] = "a";
      tx.template create<profile>("q").badges.insert("only there");
      for (int n = 0; n < 120; ++n) tx.template create<profile>("a " + element(n));
    });
    b.write([](auto& tx) {
      auto p = tx.template edit<profile>("p");
      for (int n = 90; n < 200; ++n) p.badges.insert(element(n)), p.laps[element(n)] += 1;
      p.notes["of b"] = "b";
    });
    for (auto* d : {&a, &b}) hear(whole, *d);
    forget_log(a);
    const bool damaged = way == 2 || way == 3;
    if (damaged) damage(b);
    if (way == 3) CHECK_FALSE(b.db->digest());  // it was known before
    sync_once(a.db->endpoint(), b.db->endpoint()).value();
    REQUIRE(b.db->endpoint().joins() == 1);
    if (way == 1 || way == 4) b.crash();
    if (way == 4) {  // nothing that is still to be joined may be swept
      for (int n = 0; n < 2; ++n) b.db->tend().value();
      CHECK(replica_tests::joining(b.disk));
      b.crash();
    }
    if (way == 6) {  // an entry is found damaged while its record is still to be joined
      CHECK(replica_tests::joining(b.disk));
      flip_part(b, "badges", element(7));
      while (!b.db->endpoint().scrub(1000).value()) {}
      CHECK_FALSE(b.db->digest());
      CHECK(fetch(b, whole));
    }
    if (way == 5) {  // while the join is being written
      b.write([](auto& tx) { tx.template edit<profile>("p").badges.insert("since then"); });
      hear(whole, b);
      b.crash();
    }
    if (damaged && !b.db->digest()) CHECK(fetch(b, whole));  // or the session saw to it
    const auto digest = whole.db->digest().value();
    CHECK(b.db->digest().value() == digest);
    CHECK(b.db->reader().value().digest().value() == digest);
    tend(b);
    CHECK(b.db->digest().value() == digest);
    b.db->checkpoint().value();
    b.crash();
    tend(b);
    b.db->checkpoint().value();
    CHECK(b.db->digest().value() == digest);
    CHECK(b.db->find<profile>("p")->notes["of a"].get() == "a");
    CHECK_FALSE(b.db->find<profile>("p")->badges.contains(element(88)));
    if (!damaged) {  // its log is
      hear(a, b);
      CHECK(a.db->digest().value() == digest);
    }
    b.write([](auto& tx) { tx.template edit<profile>("p").badges.insert("at last"); });
    b.db->checkpoint().value();
    tend(b);
    CHECK(parts_stored(b) > 150);  // apart again, with its next change
  }
}
