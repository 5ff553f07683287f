// Large sets, tallies and maps: nobody sees that they are taken apart, but for what they cost.
#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "tests/replica/large.hpp"

using namespace large_tests;

TEST_CASE("a transaction sees its changes to a large field as to a small one") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    device a{seed};
    a.options.large_field_bytes = a.dice.below(3) * 60;
    a.options.cache_bytes = a.dice.below(2) * 50'000;
    a.options.snapshot_records = 1 + a.dice.below(20);
    a.reopen();
    model m;
    bool same = true;
    for (int round = 0; round < 12; ++round) {
      a.write([&](auto& tx) {
        auto p = tx.template create<profile>("p");
        for (int n = 0; n < 40; ++n) {
          m.change(p, a.dice);
          same = same && m.agrees(p, element(a.dice.below(60)));
          if (a.dice.chance(10)) same = same && m.agrees(p);
        }
        if (a.dice.chance(10)) {
          tx.template erase<profile>("p");
          m = {};
          if (a.dice.chance(50)) m.change(tx.template create<profile>("p"), a.dice);
        }
      });
      const auto row = a.db->find<profile>("p");
      same = same && (row ? m.agrees(*row) : m.empty());
      if (a.dice.chance(20)) a.crash();
    }
    CHECK(same);
  }
}

TEST_CASE("a walk over a large field may change it, and goes on from any element") {
  device a{1};
  a.options.large_field_bytes = 0;
  a.options.cache_bytes = 0;
  a.reopen();
  fill(a, 0, 1000);
  std::vector<std::string> shown;
  a.write([&](auto& tx) {
    auto p = tx.template edit<profile>("p");
    p.badges.erase(element(300));
    p.badges.insert(element(300) + " too");
    p.badges.for_each_from(element(299), [&](const std::string& badge) {
      shown.push_back(badge);
      if (badge == element(301)) p.badges.erase(element(700));
      if (badge == element(302)) p.badges.insert(element(700) + " too");
      return badge < element(701);
    });
  });
  CHECK(shown.size() == 403);  // 299, "300 too", 301 … 699, "700 too", 701
  CHECK(std::is_sorted(shown.begin(), shown.end()));
  CHECK(shown[1] == element(300) + " too");
  CHECK(shown[401] == element(700) + " too");
  std::vector<std::string> laps;
  const auto row = a.db->find<profile>("p");
  row->laps.for_each_key_from(element(990), [&](std::string key) { laps.push_back(key); });
  CHECK(laps.size() == 10);
  std::uint64_t granted = 0;
  row->grants.for_each_from(element(998), [&](const std::string&, auto n) { granted += n; });
  CHECK(granted == 998 + 999);
}

TEST_CASE("changing one element of a large field touches that element, and a small record") {
  device a{1};
  a.options.large_field_bytes = 200;
  a.reopen();
  fill(a, 0, 2000);
  a.db->checkpoint().value();
  a.write([&](auto& tx) { tx.template edit<profile>("p").badges.insert(element(5000)); });
  CHECK(a.db->status().dirty_records == 2);
  CHECK(a.db->endpoint().record("profiles", "p").value().size() < 200);
  CHECK(parts_stored(a) == 6000);
  a.db->checkpoint().value();
  CHECK(parts_stored(a) == 6001);
  a.write([&](auto& tx) { tx.template edit<profile>("p").badges.erase(element(5000)); });
  a.db->checkpoint().value();
  CHECK(parts_stored(a) == 6000);  // no trace is left of an element that was taken out
}

TEST_CASE("the storage is asked for an element only once it was given some of its field") {
  device a{1}, b{2};
  a.options.large_field_bytes = 200;
  a.reopen();
  fill(a, 0, 50);
  hear(b, a);
  const auto tell = [&](const std::string& badge) {
    b.write([&](auto& tx) { tx.template edit<profile>("p").badges.insert(badge); });
    bytes newest;
    const auto& from = b.db->endpoint();
    b.db->endpoint()
        .read_log(from.log_end() - 1,
                  [&](auto, const auto&, auto, bytes_view data) { return newest = data, true; })
        .value();
    const std::array<bytes_view, 1> one{newest};
    return a.db->endpoint().ingest(one);
  };
  CHECK(tell(element(60)));
  a.disk.fail_nth(history::memory_operation::read, 1, errc::io);
  CHECK(tell(element(61)));
  CHECK(a.disk.has_faults());  // nothing was read
  a.disk.clear_faults();
  a.db->checkpoint().value();
  a.disk.fail_nth(history::memory_operation::read, 1, errc::io);
  CHECK_FALSE(tell(element(62)));
  a.disk.clear_faults();
  hear(a, b);
  a.reopen();
  const auto row = a.db->find<profile>("p");
  for (const int n : {60, 61, 62}) CHECK(row->badges.contains(element(n)));
  CHECK(a.db->digest().value() == b.db->digest().value());
}

TEST_CASE(
    "a part that was stored by a step that no mark covers is found while the tail is replayed") {
  device a{7};
  a.options.large_field_bytes = 0;
  a.options.snapshot_records = 30;
  a.options.snapshot_step_records = 8;
  a.reopen();
  const auto name = [&](const std::string& key, const std::string& value) {
    a.write([&](auto& tx) { tx.template create<profile>(key).name = value; });
  };
  for (int n = 0; n < 8; ++n) name("a" + std::to_string(n), "x");
  name("m", "x");
  for (int n = 0; a.db->status().dirty_records < 29; ++n) name("z" + std::to_string(n), "x");
  name("zz", std::string(200'000, 'x'));
  const auto grant = [&](std::uint64_t amount) {
    a.write([&](auto& tx) { tx.template edit<profile>("m").grants.grant("e", amount); });
  };
  grant(10);  // begins a cycle, and a step is written
  grant(5);   // with this one the part is stored as it was before
  REQUIRE(a.db->status().snapshot == 0);
  REQUIRE(parts_stored(a) == 1);
  const auto digest = a.db->digest().value();
  // As little memory as makes the replay of the log write steps of its own.
  a.options.cache_bytes = 100'000;
  a.options.snapshot_records = 1;
  a.crash();
  CHECK(a.db->find<profile>("m")->grants.at("e") == 10);
  CHECK(a.db->digest().value() == digest);
}

TEST_CASE("elements that begin alike, or are longer than a key, share a part and stay in order") {
  const std::string key(400, '\0');
  device a{1}, plain{2};
  a.options.large_field_bytes = 0;
  plain.options.large_field_bytes = ~std::size_t{0};
  a.options.cache_bytes = 0;
  a.reopen();
  plain.reopen();
  std::set<std::string> expected;
  a.write([&](auto& tx) {
    auto p = tx.template create<profile>(key);
    for (int n = 0; n < 60; ++n) {
      const std::string badge = std::string(static_cast<std::size_t>(n / 20) * 40, 'x') +
                                std::string(static_cast<std::size_t>(n), '\0') + element(n);
      p.badges.insert(badge);
      expected.insert(badge);
    }
  });
  hear(plain, a);
  a.crash();
  const auto row = a.db->find<profile>(key);
  const auto all = row->badges.get();
  CHECK(std::vector<std::string>(expected.begin(), expected.end()) == all);
  for (const auto& badge : expected) CHECK(row->badges.contains(badge));
  CHECK_FALSE(row->badges.contains(std::string(80, 'x')));
  CHECK(a.db->digest().value() == plain.db->digest().value());
}

TEST_CASE("deleting a large field and making its record anew touches no entry; they go by and by") {
  for (const bool again : {false, true}) {
    device a{1};
    a.options.large_field_bytes = 100;
    a.options.cache_bytes = 0;
    a.reopen();
    fill(a, 0, 700);
    a.db->checkpoint().value();
    CHECK(parts_stored(a) == 2100);
    a.write([](auto& tx) { tx.template erase<profile>("p"); });
    CHECK(a.db->status().dirty_records <= 1);
    a.db->checkpoint().value();
    for (int n = 0; n < 30; ++n) a.db->tend().value();
    CHECK(parts_stored(a) == 2100);  // an update that did not see it may bring all of it back
    a.write([](auto& tx) { tx.template create<profile>("p").badges.insert("new"); });
    const auto row = a.db->find<profile>("p");
    CHECK(row->badges.get() == std::vector<std::string>{"new"});
    CHECK(row->laps.keys().empty());
    CHECK(*row->grants == 0);
    if (again) fill(a, 0, 50);
    a.db->checkpoint().value();
    a.crash();  // what was to be swept is found again
    for (int n = 0; n < 30; ++n) a.db->tend().value();
    CHECK(parts_stored(a) == (again ? 151 : 0));
    CHECK(a.db->find<profile>("p")->badges.size() == (again ? 51 : 1));
  }
}

TEST_CASE("a crash between the parts of a field and its record loses no entry") {
  for (int steps = 0; steps < 12; ++steps) {
    CAPTURE(steps);
    device a{1};
    a.options.large_field_bytes = 0;
    a.options.snapshot_records = 1;
    a.options.snapshot_step_records = 1;
    a.reopen();
    a.write([](auto& tx) {
      tx.template create<profile>("a");
      tx.template create<profile>("p").badges.insert("0");
      tx.template create<profile>("z");
    });
    // While a cycle is under way that has `p` still to write:
    a.write([](auto& tx) {
      auto p = tx.template edit<profile>("p");
      for (int n = 0; n < 3; ++n) p.badges.insert(element(n)), p.laps[element(n)] += 1;
    });
    for (int n = 0; n < steps; ++n) a.write([](auto& tx) { tx.template create<profile>("a"); });
    const auto digest = a.db->digest().value();
    a.crash();
    CHECK(a.db->find<profile>("p")->badges.size() == 4);
    CHECK(a.db->find<profile>("p")->laps.size() == 3);
    CHECK(a.db->digest().value() == digest);
  }
}

TEST_CASE("a scrub that meets a damaged record which memory has newer loses no entry of it") {
  device a{1};
  a.options.large_field_bytes = 200;
  a.options.snapshot_records = 1'000'000;
  a.reopen();
  a.write([](auto& tx) { tx.template create<profile>("p").badges.insert("0"); });
  a.db->checkpoint().value();
  a.write([](auto& tx) {
    auto p = tx.template edit<profile>("p");
    for (int n = 0; n < 30; ++n) p.badges.insert(element(n));  // taken apart
  });
  const auto digest = a.db->digest().value();
  const auto table = a.db->endpoint().names().find("profiles").value();
  flip(a.disk, area::records, history::record_key(table, "p"));
  for (int n = 0; n < 10; ++n) a.db->endpoint().scrub(100).value();
  SECTION("before a snapshot writes it") { a.crash(); }
  SECTION("after") {
    a.db->checkpoint().value();
    a.crash();
  }
  CHECK(a.db->find<profile>("p")->badges.size() == 31);
  CHECK(a.db->digest().value() == digest);
}

TEST_CASE("a reader shows a large field as it was; a row of the replica as it is") {
  device a{1};
  a.options.large_field_bytes = 0;
  a.options.cache_bytes = 0;
  a.options.snapshot_records = 7;
  a.reopen();
  fill(a, 0, 300);
  auto reader = std::optional{a.db->reader().value()};
  const auto then = reader->find<profile>("p");
  const auto digest = a.db->digest().value();
  const auto now = a.db->find<profile>("p");
  a.write([](auto& tx) {
    auto p = tx.template edit<profile>("p");
    for (int n = 0; n < 300; n += 2) p.badges.erase(element(n));
  });
  CHECK(now->badges.size() == 150);
  CHECK(then->badges.size() == 300);
  CHECK(reader->digest().value() == digest);
  a.write([](auto& tx) {
    tx.template erase<profile>("p");
    tx.template create<profile>("p");
  });
  a.db->checkpoint().value();
  for (int n = 0; n < 30; ++n) a.db->tend().value();
  CHECK(parts_stored(a) == 0);
  CHECK(reader->digest().value() == digest);
  reader.reset();
  CHECK(then->badges.size() == 300);  // it keeps what it needs
  CHECK(then->laps[element(7)].get() == 7);
  CHECK_THROWS_AS(now->badges.size(), failure);
  try {
    static_cast<void>(now->badges.contains(element(1)));
  } catch (const failure& f) {
    CHECK(f.error().code == errc::stale_row);
  }
  a.db.reset();
  CHECK_THROWS_AS(then->badges.size(), failure);
}

TEST_CASE("watchers hear of changes to the entries of a large field, and of nothing else") {
  device a{1};
  a.options.large_field_bytes = 0;
  a.reopen();
  fill(a, 0, 20);
  std::vector<std::string> heard;
  const auto watching = a.db->watch<profile>([&](const change_batch<profile>& batch) {
    for (const auto& c : batch)
      heard.push_back(std::string{name_of(c.kind)} + " " + std::to_string(c.after->badges.size()));
  });
  a.write([](auto& tx) { tx.template edit<profile>("p").badges.insert("a"); });
  a.write([](auto& tx) { tx.template create<profile>("p"); });  // a touch
  a.write([](auto& tx) { tx.template edit<profile>("p").badges.erase("not there"); });
  a.write([](auto& tx) { tx.template edit<profile>("p").badges.erase("a"); });
  CHECK(heard == std::vector<std::string>{"updated 21", "updated 20"});
}

TEST_CASE("conflicts in the entries of a large map are in the ledger") {
  device a{1}, b{2};
  for (auto* d : {&a, &b}) d->options.large_field_bytes = 0, d->reopen();
  a.write([](auto& tx) { tx.template create<profile>("p").notes["x"] = "first"; });
  hear(b, a);
  a.write([](auto& tx) { tx.template edit<profile>("p").notes["x"] = "here"; });
  b.write([](auto& tx) { tx.template edit<profile>("p").notes["x"] = "there"; });
  hear(b, a);
  hear(a, b);
  for (auto* d : {&a, &b}) {
    const auto found = d->db->conflicts().value();
    REQUIRE(found.size() == 1);
    CHECK(found[0].path == std::vector<bytes>{crdt::encode_value(std::string{"x"})});
    CHECK(d->db->reader().value().conflicts().value().size() == 1);
  }
  CHECK(a.db->digest().value() == b.db->digest().value());
}

TEST_CASE("a field that an index lists stays whole; one that was large comes back to be listed") {
  device a{1};
  a.options.large_field_bytes = 0;
  a.reopen();
  fill(a, 0, 40);
  a.db->checkpoint().value();
  CHECK(parts_stored(a) == 120);
  const auto digest = a.db->digest().value();
  a.db.reset();
  for (int round = 0; round < 3; ++round) {
    CAPTURE(round);
    auto db = replica<indexed_app, memory_storage>::open(a.disk.share(), a.options).value();
    std::vector<std::string> found;
    const auto list = [&] {
      found.clear();
      db.query<profile>()
          .by<&profile::badges>()
          .equal(element(7))
          .for_each([&](std::string_view key, const profile&) { found.emplace_back(key); });
    };
    list();
    CHECK(found == std::vector<std::string>{"p"});
    CHECK(db.digest().value() == digest);
    const auto packed = db.endpoint().record("profiles", "p").value();
    const auto badges = *db.endpoint().names().find("badges");
    const auto value = crdt::read_cell(packed).value;
    CHECK_FALSE(state::field_state(value, {badges, crdt::kind::or_set}).empty());
    if (round == 1) db.checkpoint().value();
    db.checkpoint().value();
  }
  CHECK(parts_stored(a) == 0);  // the sweep came by
}

TEST_CASE("the rows of a page outlive their query, and still find what is large") {
  device a{1};
  a.options.large_field_bytes = 0;
  a.db.reset();
  auto db = replica<indexed_app, memory_storage>::open(a.disk.share(), a.options).value();
  db.write([](auto& tx) {
      auto p = tx.template create<profile>("p");
      p.badges.insert("b");
      p.notes["n"] = "of many bytes";
    }).value();
  const auto page = db.query<profile>().by<&profile::badges>().limit(2).page();
  REQUIRE(page.rows.size() == 1);
  CHECK(page.rows[0]->notes["n"].get() == "of many bytes");
}

TEST_CASE("an index that is declared while the log is damaged counts nothing twice later") {
  for (int steps = 0; steps < 16; ++steps) {
    CAPTURE(steps);
    device a{1}, whole{2};
    a.options.large_field_bytes = 0;
    a.options.snapshot_records = 1;
    a.options.snapshot_step_records = 1;
    a.reopen();
    a.write([](auto& tx) {
      tx.template create<profile>("a");
      tx.template create<profile>("p").laps["x"] += 1;
      tx.template create<profile>("z");
    });
    for (int n = 0; n < 3 + steps; ++n)
      a.write([](auto& tx) { tx.template edit<profile>("p").laps["x"] += 1; });
    hear(whole, a);
    const auto digest = a.db->digest().value();
    const auto last = a.db->endpoint().log_size();
    for (auto position = last; position > last - 3; --position) {
      CAPTURE(position);
      device b{3};
      b.db.reset();
      b.disk.put_back(a.disk.clone());
      flip(b.disk, area::log, history::position_key(position));
      auto db = replica<indexed_app, memory_storage>::open(b.disk.share(), b.options).value();
      const auto log = whole.db->endpoint().changeset_at(a.db->endpoint().self(), position).value();
      if (db.status().stopped_at)
        CHECK(db.endpoint().take_back({a.db->endpoint().self(), position}, log).value());
      CHECK(db.digest().value() == digest);
      CHECK(*db.find<profile>("p")->laps["x"] == static_cast<std::int64_t>(last));
    }
  }
}

TEST_CASE("a damaged entry of a large field is made anew from the log, or fetched") {
  for (int way = 0; way < 8; ++way) {
    CAPTURE(way);
    device a{1}, b{2};
    a.options.large_field_bytes = 0;
    a.options.cache_bytes = 0;
    a.reopen();
    fill(a, 0, 30);
    a.write([](auto& tx) { tx.template edit<profile>("p").laps[element(3)] += 10; });
    hear(b, a);
    auto digest = a.db->digest().value();
    a.db->checkpoint().value();
    a.reopen();
    const bool lost = way >= 5;  // the log as well
    flip_part(a, "badges", element(3));
    flip_part(a, "laps", element(3));
    if (lost) flip(a.disk, area::log, history::position_key(1));
    const auto badge = [&] { return a.db->find<profile>("p")->badges.contains(element(3)); };
    const auto lap = [&] { return a.db->find<profile>("p")->laps[element(3)].get(); };
    switch (way) {
      case 0: break;
      case 1: CHECK(a.db->digest().value() == digest); break;
      case 2:
        CHECK(a.db->find<profile>("p")->badges.size() == 30);
        CHECK(a.db->find<profile>("p")->laps.size() == 30);
        break;
      case 3:
        while (!a.db->endpoint().scrub(3).value()) {}
        break;
      case 4:
        a.write([](auto& tx) { tx.template edit<profile>("p").badges.insert(element(3)); });
        digest = a.db->digest().value();
        break;
      default: {
        CHECK_THROWS_AS(badge(), failure);
        CHECK_THROWS_AS(lap(), failure);
        CHECK_THROWS_AS(a.db->find<profile>("p")->laps.size(), failure);
        CHECK(a.db->find<profile>("p")->badges.contains(element(4)));
        CHECK_FALSE(a.db->digest());
        CHECK_THROWS_AS(a.db->reader().value().find<profile>("p")->laps.size(), failure);
        if (way == 6) a.crash();
        if (way == 7) {  // what others change meanwhile counts once it is back
          b.write([](auto& tx) { tx.template edit<profile>("p").laps[element(3)] += 100; });
          hear(a, b);
          digest = b.db->digest().value();
        }
        CHECK(fetch(a, b));
      }
    }
    CHECK(badge());
    CHECK(lap() == (way == 7 ? 113 : 13));
    CHECK(a.db->status().damaged == 0);
    CHECK(a.db->digest().value() == digest);
    a.crash();
    CHECK(a.db->digest().value() == digest);
  }
}

TEST_CASE("sets of any size in a small memory: the same digest as in one string") {
  bounded(1500, 20, 40'000, true);
}
TEST_CASE("a million entries in each of three fields, with a cache of 1 MB", "[.][large]") {
  bounded(1'000'000, 1000, 1u << 20, false);
}
