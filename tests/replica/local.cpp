// Local tables: they read as other tables do, and nobody else ever hears of them.
#include <catch2/catch.hpp>

#include "joinery/replica/rejoin.hpp"
#include "tests/replica/local_app.hpp"

using namespace replica_tests;
using namespace replica_tests::local_app;

namespace {

using device_type = device<notes_app>;

// The tables of sport_like.hpp: once shared, once local.
using local_sport = tables<table<"athletes", athlete, local_only, joinery::index<&athlete::name>>>;
using shared_sport = tables<table<"athletes", athlete, joinery::index<&athlete::name>>>;

/// Everything that a program can see of the athletes.
template <class App>
std::string all_of(device<App>& d) {
  std::string out;
  const auto add = [&](std::string_view key, const athlete& a) {
    out += std::string{key} + ": " + show_record(a) + "\n";
  };
  d.db->template for_each<athlete>(add);
  out += "from key 2\n";
  d.db->template for_each<athlete>(add, key_of(2));
  out += "by name, descending\n";
  d.db->template query<athlete>().template by<&athlete::name>().from(1).descending().for_each(add);
  out += "a reader\n";
  d.db->reader().value().template for_each<athlete>(add);
  return out;
}

template <class App>
std::string random_transaction(device<App>& d, prng& dice) {
  std::string did;
  const auto count = 1 + dice.below(6);
  d.write([&](auto& tx) {
     for (std::uint64_t n = 0; n < count; ++n) {
       auto o = random_operation(dice, 5);
       while (o.table != "athletes") o = random_operation(dice, 5);
       const auto key = key_of(o.key);
       if (o.what == oracle::verb::create) {
         tx.template create<athlete>(key);
       } else if (o.what == oracle::verb::update) {
         auto r = tx.template find<athlete>(key);
         did += r ? "changed " : "nothing ";
         if (r) change(*r, o);
         if (r) did += show_record(*r);
       } else {
         did += tx.template erase<athlete>(key) ? "erased " : "nothing ";
       }
     }
   }).value();
  return did;
}

std::string text_of(const change_batch<athlete>& batch) {
  std::string out;
  for (const auto& c : batch) {
    const auto before = c.before ? show_record(*c.before) : "none";
    const auto after = c.after ? show_record(*c.after) : "none";
    // An element that is added again is a change to who may have removed it meanwhile; here nobody.
    if (c.kind == change_kind::updated && before == after) continue;
    out += c.key + " " + std::string{name_of(c.kind)} + " " + before + " > " + after + "\n";
  }
  return out;
}

/// All bytes of a store but those of its own affairs.
std::string public_bytes(memory_storage& disk) {
  std::string out;
  disk.read([&](auto& view) -> result<> {
        for (std::size_t a = 0; a < history::area_count; ++a) {
          const auto where = static_cast<area>(a);
          if (where == area::local || where == area::indexes || where == area::meta) continue;
          view.scan(where, {}, [&](bytes_view key, bytes_view value) {
            out += std::string{key} + " " + std::string{value} + "\n";
            return true;
          });
        }
        return {};
      })
      .value();
  return out;
}
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a local table shows what a shared one shows that nobody else writes to") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    device<local_sport> local{1};
    device<shared_sport> shared{1};
    std::string heard_local, heard_shared;
    const auto w1 = local.db->watch<athlete>([&](const auto& b) { heard_local += text_of(b); });
    const auto w2 = shared.db->watch<athlete>([&](const auto& b) { heard_shared += text_of(b); });
    prng a{seed}, b{seed};
    for (int n = 0; n < 25; ++n) {
      const auto did = random_transaction(local, a);
      REQUIRE(did == random_transaction(shared, b));
    }
    REQUIRE(all_of(local) == all_of(shared));
    REQUIRE(heard_local == heard_shared);
    local.open().value();
    REQUIRE(all_of(local) == all_of(shared));
    CHECK(local.engine().log_size() == 0);
  }
}

TEST_CASE("nothing of a local table is in anything that leaves the device") {
  device_type a{1};
  device<app_without> b{2}, reference{1};
  for (auto* d : {&reference}) {
    d->time.now += 20;
    d->write([](auto& tx) { tx.template create<post>("p").text = "seen"; }).value();
  }
  const auto none = a.write([](auto& tx) {
    auto n = tx.template create<note>("hidden key");
    n.text = "hidden text";
    n.tags.insert("hidden tag");
  });
  CHECK_FALSE(none.value());  // no changeset
  CHECK(a.engine().log_size() == 0);
  a.write([](auto& tx) { tx.template edit<note>("hidden key").edits += 1; }).value();
  const auto dot = a.write([](auto& tx) {
    tx.template create<post>("p").text = "seen";
    tx.template edit<note>("hidden key").edits += 1;
  });
  REQUIRE(dot.value());
  CHECK((*dot)->seq == 1);
  a.db->checkpoint().value();

  // The same as if there were no such table: log, heads, digest, schema.
  CHECK(a.digest() == reference.digest());
  CHECK(a.engine().heads().size() == 1);
  CHECK(a.engine().heads()[0].chain == reference.engine().heads()[0].chain);
  CHECK(a.engine().descriptor() == app_without::describe());
  CHECK(a.engine().described_tables().value().size() == 1);
  CHECK(a.db->status().schema_conflicts.empty());
  CHECK_FALSE(a.engine().names().find("drafts"));
  CHECK_FALSE(a.engine().names().find("tags"));
  const auto bytes_of_a = public_bytes(a.disk);
  CHECK(has(bytes_of_a, "seen"));
  CHECK_FALSE(has(bytes_of_a, "hidden"));
  CHECK_FALSE(has(bytes_of_a, "drafts"));
  hear(b, a);
  CHECK_FALSE(has(content_of(b.disk), to_hex("hidden")));
  CHECK_FALSE(has(content_of(b.disk), to_hex("drafts")));
  CHECK(b.digest() == a.digest());
  CHECK(edits(a, "hidden key") == 2);
}

TEST_CASE("a peer's operations on a table of the same name go elsewhere") {
  device_type a{1};
  device<app_sharing> b{2};
  device<app_without> c{3};
  a.write([](auto& tx) { tx.template create<note>("one").text = "mine"; }).value();
  b.write([](auto& tx) {
     tx.template create<shared_note>("one").text = "theirs";
     tx.template create<shared_note>("two").text = "theirs too";
   }).value();
  b.write([](auto& tx) { tx.template erase<shared_note>("two"); }).value();
  int heard = 0;
  const auto watching = a.db->watch<note>([&](const auto&) { ++heard; });
  hear(a, b);
  hear(c, b);
  CHECK(heard == 0);
  CHECK(draft(a, "one") == "mine");
  CHECK(draft(a, "two").empty());
  int records = 0;
  a.db->for_each<note>([&](auto, const note&) { ++records; });
  CHECK(records == 1);
  std::size_t found = a.db->query<note>().by<&note::text>().equal("theirs").count();
  CHECK(found == 0);
  // It is kept, digested and handed on as what another program knows.
  CHECK(a.digest() == b.digest());
  CHECK(a.digest() == c.digest());
  CHECK_FALSE(a.engine().record("drafts", "one").value().empty());
  a.write([](auto& tx) { tx.template erase<note>("one"); }).value();
  CHECK(heard == 1);
  CHECK(a.digest() == b.digest());
  // That the space has a table of this name is said, and stops the next opening.
  REQUIRE(a.db->status().schema_conflicts.size() == 1);
  CHECK(a.db->status().schema_conflicts[0].where == "drafts");
  CHECK(failed_with(a.open(), errc::schema_conflict));
  a.options.accept_schema_conflicts = true;
  a.open().value();
  a.write([](auto& tx) { tx.template create<note>("one").text = "mine again"; }).value();
  CHECK(draft(a, "one") == "mine again");
  CHECK(a.digest() == b.digest());
}

TEST_CASE("a table that was shared cannot become local, nor the other way round") {
  device<app_sharing> was_shared{1};
  was_shared.write([](auto& tx) { tx.template create<shared_note>("one"); }).value();
  was_shared.db.reset();
  device_type now_local{2};
  now_local.db.reset();
  now_local.disk = was_shared.disk.share();
  const auto refused = now_local.open();
  REQUIRE(failed_with(refused, errc::schema_conflict));
  CHECK(refused.error().where == "drafts");
  CHECK(has(refused.error().text(), "local_only"));

  device_type was_local{3};
  was_local.write([](auto& tx) { tx.template create<note>("one"); }).value();
  was_local.db.reset();
  device<app_sharing> now_shared{4};
  now_shared.db.reset();
  now_shared.disk = was_local.disk.share();
  const auto also = now_shared.open();
  REQUIRE(failed_with(also, errc::schema_conflict));
  CHECK(has(also.error().text(), "shared"));
  SECTION("it may once the local table is empty") {
    was_local.open().value();
    was_local.write([](auto& tx) { tx.template erase<note>("one"); }).value();
    was_local.db.reset();
    now_shared.open().value();
    CHECK(now_shared.db->status().schema_conflicts.empty());
  }
  SECTION("or when the program takes it upon itself; both stay what they are") {
    now_shared.options.accept_schema_conflicts = true;
    now_shared.open().value();
    CHECK_FALSE(now_shared.db->find<shared_note>("one"));
    CHECK(now_shared.db->status().schema_conflicts.size() == 1);
  }
}

namespace {

struct old_note {
  BOOST_HANA_DEFINE_STRUCT(old_note, (lww<int>, title), (lww<int>, pages));
};
struct other_note {
  BOOST_HANA_DEFINE_STRUCT(other_note, (lww<std::string>, text), (tally<std::string>, pages));
};
struct fresh_pages {
  void operator()(const lww<int>& from, tally<std::string>& to) const {
    to.grant("before", static_cast<std::uint64_t>(*from));
  }
};
using app_before = tables<table<"posts", post>, table<"drafts", old_note, local_only>>;
using app_changed = tables<table<"posts", post>, table<"drafts", other_note, local_only>>;
using app_migrating = tables<
    table<"posts", post>,
    table<"drafts", other_note, local_only,
          migrate<&other_note::text, lww<int>, [](int n) { return std::to_string(n); }, "title">,
          migrate<&other_note::pages, lww<int>, fresh_pages{}>>>;

template <class To, class From>
void take_store(To& to, From& from) {
  from.db.reset();
  to.db.reset();
  to.disk = from.disk.share();
}

}  // namespace

TEST_CASE("a field of a local table changes by a declared migration, or not at all") {
  device<app_before> before{1};
  before
      .write([](auto& tx) {
        for (int n = 0; n < 600; ++n) {
          auto r = tx.template create<old_note>(key_of(n));
          r.title = n;
          r.pages = n;
        }
      })
      .value();
  device<app_changed> changed{2};
  take_store(changed, before);
  const auto refused = changed.open();
  REQUIRE(failed_with(refused, errc::schema_conflict));
  CHECK(refused.error().where == "drafts.pages");

  device<app_migrating> migrating{3};
  take_store(migrating, before);
  migrating.open().value();
  CHECK_FALSE(migrating.db->status().migration_due);
  CHECK(*migrating.db->find<other_note>(key_of(599))->text == "599");
  CHECK(*migrating.db->find<other_note>(key_of(599))->pages == 599);
  CHECK(migrating.engine().log_size() == 0);
  migrating.write([](auto& tx) { tx.template edit<other_note>(key_of(1)).text = "by hand"; })
      .value();

  // An older program writes once more, and the newer one comes back.
  before.db.reset();
  migrating.db.reset();
  before.open().value();
  before.write([](auto& tx) { tx.template create<old_note>("late").title = 7; }).value();
  take_store(migrating, before);
  migrating.open().value();
  CHECK(*migrating.db->find<other_note>("late")->text == "7");
  CHECK(*migrating.db->find<other_note>(key_of(1))->text == "by hand");
}

TEST_CASE("a dead local record leaves nothing, and comes back fresh") {
  device_type a{1};
  a.write([](auto& tx) { tx.template create<note>("stays").text = "s"; }).value();
  const auto before = keys_of(a.disk, area::local);
  const auto indexed = keys_of(a.disk, area::indexes);
  a.write([](auto& tx) {
     auto n = tx.template create<note>("goes");
     n.text = "t";
     n.edits += 5;
     n.tags.insert("x");
   }).value();
  CHECK(keys_of(a.disk, area::indexes).size() == indexed.size() + 1);
  a.write([](auto& tx) { CHECK(tx.template erase<note>("goes")); }).value();
  const auto fields = [](const bytes& key) { return history::index_of(key) != 0; };
  const auto after = keys_of(a.disk, area::local);
  CHECK(std::count_if(after.begin(), after.end(), fields) ==
        std::count_if(before.begin(), before.end(), fields));
  CHECK(keys_of(a.disk, area::indexes) == indexed);
  a.write([](auto& tx) { tx.template create<note>("goes").edits += 1; }).value();
  CHECK(edits(a, "goes") == 1);
  CHECK(draft(a, "goes").empty());
  // Made and erased in one transaction.
  a.write([](auto& tx) {
     tx.template create<note>("never").text = "n";
     tx.template erase<note>("never");
   }).value();
  CHECK_FALSE(a.db->find<note>("never"));
}

TEST_CASE("an index that is declared later lists the local records that are there") {
  device<tables<table<"drafts", note, local_only>>> without{1};
  without
      .write([](auto& tx) {
        for (int n = 0; n < 40; ++n)
          tx.template create<note>(key_of(n)).text = std::to_string(n % 7);
      })
      .value();
  device<tables<table<"drafts", note, local_only, joinery::index<&note::text>>>> with{2};
  take_store(with, without);
  with.open().value();
  const auto query = with.db->query<note>().by<&note::text>();
  CHECK(query.equal("3").count() == 6);
  CHECK(query.from("5").count() == 10);
  const auto page = query.descending().limit(3).page();
  REQUIRE(page.rows.size() == 3);
  CHECK(*page.rows[0]->text == "6");
  CHECK(query.descending().after(page.next).count() == 37);
  CHECK_FALSE(with.db->status().last_index_error);
}

TEST_CASE("a commit of both kinds is one batch for who watches both, under its changeset") {
  device_type a{1};
  std::vector<std::string> heard;
  const auto w1 = a.db->watch<note>([&](const change_batch<note>& b) {
    heard.push_back("note " + std::to_string(b.from().seq));
    // A callback may write; what it does comes after.
    if (heard.size() == 1)
      a.db->write([](auto& tx) { tx.template edit<note>("n").text = "again"; }).value();
  });
  const auto w2 = a.db->watch<post>([&](const change_batch<post>& b) {
    heard.push_back("post " + std::to_string(b.from().seq));
    CHECK(draft(a, "n") != "");  // all of it is there
  });
  a.write([](auto& tx) {
     tx.template create<note>("n").text = "first";
     tx.template create<post>("p").text = "first";
   }).value();
  CHECK(heard == std::vector<std::string>{"note 1", "post 1", "note 0"});
  CHECK(draft(a, "n") == "again");
}

TEST_CASE("local tables take no memory, and are walked while they are written to") {
  device_type a{1};
  const auto before = a.db->status().memory_bytes;
  constexpr int count = 1500;
  for (int n = 0; n < count; n += 500)
    a.write([&](auto& tx) {
       for (int i = n; i < n + 500; ++i)
         tx.template create<note>(key_of(100'000 + i)).text = std::string(200, 'x');
     }).value();
  CHECK(a.db->status().memory_bytes < before + 4096);
  int seen = 0;
  a.db->for_each<note>([&](std::string_view key, const note&) {
    if (++seen % 100 == 0) a.db->write([&](auto& tx) { tx.template erase<note>(key); }).value();
  });
  CHECK(seen == count);
  int left = 0;
  a.db->for_each<note>([&](auto, const note&) { ++left; });
  CHECK(left == count - count / 100);
}

TEST_CASE("local tables stay with the store when its replica takes a new id") {
  device_type a{1};
  a.write([](auto& tx) {
     tx.template create<note>("n").edits += 2;
     tx.template create<post>("p").likes += 2;
   }).value();
  const auto image = a.disk.clone();
  a.write([](auto& tx) { tx.template edit<note>("n").edits += 40; }).value();
  a.db.reset();
  a.disk.put_back(image);
  a.open().value();
  a.write([](auto& tx) {
     tx.template edit<note>("n").edits += 1;
     tx.template edit<post>("p").likes += 1;
   }).value();
  const auto old = a.engine().self();
  a.engine().renew(1).value();
  CHECK(a.engine().self() != old);
  CHECK(edits(a, "n") == 3);  // nothing is made again: it is no part of the log
  CHECK(likes(a, "p") == 3);
  a.write([](auto& tx) { tx.template edit<note>("n").edits += 1; }).value();
  a.open().value();
  CHECK(edits(a, "n") == 4);
}

TEST_CASE("local tables come along into a new store, once") {
  device_type a{1}, b{2};
  a.write([](auto& tx) {
     for (int n = 0; n < 600; ++n) tx.template create<note>(key_of(n)).text = std::to_string(n);
   }).value();
  b.write([](auto& tx) { tx.template create<note>(key_of(1)).text = "already here"; }).value();
  CHECK(b.engine().local().adopt(a.engine().local(), a.engine().self()).value() == 599);
  CHECK(draft(b, key_of(599)) == "599");
  CHECK(draft(b, key_of(1)) == "already here");
  CHECK(b.db->query<note>().by<&note::text>().equal("599").count() == 1);
  b.write([](auto& tx) {
     tx.template erase<note>(key_of(5));
     tx.template edit<note>(key_of(7)).edits += 1;
   }).value();
  CHECK(b.engine().local().adopt(a.engine().local(), a.engine().self()).value() == 0);
  CHECK_FALSE(b.db->find<note>(key_of(5)));
  CHECK(b.engine().log_size() == 0);
  CHECK(keys_of(b.disk, area::records).empty());
}

TEST_CASE("local tables need no admission; what belongs with a changeset waits with it") {
  device_type a{1};
  a.options.await_admission = true;
  a.open().value();
  a.write([](auto& tx) { tx.template create<note>("n").edits += 1; }).value();
  const auto both = a.write([](auto& tx) {
    tx.template edit<note>("n").edits += 1;
    tx.template create<post>("p").likes += 1;
  });
  CHECK(failed_with(both, errc::not_admitted));
  CHECK(edits(a, "n") == 1);
  a.write([](auto& tx) { tx.template edit<note>("n").edits += 1; }).value();
  CHECK(edits(a, "n") == 2);
}
