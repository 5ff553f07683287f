// The inspector: a store without its schema, damaged or not.
#include "joinery/tool/inspect.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "tests/schema/rich.hpp"

using namespace schema_tests;

namespace {

using store = engine<memory_storage>;

store opened(device_type& d) {
  return store::open(d.disk.share(), {.time = &d.time, .random = &d.dice}).value();
}
string shown(store& e, const tool::inspect_options& options = {}) {
  std::ostringstream out;
  tool::inspect(e, out, options).value();
  return out.str();
}
bool has(const string& text, std::string_view part) { return text.find(part) != string::npos; }

void fill(device_type& d) {
  d.write([](tx_type& tx) {
     auto p = tx.create<profile>("ana");
     p.display_name = "Ana \"the fast\"\n";
     p.motto = "run";
     p.badges.insert("b");
     p.badges.insert("a");
     p.balance -= 7;
     p.visits += 2;
     p.xp.grant("w1", 120);
     p.longest_km.put(21.1);
     p.shares = true;
     p.favourite = sport::ride;
     p.plan.target.weight_kg = 60;
     p.bests["10k"].put(41);
     p.laps["track"][400] += 5;
     p.gear["gone"].insert("x");
     p.gear.erase("gone");
     tx.create<post>("p1").text = "hello";
     tx.create<post>("p2").text = "bye";
   }).value();
  d.write([](tx_type& tx) { tx.erase<post>("p2"); }).value();
}

// Turns a byte over in the value under a key that ends with `suffix`.
void damage(memory_storage& disk, history::area where, const string& suffix) {
  disk.write([&](auto& writer) -> result<> {
        bytes key, value;
        writer.scan(where, {}, [&](bytes_view k, bytes_view v) {
          if (k.ends_with(suffix)) key = bytes{k}, value = bytes{v};
          return true;
        });
        REQUIRE_FALSE(key.empty());
        value.back() = static_cast<char>(value.back() ^ 1);
        writer.put(where, key, value);
        return {};
      })
      .value();
}

}  // namespace

TEST_CASE("a record is shown in JSON, field by field, by the kinds that travel with it") {
  device_type a{1};
  fill(a);
  auto e = opened(a);
  CHECK(shown(e, {.table = "profiles", .key = "ana"}) ==
        "{\"key\":\"ana\",\"alive\":true,\"incarnation\":1,\"fields\":{"
        "\"badges\":[\"a\",\"b\"],\"balance\":-7,\"bests\":{\"10k\":41.0},"
        "\"display_name\":\"Ana \\\"the fast\\\"\\u000a\",\"favourite\":2,\"gear\":{},"
        "\"laps\":{\"track\":{\"400\":5}},\"longest_km\":21.1,\"motto\":[\"run\"],"
        "\"plan.target.weight_kg\":60.0,\"shares\":true,\"visits\":2,\"xp\":{\"w1\":120}}}\n");
  CHECK(shown(e, {.table = "posts"}) ==
        "  \"likes\" pn_counter <>\n  \"text\" lww <text>\n"
        "{\"key\":\"p1\",\"alive\":true,\"incarnation\":1,\"fields\":{\"text\":\"hello\"}}\n");
  CHECK(has(shown(e, {.table = "posts", .key = "p2"}), "\"alive\":false"));
  std::ostringstream nothing;
  CHECK(failed_with(tool::inspect(e, nothing, {.table = "posts", .key = "p3"}), errc::not_found));
  CHECK(has(shown(e, {.table = "profiles", .max_records = 0}), "and more"));
}

TEST_CASE("the overview tells identity, origins, tables with their descriptors, and areas") {
  device_type a{1}, b{2};
  fill(a);
  fill(b);
  meet(a, b);
  a.db.checkpoint().value();
  auto e = opened(a);
  const auto digest = a.digest();
  const auto text = shown(e);
  CHECK(has(text, a.db.status().space.hex()));
  CHECK(has(text, a.db.status().self.hex() + "  seq 2"));
  CHECK(has(text, b.db.status().self.hex() + "  seq 2"));
  CHECK(has(text, "(this replica)"));
  CHECK(has(text, digest));
  CHECK(has(text, "\"profiles\"  1 records, 0 deleted; update_wins, rank 0\n"));
  CHECK(has(text, "\"posts\"  1 records, 1 deleted; delete_wins, rank 0\n"));
  CHECK(has(text, "  \"laps\" map of map of pn_counter <text int >\n"));
  CHECK(has(text, "\"joinery.schema\"  2 records"));
  CHECK(has(text, "log  3 entries"));
  CHECK(has(text, "positions 1 to 4"));
  CHECK_FALSE(has(text, "damaged"));
  CHECK(a.digest() == digest);
}

TEST_CASE("an open conflict is shown with its values, and who wrote them") {
  device_type a{1}, b{2};
  a.write([](tx_type& tx) { tx.create<profile>("ana").notes["knee"] = "fine"; }).value();
  b.write([](tx_type& tx) { tx.create<profile>("ana").notes["knee"] = "sore"; }).value();
  meet(a, b);
  auto e = opened(a);
  const auto text = shown(e, {.table = "profiles", .key = "ana"});
  CHECK(has(text, "\"conflict\":["));
  CHECK(has(text, "conflict \"notes\"[\"knee\"]\n"));
  CHECK(has(text, "\"fine\"  by " + a.db.status().self.hex()));
  CHECK(has(text, "\"sore\"  by " + b.db.status().self.hex()));
}

TEST_CASE("a field that has been of several kinds shows each") {
  struct older_post {
    BOOST_HANA_DEFINE_STRUCT(older_post, (mv<string>, text));
  };
  device_type a{1};
  device<tables<table<"posts", older_post, delete_wins>>> b{2};
  a.write([](tx_type& tx) { tx.create<post>("p").text = "one"; }).value();
  b.write([](auto& tx) { tx.template create<older_post>("p").text = "two"; }).value();
  a.take(b);
  auto e = opened(a);
  const auto text = shown(e, {.table = "posts"});
  CHECK(has(text, "\"text:lww\":\"one\",\"text:mv\":[\"two\"]"));
  CHECK(has(text, "\"text\" lww <text> | mv <text>"));
}

TEST_CASE("damaged entries hide nothing else, and those of the log are named") {
  device_type a{1};
  for (int n = 0; n < 700; ++n)
    a.write([&](tx_type& tx) {
       tx.create<post>("p" + std::to_string(1000 + n)).text = std::to_string(n);
     }).value();
  a.db.checkpoint().value();
  a.write([](tx_type& tx) { tx.create<post>("p1003b").text = "not in the snapshot"; }).value();
  damage(a.disk, history::area::records, "p1003");
  damage(a.disk, history::area::records, "p1600");
  damage(a.disk, history::area::log, string{"\x02\xBC", 2});
  auto e = opened(a);
  const auto text = shown(e, {.table = "posts"});
  std::size_t lines = 0;
  for (const char c : text) lines += c == '\n' ? 1 : 0;
  CHECK(lines >= 2 + 699);
  CHECK(has(text, "\"p1003b\""));
  CHECK(has(text, "\"p1699\""));
  const auto overview = shown(e);
  CHECK(has(overview, "\"posts\"  699 records, 0 deleted"));
  CHECK(has(overview, "log  701 entries"));
  CHECK(has(overview, "1 damaged"));
  CHECK(has(overview, "    damaged: 0x00000000000002bc\n"));
}

TEST_CASE("what is damaged for good is told of, and counted") {
  device_type a{1};
  fill(a);
  for (int n = 0; n < 10; ++n)
    a.write([&](tx_type& tx) { tx.create<post>("p" + std::to_string(10 + n)).text = "t"; }).value();
  {
    // What no log holds any more cannot be made anew from it.
    auto e =
        store::open(a.disk.share(), {.time = &a.time, .random = &a.dice, .retain_log_bytes = 0})
            .value();
    e.acknowledged(e.heads());
    e.checkpoint().value();
    REQUIRE(e.log_floor().position > 0);
  }
  a.reopen();
  a.write([](tx_type& tx) {
     tx.edit<profile>("ana").visits += 1;
     tx.create<post>("p11b").text = "not in the snapshot";
     tx.create<post>("p99").text = "nor this";
   }).value();
  damage(a.disk, history::area::records, "p13");
  SECTION("records, though nothing can be set aside") {
    for (std::uint64_t n = 1; n < 200; ++n)
      a.disk.fail_nth(history::memory_operation::commit, n, errc::full);
    auto e = opened(a);
    const auto text = shown(e, {.table = "posts"});
    CAPTURE(text);
    CHECK(has(text, "{\"key\":\"p13\",\"damaged\":\"checksum"));
    for (const char* key : {"p1", "p11b", "p12", "p14", "p19", "p99"})
      CHECK(has(text, "{\"key\":\"" + string{key} + "\",\"alive\":true"));
    CHECK(has(shown(e), "\"posts\"  12 records, 1 deleted, 1 damaged; delete_wins, rank 0\n"));
  }
  SECTION("records") {
    damage(a.disk, history::area::records, "ana");
    auto e = opened(a);
    const auto text = shown(e, {.table = "posts"});
    CAPTURE(text);
    CHECK(has(text, "{\"key\":\"p13\",\"damaged\":\"quarantined"));
    for (const char* key : {"p1", "p11b", "p12", "p14", "p19", "p99"})
      CHECK(has(text, "{\"key\":\"" + string{key} + "\",\"alive\":true"));
    CHECK(has(shown(e, {.table = "posts", .key = "p13"}), "{\"key\":\"p13\",\"damaged\":\""));
    const auto some = shown(e, {.table = "posts", .max_records = 5});
    CHECK(has(some, "and more"));
    CHECK_FALSE(has(some, "p14"));
    const auto overview = shown(e);
    CAPTURE(overview);
    CHECK(has(overview, "\"posts\"  12 records, 1 deleted, 1 damaged; delete_wins, rank 0\n"));
    CHECK(has(overview, "\"profiles\"  0 records, 0 deleted, 1 damaged; update_wins"));
    CHECK(has(overview, "digest            quarantined"));
  }
  SECTION("the descriptors") {
    damage(a.disk, history::area::records, "posts");
    auto e = opened(a);
    const auto overview = shown(e);
    CAPTURE(overview);
    CHECK(has(overview, "descriptors       "));
    CHECK(has(overview, "\"posts\"  12 records, 1 deleted, 1 damaged\n"));
    CHECK(has(overview, "\"profiles\"  1 records, 0 deleted\n"));
    const auto text = shown(e, {.table = "posts"});
    CAPTURE(text);
    CHECK(has(text, "\"p99\""));
    CHECK_FALSE(has(text, "delete_wins"));
  }
}

TEST_CASE("a snapshot that could not be written is among what the overview tells") {
  device_type a{1};
  fill(a);
  auto e = opened(a);
  a.disk.fail_nth(history::memory_operation::put, 1, errc::full);
  CHECK(failed_with(e.checkpoint(), errc::full));
  CHECK(has(shown(e), "snapshot error    full"));
  e.checkpoint().value();
  CHECK_FALSE(has(shown(e), "snapshot error"));
}

TEST_CASE("a large field is shown with its record alone, and mentioned in the table") {
  device_type a{1};
  a.large_field_bytes = 64;
  a.reopen();
  a.write([](tx_type& tx) {
     auto p = tx.create<profile>("ana");
     p.now.resting_pulse.put(47);
     for (int n = 0; n < 30; ++n) p.badges.insert("badge " + std::to_string(n));
   }).value();
  a.db.checkpoint().value();
  auto e =
      store::open(a.disk.share(), {.time = &a.time, .random = &a.dice, .large_field_bytes = 64})
          .value();
  const auto one = shown(e, {.table = "profiles", .key = "ana"});
  CAPTURE(one);
  CHECK(has(one, "\"now.resting_pulse\":47"));
  CHECK(has(one, "\"badge 29\""));
  const auto all = shown(e, {.table = "profiles"});
  CAPTURE(all);
  CHECK(has(all, "\"badges\":\"large: inspect the record alone\""));
  CHECK_FALSE(has(all, "badge 29"));
}

TEST_CASE("of many damaged entries some are named, and the others counted") {
  device_type a{1};
  for (int n = 0; n < 40; ++n)
    a.write([](tx_type& tx) { tx.create<post>("p").likes += 1; }).value();
  for (int n = 1; n <= 40; ++n)
    damage(a.disk, history::area::log, string(7, '\0') + static_cast<char>(n));
  std::ostringstream out;
  tool::inspect_storage(a.disk, out).value();
  CHECK(has(out.str(), "40 damaged"));
  CHECK(has(out.str(), "    damaged: 0x0000000000000001\n"));
  CHECK(has(out.str(), "    and "));
  CHECK_FALSE(has(out.str(), "damaged: 0x0000000000000028\n"));
}

TEST_CASE("a store that no replica can be opened from still has its entries counted") {
  device_type a{1};
  fill(a);
  damage(a.disk, history::area::meta, "space");
  CHECK_FALSE(store::open(a.disk.share(), {}));
  std::ostringstream out;
  tool::inspect_storage(a.disk, out).value();
  CHECK(has(out.str(), "meta  "));
  CHECK(has(out.str(), "damaged: 0x7370616365\n"));
  CHECK(has(out.str(), "log  2 entries"));
}

TEST_CASE("a log that names records by number is shown as another, and its numbers are entries") {
  device_type a{1};
  a.disk.pack_log(true);
  a.reopen();
  const auto like_all = [&] {
    a.write([](tx_type& tx) {
       for (int n = 0; n < 60; ++n) tx.create<post>("post " + std::to_string(n)).likes += 1;
     }).value();
  };
  like_all();
  a.db.checkpoint().value();
  like_all();
  auto e = store::open(a.disk.share(), {.time = &a.time, .random = &a.dice}).value();
  CHECK(has(shown(e, {.table = "posts", .key = "post 59"}), "\"likes\":2"));
  const auto printed = [&] {
    std::ostringstream out;
    tool::inspect_storage(a.disk, out).value();
    return out.str();
  };
  CHECK(has(printed(), "positions 1 to 2\n"));
  CHECK(has(printed(), "  numbers  2 entries"));
  CHECK(has(printed(), "  numbers_copy  2 entries"));
  damage(a.disk, history::area::numbers, history::index_key(1));
  CHECK(has(printed(), "1 damaged\n    damaged: 0x00000001\n"));
  CHECK_FALSE(has(printed(), "positions 1 to 2, 1 damaged"));
  auto again = store::open(a.disk.share(), {.time = &a.time, .random = &a.dice}).value();
  CHECK(has(shown(again, {.table = "posts", .key = "post 59"}), "\"likes\":2"));
  damage(a.disk, history::area::numbers_copy, history::index_key(1));
  CHECK(has(printed(), "positions 1 to 2, 1 damaged\n    damaged: 0x0000000000000002\n"));
}

namespace {

struct draft {
  BOOST_HANA_DEFINE_STRUCT(draft, (lww<string>, text), (lww<int>, pages));
};
using drafting = tables<table<"drafts", draft, local_only>, table<"posts", post>>;

}  // namespace

TEST_CASE("local tables are shown, and that they are local") {
  device<drafting> d{1};
  d.write([](auto& tx) {
     tx.template create<draft>("one").text = "not yet";
     tx.template create<draft>("two").pages = 2;
     tx.template create<post>("p").text = "hello";
   }).value();
  auto e = store::open(d.disk.share(), {.time = &d.time, .random = &d.dice}).value();
  const auto all = shown(e);
  CHECK(has(all, "local tables\n \"drafts\"  2 records, local\n  \"pages\" lww <int>"));
  CHECK(has(all, " \"posts\"  1 records, 0 deleted"));
  const auto table = shown(e, {.table = "drafts"});
  CHECK(has(table, "local\n{\"key\":\"one\""));
  CHECK(has(table, "not yet"));
  CHECK_FALSE(has(shown(e, {.table = "posts"}), "local"));
  CHECK(has(shown(e, {.table = "drafts", .key = "two"}), "local\n{\"key\":\"two\""));
  CHECK(has(shown(e, {.table = "drafts", .max_records = 1}), "… and more\n"));
  damage(d.disk, history::area::local, "two");
  SECTION("a damaged one, looked at alone") {
    CHECK(has(shown(e, {.table = "drafts", .key = "two"}), "damaged"));
  }
  SECTION("in its table") {
    const auto text = shown(e, {.table = "drafts"});
    CAPTURE(text);
    CHECK(has(text, "{\"damaged\":\"checksum"));
    CHECK(has(shown(e, {.table = "drafts"}), "{\"key\":\"one\""));  // it is out of the way now
  }
  SECTION("in the overview") {
    const auto overview = shown(e);
    CAPTURE(overview);
    CHECK(has(overview, "\"drafts\"  0 records, local; checksum"));
  }
  CHECK_FALSE(has(shown(e), "damaged: 0x"));  // it was set aside
}

TEST_CASE("an inspector that cannot read says so, and tells all when it can") {
  device_type d{1};
  fill(d);
  auto e = opened(d);
  const auto whole = shown(e);
  tool::inspect_options one;
  one.table = "profiles";
  one.key = "ana";
  const auto record = shown(e, one);
  for (const bool all : {true, false}) {
    for (std::uint64_t nth = 1;; ++nth) {
      CAPTURE(all, nth);
      d.disk.fail_nth(history::memory_operation::read, nth, errc::io);
      std::ostringstream out;
      const auto done = tool::inspect(e, out, all ? tool::inspect_options{} : one);
      if (d.disk.has_faults()) {
        CHECK(done);
        d.disk.clear_faults();
        break;
      }
      if (!done) CHECK(done.error().code == errc::io);
      const auto& expected = all ? whole : record;
      if (done) CHECK((out.str() == expected || has(out.str(), "fault")));  // told of in its place
      CHECK(shown(e) == whole);
      CHECK(shown(e, one) == record);
    }
  }
}
