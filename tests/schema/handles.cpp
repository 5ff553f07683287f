// The user's struct: what its handles read and write, and what that sends.
#include <catch2/catch.hpp>

#include "tests/schema/rich.hpp"

using namespace schema_tests;
using strings = std::vector<string>;

TEST_CASE("a schema describes its tables and fields by name, nested structs with a dot") {
  const auto d = rich::describe();
  REQUIRE(d.tables.size() == 2);
  CHECK(d.tables[0].name == "profiles");
  CHECK(d.tables[0].rule == update_wins);
  CHECK(d.tables[1].name == "posts");
  CHECK(d.tables[1].rule == delete_wins);
  std::map<string, string> fields;
  for (const auto& f : d.tables[0].fields)
    fields[f.name] = std::to_string(f.type.code()) + " " + f.values;
  const auto code = [](crdt::shape s) { return std::to_string(s.code()); };
  using crdt::kind;
  using crdt::shape;
  CHECK(fields == std::map<string, string>{
                      {"display_name", code(kind::lww) + " text"},
                      {"motto", code(kind::mv) + " text"},
                      {"badges", code(kind::or_set) + " text"},
                      {"balance", code(kind::pn_counter) + " "},
                      {"visits", code(kind::g_counter) + " "},
                      {"xp", code(kind::tally) + " text"},
                      {"longest_km", code(kind::max_of) + " double"},
                      {"shares", code(kind::flag) + " "},
                      {"favourite", code(kind::lww) + " int"},
                      {"now.weight_kg", code(kind::lww) + " double"},
                      {"now.resting_pulse", code(kind::min_of) + " int"},
                      {"plan.weekly", code(kind::lww) + " int"},
                      {"plan.target.weight_kg", code(kind::lww) + " double"},
                      {"plan.target.resting_pulse", code(kind::min_of) + " int"},
                      {"bests", code(shape::map_of(kind::max_of)) + " text double"},
                      {"gear", code(shape::map_of(kind::or_set)) + " text text"},
                      {"laps", code(shape::map_of(shape::map_of(kind::pn_counter))) + " text int "},
                      {"notes", code(shape::map_of(kind::lww)) + " text text"}});
}

namespace {

void fill(profile& p) {
  p.display_name = "Ana";
  p.motto = "run";
  p.badges.insert("first-5k");
  p.badges.insert("early-bird");
  p.balance += 50;
  p.balance -= 8;
  p.visits += 3;
  p.xp.grant("workout 1", 100);
  p.xp.grant("workout 2", 20);
  p.longest_km.put(21.1);
  p.shares = true;
  p.favourite = sport::ride;
  p.now.weight_kg = 61.5;
  p.now.resting_pulse.put(48);
  p.plan.weekly = 4;
  p.plan.target.weight_kg = 60;
  p.plan.target.resting_pulse.put(45);
  p.bests["10k"].put(41.5);
  p.gear["shoes"].insert("blue");
  p.gear["shoes"].insert("red");
  p.laps["track"][400] += 5;
  p.laps["track"][200] += 2;
  p.notes["knee"] = "fine";
}

void check_filled(const profile& p) {
  CHECK(*p.display_name == "Ana");
  CHECK(p.display_name.is_set());
  CHECK(p.motto.get() == strings{"run"});
  CHECK(p.badges.get() == strings{"early-bird", "first-5k"});
  CHECK(p.badges.contains("first-5k"));
  CHECK(p.badges.size() == 2);
  CHECK(*p.balance == 42);
  CHECK(*p.visits == 3);
  CHECK(*p.xp == 120);
  CHECK(p.xp.at("workout 2") == 20u);
  CHECK_FALSE(p.xp.at("workout 3"));
  CHECK(p.longest_km.get() == 21.1);
  CHECK(*p.shares);
  CHECK(*p.favourite == sport::ride);
  CHECK(*p.now.weight_kg == 61.5);
  CHECK(p.now.resting_pulse.get() == 48);
  CHECK(*p.plan.weekly == 4);
  CHECK(*p.plan.target.weight_kg == 60);
  CHECK(p.plan.target.resting_pulse.get() == 45);
  CHECK(p.bests.keys() == strings{"10k"});
  CHECK(p.bests["10k"].get() == 41.5);
  CHECK_FALSE(p.bests["5k"].get());
  CHECK(p.gear["shoes"].get() == strings{"blue", "red"});
  CHECK(*p.laps["track"][400] == 5);
  CHECK(p.laps["track"].keys() == std::vector<int>{200, 400});
  CHECK(p.laps["road"].size() == 0);
  CHECK(*p.notes["knee"] == "fine");
  CHECK(p.notes.contains("knee"));
  CHECK_FALSE(p.notes.contains("hip"));
}

}  // namespace

TEST_CASE(
    "every kind of field reads what was written, in the transaction, after it and elsewhere") {
  device_type a{1};
  a.write([](tx_type& tx) {
     auto p = tx.create<profile>("me");
     fill(p);
     check_filled(p);
     check_filled(tx.edit<profile>("me"));
   }).value();
  check_filled(*a.db.find<profile>("me"));
  a.reopen();
  check_filled(*a.db.find<profile>("me"));
  a.db.checkpoint().value();
  a.reopen();
  check_filled(*a.db.find<profile>("me"));
  device_type b{2};
  b.take(a);
  check_filled(*b.db.find<profile>("me"));
  CHECK(a.digest() == b.digest());
}

TEST_CASE("a field that was never written reads as its default") {
  device_type a{1};
  a.write([](tx_type& tx) { tx.create<profile>("me"); }).value();
  const auto p = a.db.find<profile>("me");
  REQUIRE(p);
  CHECK(p.key() == "me");
  CHECK(p->display_name.get().empty());
  CHECK_FALSE(p->display_name.is_set());
  CHECK(p->motto.get().empty());
  CHECK(p->badges.empty());
  CHECK(*p->balance == 0);
  CHECK(*p->xp == 0);
  CHECK_FALSE(p->longest_km.get());
  CHECK_FALSE(*p->shares);
  CHECK(*p->now.weight_kg == 0);
  CHECK(p->bests.keys().empty());
  CHECK(*p->laps["a"][1] == 0);
}

TEST_CASE("a transaction sees its own writes, removals and re-creations") {
  device_type a{1};
  a.write([](tx_type& tx) {
     auto p = tx.create<profile>("me");
     fill(p);
   }).value();
  a.write([](tx_type& tx) {
     auto p = tx.edit<profile>("me");
     p.badges.erase("first-5k");
     CHECK(p.badges.get() == strings{"early-bird"});
     p.badges.insert("first-5k");
     p.badges.erase("early-bird");
     CHECK(p.badges.get() == strings{"first-5k"});
     p.shares = false;
     CHECK_FALSE(*p.shares);
     p.shares = true;
     CHECK(*p.shares);
     CHECK(p.laps.erase("track"));
     CHECK_FALSE(p.laps.erase("track"));
     CHECK_FALSE(p.laps.contains("track"));
     CHECK(*p.laps["track"][400] == 0);
     p.laps["track"][400] += 1;
     CHECK(*p.laps["track"][400] == 1);
     CHECK(p.laps["track"].keys() == std::vector<int>{400});
     p.notes.create("hip");
     CHECK(p.notes.contains("hip"));
     CHECK(tx.contains<profile>("me"));
     CHECK(tx.erase<profile>("me"));
     CHECK_FALSE(tx.erase<profile>("me"));
     CHECK_FALSE(tx.contains<profile>("me"));
     CHECK_FALSE(tx.find<profile>("me"));
     auto fresh = tx.create<profile>("me");
     CHECK(fresh.badges.empty());
     CHECK(*fresh.balance == 0);
     CHECK(fresh.bests.keys().empty());
     fresh.balance += 1;
     CHECK(*p.balance == 1);  // an old handle is the same record
   }).value();
  const auto p = a.db.find<profile>("me");
  CHECK(*p->balance == 1);
  CHECK(p->badges.empty());
  CHECK_FALSE(p->display_name.is_set());
}

TEST_CASE("a transaction is one changeset with one small operation for each field or element") {
  device_type a{1};
  a.write([](tx_type& tx) { tx.create<profile>("first"); }).value();  // the table's descriptor too
  a.write([](tx_type& tx) {
     auto p = tx.create<profile>("me");
     for (int i = 0; i < 100; ++i) {
       p.display_name = "Ana " + std::to_string(i);
       p.balance += i;
       p.badges.insert("one");
       p.longest_km.put(i);
       p.notes["knee"] = std::to_string(i);
       p.laps["track"][400] += 1;
       tx.create<profile>("me");
     }
   }).value();
  CHECK(a.db.endpoint().log_size() == 2);
  const auto ops = a.last_ops();
  CHECK(ops.size() == 7);
  CHECK(a.log().back().size() < 250);
  CHECK(*a.db.find<profile>("me")->balance == 4950);
  CHECK(*a.db.find<profile>("me")->laps["track"][400] == 100);
  a.write([](tx_type& tx) { tx.edit<profile>("me").badges.insert("two"); }).value();
  CHECK(a.last_ops().size() == 1);
  CHECK(a.log().back().size() < 80);
  // Nothing done, nothing sent.
  CHECK_FALSE(a.write([](tx_type& tx) {
                 static_cast<void>(tx.edit<profile>("me").display_name.get());
               }).value());
  CHECK(a.db.endpoint().log_size() == 3);
}

TEST_CASE("writing what is there already is a change that survives a concurrent removal") {
  device_type a{1};
  device_type b{2};
  a.write([](tx_type& tx) {
     auto p = tx.create<profile>("me");
     fill(p);
     auto q = tx.create<profile>("you");
     q.display_name = "Bo";
   }).value();
  b.take(a);
  a.write([](tx_type& tx) {
     auto p = tx.edit<profile>("me");
     p.badges.insert("first-5k");
     p.shares = true;
     p.notes["knee"] = "fine";
     p.gear.create("shoes");
     tx.edit<profile>("you").display_name = "Bo";
   }).value();
  b.write([](tx_type& tx) {
     auto p = tx.edit<profile>("me");
     p.badges.erase("first-5k");
     p.badges.erase("early-bird");
     p.shares = false;
     p.notes.erase("knee");
     p.gear.erase("shoes");
     p.bests.erase("10k");
     tx.erase<profile>("you");
   }).value();
  meet(a, b);
  CHECK(a.digest() == b.digest());
  const auto p = b.db.find<profile>("me");
  CHECK(p->badges.get() == strings{"first-5k"});
  CHECK(*p->shares);
  CHECK(*p->notes["knee"] == "fine");
  CHECK(p->gear["shoes"].get() == strings{"blue", "red"});
  CHECK(p->bests.keys().empty());
  CHECK(*b.db.find<profile>("you")->display_name == "Bo");
}

TEST_CASE("a record of a delete_wins table stays deleted, whatever was written to it meanwhile") {
  device_type a{1};
  device_type b{2};
  a.write([](tx_type& tx) { tx.create<post>("p").text = "hello"; }).value();
  b.take(a);
  a.write([](tx_type& tx) { tx.erase<post>("p"); }).value();
  b.write([](tx_type& tx) { tx.edit<post>("p").likes += 1; }).value();
  b.write([](tx_type& tx) { tx.create<post>("p"); }).value();
  meet(a, b);
  CHECK_FALSE(a.db.find<post>("p"));
  CHECK_FALSE(b.db.find<post>("p"));
  CHECK(failed_with(b.write([](tx_type& tx) { tx.edit<post>("p"); }), errc::not_found));
  b.write([](tx_type& tx) { tx.create<post>("p").likes += 7; }).value();
  a.take(b);
  CHECK(*a.db.find<post>("p")->likes == 7);
  CHECK(a.db.find<post>("p")->text.get().empty());
  CHECK(a.digest() == b.digest());
}

TEST_CASE("an exception in a transaction leaves nothing behind") {
  device_type a{1};
  a.write([](tx_type& tx) { tx.create<profile>("me").balance += 1; }).value();
  const auto digest = a.digest();
  const auto names = a.db.endpoint().names().size();
  struct stop {};
  const auto half = [](tx_type& tx) {
    auto p = tx.edit<profile>("me");
    fill(p);
    tx.create<post>("p").text = "x";
    tx.erase<profile>("me");
  };
  CHECK_THROWS_AS(a.write([&](tx_type& tx) {
                     half(tx);
                     throw stop{};
                   }).value(),
                  stop);
  CHECK(failed_with(a.write([&](tx_type& tx) {
    half(tx);
    throw failure({errc::io, "of the body", "", ""});
  }),
                    errc::io));
  CHECK(a.digest() == digest);
  CHECK(a.db.endpoint().log_size() == 1);
  CHECK(a.db.endpoint().names().size() == names);
  CHECK_FALSE(a.db.find<post>("p"));
  CHECK(a.write([](tx_type& tx) { tx.edit<profile>("me").balance += 1; }).value()->seq == 2);
  CHECK(*a.db.find<profile>("me")->balance == 2);
  a.reopen();
  CHECK(*a.db.find<profile>("me")->balance == 2);
}

TEST_CASE("misuse of a transaction is refused with the place, and nothing of it stays") {
  device_type a{1};
  a.write([](tx_type& tx) { tx.create<profile>("me").balance += 1; }).value();
  const auto digest = a.digest();
  const auto refuse = [&](errc code, auto body) {
    const auto done = a.write(body);
    REQUIRE(failed_with(done, code));
    CHECK(a.digest() == digest);
    CHECK(a.db.endpoint().log_size() == 1);
    return done.error().text();
  };
  CHECK_THAT(refuse(errc::not_found, [](tx_type& tx) { tx.edit<post>("gone"); }),
             Catch::Contains("posts[\"gone\"]"));
  CHECK_THAT(refuse(errc::dead_record,
                    [](tx_type& tx) {
                      auto p = tx.edit<profile>("me");
                      tx.erase<profile>("me");
                      p.balance += 1;
                    }),
             Catch::Contains("profiles[\"me\"] field balance"));
  refuse(errc::dead_record, [](tx_type& tx) {
    auto p = tx.edit<profile>("me");
    tx.erase<profile>("me");
    p.notes["x"] = "y";
  });
  refuse(errc::invalid_argument, [](tx_type& tx) { tx.create<profile>(""); });
  refuse(errc::too_large, [](tx_type& tx) { tx.create<profile>(string(401, 'k')); });
  refuse(errc::invalid_argument,
         [](tx_type& tx) { tx.edit<profile>("me").longest_km.put(std::nan("")); });
  refuse(errc::invalid_argument, [](tx_type& tx) { tx.edit<profile>("me").visits += -1; });
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  CHECK_THAT(refuse(errc::overflow, [](tx_type& tx) { tx.edit<profile>("me").balance += most; }),
             Catch::Contains("balance"));
  refuse(errc::overflow, [](tx_type& tx) {
    auto p = tx.edit<profile>("me");
    p.balance += -5;
    p.balance += least + 4;
    p.balance += -1;
  });
  refuse(errc::overflow, [](tx_type& tx) { tx.edit<profile>("me").balance -= least; });
  refuse(errc::overflow, [](tx_type& tx) {
    auto p = tx.edit<profile>("me");
    p.laps["a"][1] += most;
    p.laps["a"][1] += 1;
  });
  a.write([](tx_type& tx) { tx.create<profile>(string(400, 'k')).balance += most; }).value();
  CHECK(*a.db.find<profile>(string(400, 'k'))->balance == most);
}

TEST_CASE("totals of several replicas beyond 64 bits are cut once, and say so") {
  device_type a{1};
  device_type b{2};
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  a.write([](tx_type& tx) { tx.create<profile>("me").balance += most; }).value();
  b.write([](tx_type& tx) { tx.create<profile>("me").balance += most; }).value();
  meet(a, b);
  CHECK(*a.db.find<profile>("me")->balance == most);
  CHECK(a.db.find<profile>("me")->balance.clamped());
  b.write([](tx_type& tx) { tx.edit<profile>("me").balance += -most; }).value();
  a.take(b);
  CHECK(*a.db.find<profile>("me")->balance == most);
  CHECK_FALSE(a.db.find<profile>("me")->balance.clamped());
}

TEST_CASE("a row is a copy of its moment, and writing through it is refused") {
  device_type a{1};
  a.write([](tx_type& tx) {
     auto p = tx.create<profile>("me");
     fill(p);
   }).value();
  const auto row = a.db.find<profile>("me");
  auto p = *row;
  const auto refused = [](auto&& change) {
    try {
      change();
    } catch (const failure& f) {
      return f.error().code == errc::read_only;
    }
    return false;
  };
  CHECK(refused([&] { p.display_name = "x"; }));
  CHECK(refused([&] { p.balance += 1; }));
  CHECK(refused([&] { p.badges.insert("x"); }));
  CHECK(refused([&] { p.xp.grant("x", 1); }));
  CHECK(refused([&] { p.notes["x"] = "y"; }));
  CHECK(refused([&] { p.laps["x"][1] += 1; }));
  CHECK(refused([&] { p.notes.erase("knee"); }));
  a.write([](tx_type& tx) { tx.erase<profile>("me"); }).value();
  check_filled(*row);
  CHECK_FALSE(a.db.find<profile>("me"));
  CHECK_THROWS_AS(*profile{}.display_name, failure);
}

TEST_CASE("a value of another type is told, never shown as something else") {
  struct table_of_text {
    BOOST_HANA_DEFINE_STRUCT(table_of_text,
      (lww<string>, a), (mv<string>, b), (or_set<string>, c), (max_of<string>, d),
      (map<string, lww<string>>, e), (tally<string>, f));
  };
  struct table_of_numbers {
    BOOST_HANA_DEFINE_STRUCT(table_of_numbers,
      (lww<int>, a), (mv<int>, b), (or_set<int>, c), (max_of<int>, d), (map<int, lww<int>>, e),
      (tally<int>, f));
  };
  using texts = tables<table<"t", table_of_text>>;
  using numbers = tables<table<"t", table_of_numbers>>;
  device<texts> a{1};
  device<numbers> b{2};
  a.write([](device<texts>::tx& tx) {
     auto r = tx.create<table_of_text>("k");
     r.a = "x";
     r.b = "x";
     r.c.insert("x");
     r.d.put("x");
     r.e["x"] = "y";
     r.f.grant("x", 1);
   }).value();
  b.write([](device<numbers>::tx& tx) {
     auto r = tx.create<table_of_numbers>("k");
     r.b = 1;
     r.c.insert(1);
     r.e[1] = 2;
     r.f.grant(1, 1);
   }).value();
  b.take(a);
  const auto r = b.db.find<table_of_numbers>("k");
  const auto mismatch = [](auto&& read) {
    try {
      read();
    } catch (const failure& f) {
      CHECK_THAT(f.error().where, Catch::StartsWith("t[\"k\"] field "));
      return f.error().code == errc::type_mismatch;
    }
    return false;
  };
  CHECK(mismatch([&] { return r->a.get(); }));
  CHECK(mismatch([&] { return r->b.get(); }));
  CHECK(mismatch([&] { return r->c.get(); }));
  CHECK(mismatch([&] { return r->d.get(); }));
  CHECK(mismatch([&] { return r->e.keys(); }));
  CHECK(mismatch([&] { r->f.for_each([](int, std::uint64_t) {}); }));
  CHECK(r->c.contains(1));
  CHECK(*r->e[1] == 2);
  CHECK(*r->f == 2);
  // Writing over it resolves it.
  b.write([](device<numbers>::tx& tx) { tx.edit<table_of_numbers>("k").a = 5; }).value();
  CHECK(*b.db.find<table_of_numbers>("k")->a == 5);
}

TEST_CASE("a walk over elements may change the set and look at other records") {
  device_type a{1};
  a.write([](tx_type& tx) {
     for (int n = 0; n < 50; ++n) {
       auto p = tx.create<profile>("p" + std::to_string(n));
       for (int i = 0; i < 20; ++i) {
         p.badges.insert("badge " + std::to_string(i));
         p.xp.grant("grant " + std::to_string(i), 1);
       }
     }
   }).value();
  a.db.checkpoint().value();
  // A cache for nothing: every look at another record drops the one before.
  auto small =
      device_type::database::open(
          a.disk.share(),
          {.space = space_named("schemas"), .time = &a.time, .random = &a.dice, .cache_bytes = 1})
          .value();
  small
      .write([](tx_type& tx) {
        auto p = tx.edit<profile>("p0");
        auto q = tx.edit<profile>("p1");
        int n = 0;
        p.badges.for_each([&](const string& badge) {
          CHECK(q.badges.contains(badge));
          if (++n % 2 == 0) p.badges.erase(badge);
          CHECK(p.badges.contains(badge) == (n % 2 != 0));
        });
        CHECK(n == 20);
        p.xp.for_each([&](const string& grant, std::uint64_t) {
          p.xp.grant(grant, 2);
          CHECK(q.xp.at(grant) == 1u);
          ++n;
        });
        CHECK(n == 40);
      })
      .value();
  CHECK(small.find<profile>("p0")->badges.size() == 10);
  CHECK(*small.find<profile>("p0")->xp == 40);
}

TEST_CASE("a handle of a map in a map may be kept while the transaction lives") {
  device_type a{1};
  a.write([](tx_type& tx) {
     auto p = tx.create<profile>("me");
     const auto find = [&] {
       return p.laps["a track with a name too long to be kept inside a string"][400];
     };
     auto lap = find();
     lap += 3;
     CHECK(*lap == 3);
   }).value();
  CHECK(*a.db.find<profile>("me")
             ->laps["a track with a name too long to be kept inside a string"][400] == 3);
}

TEST_CASE("records are walked in order of keys, and a walk can stop") {
  device_type a{1};
  a.write([](tx_type& tx) {
     for (const auto* key : {"c", "a", "e", "b", "d"}) tx.create<profile>(key).display_name = key;
     tx.create<post>("bb");
   }).value();
  a.write([](tx_type& tx) { tx.erase<profile>("b"); }).value();
  string seen;
  a.db.for_each<profile>([&](bytes_view key, const profile& p) {
    seen += key;
    CHECK(*p.display_name == key);
  });
  CHECK(seen == "acde");
  seen.clear();
  a.db.for_each<profile>(
      [&](bytes_view key, const profile&) {
        seen += key;
        return seen.size() < 2;
      },
      "b");
  CHECK(seen == "cd");
}

TEST_CASE("a replica that changes inside a transaction makes the transaction fail") {
  device_type a{1};
  a.write([](tx_type& tx) { tx.create<profile>("me"); }).value();
  const auto done = a.write([&](tx_type& tx) {
    tx.edit<profile>("me").balance += 1;
    a.write([](tx_type& inner) { inner.edit<profile>("me").balance += 10; }).value();
  });
  CHECK(failed_with(done, errc::invalid_argument));
  CHECK(*a.db.find<profile>("me")->balance == 10);
}

// --- Coalescing ---

namespace {

/// Writes each change down before the draft has it.
class recorder final : public schema::record_access {
 public:
  std::vector<codec::changeset_writer::op> ops;

  explicit recorder(detail::draft& to) : to_(to) {}
  bytes_view state(std::string_view field, crdt::shape type) override {
    return to_.state(field, type);
  }
  void change(std::string_view field, crdt::shape type, bytes delta) override {
    ops.push_back({crdt::cell_action::update, 1, field, type, delta});
    to_.change(field, type, std::move(delta));
  }
  const causal::roster& replicas() const override { return to_.replicas(); }
  causal::replica_index self() const override { return to_.self(); }
  string where() const override { return to_.where(); }

 private:
  detail::draft& to_;
};

struct source_of_engine final : detail::draft_source {
  device_type& from;
  causal::version context;
  std::pair<causal::dot, causal::hlc> mine;
  explicit source_of_engine(device_type& d)
      : from(d), context(d.db.endpoint().seen()), mine(d.db.endpoint().next_own_stamp()) {
    context.raise(mine.first);
  }
  bytes_view committed(std::string_view table, bytes_view key) override {
    return from.db.endpoint().record(table, key).value();
  }
  const state::name_table& names() const override { return from.db.endpoint().names(); }
  const causal::roster& replicas() const override { return from.db.endpoint().replicas(); }
  causal::stamp stamp() const override { return {mine.first, mine.second, context}; }
};

void random_changes(profile& p, testing::prng& dice, int count) {
  const auto text = [&] { return string(1, static_cast<char>('a' + dice.below(3))); };
  const auto number = [&] { return static_cast<int>(dice.below(4)); };
  for (; count > 0; --count) {
    switch (dice.below(17)) {
      case 0: p.display_name = text(); break;
      case 1: p.motto = text(); break;
      case 2: p.badges.insert(text()); break;
      case 3: p.badges.erase(text()); break;
      case 4: p.balance += number() - 2; break;
      case 5: p.visits += number(); break;
      case 6: p.xp.grant(text(), dice.below(300)); break;
      case 7: p.longest_km.put(number()); break;
      case 8: p.now.resting_pulse.put(number()); break;
      case 9: p.shares = dice.chance(50); break;
      case 10: p.bests[text()].put(number()); break;
      case 11: p.gear[text()].insert(text()); break;
      case 12: p.gear[text()].erase(text()); break;
      case 13: p.laps[text()][number()] += number(); break;
      case 14: p.notes[text()] = text(); break;
      case 15:
        dice.chance(50) ? static_cast<void>(p.gear.erase(text())) : p.gear.create(text());
        break;
      default:
        dice.chance(50) ? static_cast<void>(p.laps[text()].erase(number()))
                        : p.notes.create(text());
    }
  }
}

}  // namespace

TEST_CASE("changes that were coalesced have the effect of all of them") {
  std::size_t all = 0, sent = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    device_type a{seed};
    device_type b{seed + 1000};
    testing::prng dice{seed};
    a.write([&](tx_type& tx) {
       auto p = tx.create<profile>("me");
       fill(p);
       random_changes(p, dice, 10);
     }).value();
    b.write([&](tx_type& tx) {
       auto p = tx.create<profile>("me");
       fill(p);
       random_changes(p, dice, 10);
     }).value();
    if (dice.chance(80)) a.take(b);
    source_of_engine source{a};
    detail::draft draft{source, "profiles", update_wins, "me"};
    recorder record{draft};
    profile p;
    schema::bind(p, record);
    random_changes(p, dice, 25);
    const auto before = bytes{a.db.endpoint().record("profiles", "me").value()};
    const auto apply = [&](const auto& ops) {
      auto packed = before;
      for (const auto& o : ops)
        state::apply_op(packed, o.action, o.incarnation, {*source.names().find(o.field), o.type},
                        o.delta, source.stamp());
      return packed;
    };
    CAPTURE(seed);
    const auto packed = apply(record.ops);
    REQUIRE(apply(draft.ops()) == packed);
    // And it is what the transaction showed.
    const auto value = crdt::read_cell(packed).value;
    for (const auto& o : record.ops)
      REQUIRE(draft.state(o.field, o.type) ==
              state::field_state(value, {*source.names().find(o.field), o.type}));
    all += record.ops.size();
    sent += draft.ops().size();
  }
  CHECK(sent < all);
}
