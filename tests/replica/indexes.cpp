// Secondary indexes against a naive filter over the records, whatever happens to the store.
#include <catch2/catch.hpp>

#include <set>

#include "joinery/replica/replica.hpp"
#include "joinery/store/lmdb.hpp"
#include "joinery/testing/prng.hpp"
#include "tests/replica/peer.hpp"
#include "tests/store/support.hpp"

using namespace replica_tests;
using testing::prng;

namespace {

struct measures {
  BOOST_HANA_DEFINE_STRUCT(measures, (lww<std::int64_t>, started), (max_of<int>, longest));
};
struct session {
  BOOST_HANA_DEFINE_STRUCT(session, (lww<std::string>, title), (measures, measured),
                           (mv<std::string>, notes), (or_set<std::string>, tags),
                           (pn_counter, likes), (tally<int>, points), (flag, open),
                           (map<std::string, lww<int>>, replies));
};
using schema_type =
    tables<table<"sessions", session, joinery::index<&session::title>,
                 joinery::index<&session::measured, &measures::started>,
                 joinery::index<&session::measured, &measures::longest>,
                 joinery::index<&session::notes>, joinery::index<&session::tags>,
                 joinery::index<&session::likes>, joinery::index<&session::points>,
                 joinery::index<&session::open>, joinery::index<&session::replies>>>;
using without_indexes = tables<table<"sessions", session>>;
using db_type = replica<schema_type, memory_storage>;
using index_engine = db_type::engine_type;
using entries = std::set<std::pair<bytes, bytes>>;

/// What the indexes must list, read through the handles.
template <class Db>
std::map<std::string, entries> naive(Db& db) {
  std::map<std::string, entries> out;
  for (const auto& i : schema_type::indexes()) out[i.field];
  db.template for_each<session>([&](std::string_view key, const session& s) {
    const auto add = [&](const char* field, const auto& value) {
      out[field].emplace(crdt::encode_value(value), key);
    };
    if (s.title.is_set()) add("title", *s.title);
    if (s.measured.started.is_set()) add("measured.started", *s.measured.started);
    if (const auto longest = s.measured.longest.get()) add("measured.longest", *longest);
    for (const auto& n : s.notes.get()) add("notes", n);
    for (const auto& t : s.tags.get()) add("tags", t);
    add("likes", *s.likes);
    s.points.for_each([&](int k, std::uint64_t) { add("points", k); });
    add("open", *s.open);
    for (const auto& k : s.replies.keys()) add("replies", k);
  });
  return out;
}

using pairs = std::vector<std::pair<bytes, bytes>>;

template <class Engine>
pairs scanned(Engine& e, const index_query& q) {
  pairs out;
  e.scan_index(q, [&](bytes_view value, bytes_view key, bytes_view) {
     out.emplace_back(value, key);
     return true;
   }).value();
  return out;
}

index_query query_for(const std::string& field) {
  for (const auto& i : schema_type::indexes())
    if (i.field == field) return {i.table, i.field, i.type};
  throw std::runtime_error("no index " + field);
}

pairs filtered(const entries& all, const index_query& q) {
  pairs out;
  for (const auto& [value, key] : all) {
    const bool low = value >= q.range.low;
    const bool high =
        q.range.upper == state::value_range::end::open ||
        (q.range.upper == state::value_range::end::at_most && value <= q.range.high) ||
        (q.range.upper == state::value_range::end::below && value < q.range.high) ||
        (q.range.upper == state::value_range::end::prefix &&
         value.substr(0, q.range.high.size()) == q.range.high);
    if (low && high) out.emplace_back(value, key);
  }
  if (q.descending) std::reverse(out.begin(), out.end());
  return out;
}

/// Titles of all lengths: short, with zeros, and long ones that differ only far behind.
std::string random_title(prng& dice) {
  std::string out;
  const auto kind = dice.below(10);
  if (kind < 3) out.assign(90 + dice.below(30), 'x');
  if (kind == 3) out.assign(95 + dice.below(12), '\0');
  for (auto n = dice.below(4); n > 0; --n)
    out += dice.pick(std::vector<char>{'a', 'b', '\0', '\xFF'});
  return out;
}
std::string short_text(prng& dice) {
  return std::string(1 + dice.below(2), dice.chance(50) ? 'a' : 'b');
}

class subject {
 public:
  explicit subject(std::uint64_t seed) : dice(seed) {
    options.space = space_named("indexes");
    options.time = &time;
    options.random = &dice;
    options.cache_bytes = dice.below(3000);
    options.snapshot_records = 1 + dice.below(12);
    options.snapshot_step_records = 1 + dice.below(4);
    open();
  }
  memory_storage disk;
  manual_clock time{1'000'000};
  prng dice;
  replica_options options;
  std::optional<db_type> db;

  void open() {
    db.reset();
    db.emplace(db_type::open(disk.share(), options).value());
  }
  void change(session s) {
    switch (dice.below(9)) {
      case 0: s.title = random_title(dice); break;
      case 1: s.measured.started = static_cast<std::int64_t>(dice.below(600)) - 300; break;
      case 2: s.measured.longest.put(static_cast<int>(dice.below(5))); break;
      case 3: s.notes = short_text(dice); break;
      case 4:
        dice.chance(60) ? s.tags.insert(short_text(dice)) : s.tags.erase(short_text(dice));
        break;
      case 5: s.likes += static_cast<int>(dice.below(5)) - 2; break;
      case 6: s.points.grant(static_cast<int>(dice.below(4)), 1); break;
      case 7: s.open = dice.chance(50); break;
      default:
        if (dice.chance(70))
          s.replies[short_text(dice)] = 1;
        else
          s.replies.erase(short_text(dice));
    }
  }
  void write() {
    static_cast<void>(db->write([&](db_type::transaction& tx) {
      for (auto n = 1 + dice.below(6); n > 0; --n) {
        const auto key = "s" + std::to_string(dice.below(12));
        if (dice.chance(12))
          tx.erase<session>(key);
        else
          change(tx.create<session>(key));
      }
    }));
  }
  void take_from(subject& other) {
    std::vector<bytes> log;
    other.db->endpoint()
        .read_log(1,
                  [&](auto, const auto&, auto, bytes_view data) {
                    log.emplace_back(data);
                    return true;
                  })
        .value();
    const std::vector<bytes_view> views(log.begin(), log.end());
    static_cast<void>(db->endpoint().ingest(views));
  }

  /// A random part of a random order, as one walk and page by page.
  bool queries_agree(const std::map<std::string, entries>& wanted) {
    for (const auto& [field, all] : wanted) {
      auto q = query_for(field);
      if (scanned(db->endpoint(), q) != filtered(all, q)) return false;
      q.batch = 1 + dice.below(4);
      q.descending = dice.chance(50);
      if (!all.empty() && dice.chance(70))
        q.range.low = std::next(all.begin(), static_cast<long>(dice.below(all.size())))->first;
      if (!all.empty() && dice.chance(70)) {
        q.range.high = std::next(all.begin(), static_cast<long>(dice.below(all.size())))->first;
        q.range.upper = dice.pick(
            std::vector{state::value_range::end::at_most, state::value_range::end::below});
      }
      if (!all.empty() && dice.chance(20)) {
        q.range.high.resize(std::min<std::size_t>(q.range.high.size(), 1 + dice.below(110)));
        q.range.low = q.range.high;
        q.range.upper = state::value_range::end::prefix;
      }
      const auto expected = filtered(all, q);
      if (scanned(db->endpoint(), q) != expected) return false;
      if (expected.empty()) continue;
      const auto at = dice.below(expected.size());
      q.after = state::index_entry{expected[at].first, expected[at].second};
      if (scanned(db->endpoint(), q) !=
          pairs(expected.begin() + static_cast<long>(at) + 1, expected.end()))
        return false;
    }
    return true;
  }

  /// The stored entries are those of the stored records, at any moment.
  std::string stored_differences() {
    std::set<bytes> wanted, there;
    const auto& e = db->endpoint();
    disk.read([&](auto& view) -> result<> {
          view.scan(area::records, {}, [&](bytes_view full, bytes_view value) {
            if (e.names()[history::index_of(full.substr(0, 4))] != "sessions") return true;
            const auto record = history::open_record(full, value).value();
            std::uint32_t id = 0;
            for (const auto& i : schema_type::indexes()) {
              ++id;
              for (const auto& v : state::index_values(record.packed, e.names().find(i.field),
                                                       i.type, e.replicas()))
                wanted.insert(state::index_storage_entry(id, v, full.substr(4)).key);
            }
            return true;
          });
          view.scan(area::indexes, {},
                    [&](bytes_view key, bytes_view) { return there.insert(bytes{key}), true; });
          return {};
        })
        .value();
    return wanted == there ? ""
                           : "wanted " + std::to_string(wanted.size()) + " entries, there are " +
                                 std::to_string(there.size());
  }
};

}  // namespace

TEST_CASE("an index lists what a walk over the table finds, in order, after every step") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    prng dice{seed};
    subject nodes[] = {subject{seed * 10}, subject{seed * 10 + 1}};
    for (int step = 0; step < 60; ++step) {
      auto& n = nodes[dice.below(2)];
      n.time.now += dice.below(20);
      if (dice.chance(10))
        n.disk.fail_nth(dice.chance(50) ? memory_operation::put : memory_operation::erase,
                        1 + dice.below(30), errc::io);
      if (dice.chance(5)) n.disk.rerun_next_write();
      const auto what = dice.below(20);
      if (what < 12) n.write();
      if (what >= 12 && what < 16) n.take_from(nodes[dice.below(2)]);
      if (what == 16) static_cast<void>(n.db->checkpoint());
      n.disk.clear_faults();
      if (what == 17) n.open();
      if (what >= 18) {
        n.db.reset();
        n.disk.crash();
        n.open();
      }
      CAPTURE(seed, step, what);
      REQUIRE(n.queries_agree(naive(*n.db)));
      REQUIRE(n.stored_differences() == "");
    }
  }
}

TEST_CASE("typed queries: equality, ranges, prefixes, either direction, limits and counts") {
  subject s{1};
  const char* titles[] = {"ride", "run", "rest", "swim", "rIde"};
  s.db->write([&](auto& tx) {
        std::int64_t at = 100;
        for (const auto* title : titles) {
          auto r = tx.template create<session>("key of " + std::string{title});
          r.title = title;
          r.measured.started = at++;
          r.tags.insert("sport");
          r.tags.insert(title);
        }
        tx.template create<session>("untitled").likes += 7;
      })
      .value();
  const auto titles_of = [](const auto& query) {
    std::vector<std::string> out;
    query.for_each([&](std::string_view, const session& r) { out.push_back(*r.title); });
    return out;
  };
  using names = std::vector<std::string>;
  const auto by_title = s.db->query<session>().by<&session::title>();
  const auto by_start = s.db->query<session>().by<&session::measured, &measures::started>();
  CHECK(titles_of(by_title) == names{"rIde", "rest", "ride", "run", "swim"});
  CHECK(titles_of(by_title.prefix("r").descending()) == names{"run", "ride", "rest", "rIde"});
  CHECK(titles_of(by_title.equal("run")) == names{"run"});
  CHECK(titles_of(by_title.equal("ru")).empty());
  CHECK(titles_of(by_start.between(101, 103)) == names{"run", "rest", "swim"});
  CHECK(titles_of(by_start.from(101).below(103)) == names{"run", "rest"});
  CHECK(titles_of(by_start.descending().limit(2)) == names{"rIde", "swim"});
  CHECK(by_start.limit(0).count() == 0);
  CHECK(by_start.count() == 5);
  CHECK(s.db->query<session>().by<&session::likes>().from(1).count() == 1);
  CHECK(s.db->query<session>().by<&session::open>().equal(false).count() == 6);
  CHECK(s.db->query<session>().by<&session::tags>().equal("sport").count() == 5);
  int seen = 0;
  by_title.for_each([&](std::string_view, const session&) { return ++seen < 2; });
  CHECK(seen == 2);
}

TEST_CASE("pages go on where they stopped, across restarts and while writes go on") {
  subject s{2};
  const auto put = [&](int n) {
    s.db->write([&](auto& tx) {
          tx.template create<session>("k" + std::to_string(1000 + n)).measured.started = n;
        })
        .value();
  };
  for (int n = 0; n < 40; n += 2) put(n);
  std::vector<std::int64_t> seen;
  bytes cursor;
  do {
    const auto page = s.db->query<session>()
                          .by<&session::measured, &measures::started>()
                          .limit(3)
                          .after(cursor)
                          .page();
    REQUIRE(page.rows.size() <= 3);
    for (const auto& r : page.rows) seen.push_back(*r->measured.started);
    cursor = page.next;
    if (seen.size() == 6) {
      put(5);   // before the cursor: not seen any more
      put(11);  // behind it: seen
      s.db->write([](auto& tx) { tx.template erase<session>("k1014"); }).value();
      s.open();  // the cursor outlives the process
    }
  } while (!cursor.empty());
  CHECK(seen == std::vector<std::int64_t>{0,  2,  4,  6,  8,  10, 11, 12, 16, 18,
                                          20, 22, 24, 26, 28, 30, 32, 34, 36, 38});

  const auto page =
      s.db->query<session>().by<&session::measured, &measures::started>().limit(3).page();
  const auto other = s.db->query<session>().by<&session::likes>();
  CHECK_THROWS_AS(other.after(page.next).count(), failure);
  auto damaged = page.next;
  damaged.back() = static_cast<char>(damaged.back() + 1);
  CHECK_THROWS_AS(
      (s.db->query<session>().by<&session::measured, &measures::started>().after(damaged).count()),
      failure);
}

TEST_CASE("a callback may write: what comes after is found as it is then") {
  subject s{3};
  s.db->write([](auto& tx) {
        for (int n = 0; n < 10; ++n) tx.template create<session>(std::to_string(n)).likes += n;
      })
      .value();
  std::vector<std::string> seen;
  s.db->query<session>().by<&session::likes>().for_each([&](std::string_view key, const session&) {
    seen.emplace_back(key);
    if (key == "3") s.db->write([](auto& tx) { tx.template erase<session>("5"); }).value();
  });
  CHECK(seen == std::vector<std::string>{"0", "1", "2", "3", "4", "6", "7", "8", "9"});
}

TEST_CASE("an index that is added later is built, also when the building stops half way") {
  for (int stop = 0; stop < 3; ++stop) {
    subject s{4};
    s.options.cache_bytes = 4u << 20;
    s.options.snapshot_step_records = 512;
    s.open();
    s.db->write([](auto& tx) {
          for (int n = 0; n < 1100; ++n)
            tx.template create<session>(std::to_string(n)).measured.started = n % 50;
        })
        .value();
    s.db->checkpoint().value();
    const auto expected = naive(*s.db);
    s.db.reset();
    {
      auto plain =
          replica<without_indexes, memory_storage>::open(s.disk.share(), s.options).value();
      plain.write([](auto& tx) { tx.template edit<session>("7").measured.started = 7; }).value();
      plain.checkpoint().value();
    }
    const auto listed = [&] {
      std::size_t n = 0;
      s.disk
          .read([&](auto& view) -> result<> {
            view.scan(area::indexes, {}, [&](bytes_view, bytes_view) { return ++n, true; });
            return {};
          })
          .value();
      return n;
    };
    CHECK(listed() == 0);  // dropped: nobody declared them
    s.disk.fail_nth(memory_operation::put, 100 + static_cast<std::uint64_t>(stop) * 2000,
                    errc::full);
    s.open();
    CAPTURE(stop);
    CHECK(s.db->status().last_index_error.has_value() == (stop < 2));
    CHECK(s.queries_agree(expected));  // by walking the table, where need be
    s.write();
    s.db->checkpoint().value();
    CHECK(s.queries_agree(naive(*s.db)));
    s.disk.clear_faults();
    s.open();
    CHECK(!s.db->status().last_index_error);
    CHECK(s.queries_agree(naive(*s.db)));
    s.db->checkpoint().value();
    CHECK(listed() > 1100);
  }
}

TEST_CASE("a damaged entry of an index costs an answer nothing, and the index is built anew") {
  subject s{5};
  for (int n = 0; n < 30; ++n) s.write();
  s.db->checkpoint().value();
  s.disk
      .write([](auto& w) -> result<> {
        std::vector<bytes> keys;
        w.scan(area::indexes, {}, [&](bytes_view key, bytes_view) {
          keys.emplace_back(key);
          return true;
        });
        for (const auto& key : keys) w.put(area::indexes, key, "damaged");
        return {};
      })
      .value();
  s.open();
  const auto expected = naive(*s.db);
  CHECK(s.queries_agree(expected));
  CHECK(s.db->status().last_index_error.has_value());
  s.open();
  CHECK(!s.db->status().last_index_error);
  CHECK(s.queries_agree(expected));
  CHECK(!s.db->status().last_index_error);
}

TEST_CASE("on disk: built for a store that has records, used by a reader that may build nothing") {
  const store_tests::temporary_directory directory;
  const auto open = [&]<class Schema>(Schema*, bool read_only = false) {
    auto storage = store::lmdb::open({.path = directory.path(), .read_only = read_only}).value();
    return replica<Schema, store::lmdb>::open(std::move(storage), {.space = space_named("disk")})
        .value();
  };
  const auto latest = [](auto& db) {
    std::vector<std::string> out;
    db.template query<session>()
        .template by<&session::measured, &measures::started>()
        .descending()
        .limit(3)
        .for_each([&](std::string_view key, const session&) { out.emplace_back(key); });
    return out;
  };
  {
    auto plain = open(static_cast<without_indexes*>(nullptr));
    plain
        .write([](auto& tx) {
          for (int n = 0; n < 1500; ++n)
            tx.template create<session>(std::to_string(n)).measured.started = n * 7 % 1500;
        })
        .value();
    plain.checkpoint().value();
  }
  using keys = std::vector<std::string>;
  {
    auto reader = open(static_cast<schema_type*>(nullptr), true);
    CHECK(latest(reader) == keys{"857", "214", "1071"});
  }
  {
    auto writer = open(static_cast<schema_type*>(nullptr));
    CHECK(latest(writer) == keys{"857", "214", "1071"});
    writer.write([](auto& tx) { tx.template edit<session>("3").measured.started = 9999; }).value();
    CHECK(latest(writer) == keys{"3", "857", "214"});
  }
  auto reader = open(static_cast<schema_type*>(nullptr), true);
  CHECK(latest(reader) == keys{"3", "857", "214"});
}
