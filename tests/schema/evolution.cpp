// Programs of different ages in one space: each keeps, merges and forwards what it does not know.
#include <catch2/catch.hpp>

#include "tests/schema/rich.hpp"

namespace older {
struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile,
    (joinery::lww<std::string>, display_name), (joinery::pn_counter, balance));
};
using app = joinery::tables<joinery::table<"profiles", profile>>;
}  // namespace older

using namespace schema_tests;
using old_device = device<older::app>;

namespace {

void change(device_type& d, int n) {
  const auto text = std::to_string(n);
  d.write([&](tx_type& tx) {
     auto p = tx.create<profile>("me");
     p.display_name = "Ana " + text;
     p.balance += n;
     p.badges.insert("badge " + std::to_string(n % 3));
     if (n % 4 == 3) p.badges.erase("badge 1");
     p.xp.grant(text, 10);
     p.longest_km.put(n);
     p.shares = n % 2 == 0;
     p.gear["shoes"].insert("pair " + text);
     if (n % 5 == 4) p.gear.erase("shoes");
     p.laps["track"][n % 2] += 1;
     tx.create<post>("post").likes += 1;
     if (n % 3 == 2) tx.erase<post>("post");
   }).value();
}

}  // namespace

TEST_CASE("a program that knows less merges, digests and forwards everything") {
  device_type a{1}, b{2}, later{3};
  old_device old{4};
  for (int n = 0; n < 12; ++n) {
    change(n % 2 == 0 ? a : b, n);
    if (n % 3 == 0) {  // the newer ones only meet through the older
      meet(old, a);
      meet(old, b);
      old.write([&](old_device::tx& tx) {
           auto p = tx.create<older::profile>("me");
           p.balance += 100;
           p.display_name = "Old";
         })
          .value();
    }
    if (n == 7) {
      old.db.checkpoint().value();
      old.reopen();
    }
  }
  meet(old, a);
  meet(old, b);
  a.take(old);
  later.take(old);
  CHECK(a.digest() == b.digest());
  CHECK(a.digest() == old.digest());
  CHECK(a.digest() == later.digest());
  const auto p = later.db.find<profile>("me");
  const auto q = a.db.find<profile>("me");
  CHECK(p->xp.get() == 120);
  CHECK(p->badges.get() == q->badges.get());
  CHECK_FALSE(p->badges.empty());
  CHECK(*p->laps["track"][0] == *q->laps["track"][0]);
  CHECK(*old.db.find<older::profile>("me")->balance == *q->balance);
  CHECK(old.db.endpoint().conflicts().value().size() == a.db.endpoint().conflicts().value().size());
}

TEST_CASE("after its upgrade a program simply sees what was there") {
  device_type a{1};
  memory_storage disk;
  manual_clock time{1'000'000};
  testing::prng dice{2};
  const replica_options options{.space = space_named("schemas"), .time = &time, .random = &dice};
  string digest;
  {
    auto old = replica<older::app, memory_storage>::open(disk.share(), options).value();
    for (int n = 0; n < 5; ++n) change(a, n);
    const auto log = a.log();
    const std::vector<bytes_view> views(log.begin(), log.end());
    old.endpoint().ingest(views).value();
    old.write([](auto& tx) { tx.template create<older::profile>("me").balance += 1; }).value();
    old.checkpoint().value();
    digest = old.digest().value().hex();
  }
  auto upgraded = device_type::database::open(disk.share(), options).value();
  CHECK(upgraded.digest().value().hex() == digest);
  const auto p = upgraded.find<profile>("me");
  CHECK(p->xp.get() == 50);
  CHECK(p->longest_km.get() == 4.0);
  CHECK(*p->balance == 11);
  // And back again: the downgrade loses nothing either.
  upgraded.write([](tx_type& tx) { tx.edit<profile>("me").motto = "new"; }).value();
  const auto newer = upgraded.digest().value().hex();
  auto downgraded = replica<older::app, memory_storage>::open(disk.share(), options).value();
  CHECK(downgraded.digest().value().hex() == newer);
}

TEST_CASE("a deletion by a program that knows less takes what it never understood along") {
  device_type a{1};
  old_device old{2};
  change(a, 1);
  old.take(a);
  old.write([](old_device::tx& tx) { tx.erase<older::profile>("me"); }).value();
  a.take(old);
  CHECK_FALSE(a.db.find<profile>("me"));
  old.write([](old_device::tx& tx) { tx.create<older::profile>("me").balance += 5; }).value();
  a.take(old);
  CHECK(a.db.find<profile>("me")->badges.empty());
  CHECK(a.digest() == old.digest());
}

TEST_CASE(
    "a field that two programs give different kinds keeps both values, and shows each its own") {
  struct counted {
    BOOST_HANA_DEFINE_STRUCT(counted, (pn_counter, score));
  };
  struct written {
    BOOST_HANA_DEFINE_STRUCT(written, (lww<int>, score));
  };
  using counting = tables<table<"t", counted>>;
  using writing = tables<table<"t", written>>;
  device<counting> a{1};
  device<writing> b{2};
  a.write([](device<counting>::tx& tx) { tx.create<counted>("k").score += 5; }).value();
  b.write([](device<writing>::tx& tx) { tx.create<written>("k").score = 9; }).value();
  meet(a, b);
  CHECK(a.digest() == b.digest());
  CHECK(*a.db.find<counted>("k")->score == 5);
  CHECK(*b.db.find<written>("k")->score == 9);
  CHECK(schema::contradiction(counting::describe(), writing::describe()));
}
