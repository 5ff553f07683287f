// Local tables under faults: with the changeset of their transaction, or not at all.
#include <catch2/catch.hpp>

#include <csignal>

#include "joinery/store/lmdb.hpp"
#include "tests/replica/local_app.hpp"
#include "tests/store/support.hpp"

using namespace replica_tests;
using namespace replica_tests::local_app;
using store_tests::in_child;
using store_tests::temporary_directory;

namespace {

using device_type = device<notes_app>;

template <class Tx>
void count_up(Tx& tx) {
  tx.template create<note>("n").edits += 1;
  tx.template create<post>("p").likes += 1;
}

/// A storage with a moment right after each commit, before the replica goes on.
struct watched_storage : memory_storage {
  watched_storage() = default;
  explicit watched_storage(memory_storage&& s) : memory_storage(std::move(s)) {}
  std::shared_ptr<std::function<void()>> after = std::make_shared<std::function<void()>>();

  template <class Body>
  result<> write(Body&& body) {
    auto done = memory_storage::write(body);
    if (done && *after) (*after)();
    return done;
  }
};

}  // namespace

TEST_CASE("a transaction over both kinds of tables is there after a crash, or nothing of it is") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    prng dice{seed};
    device_type d{seed, dice.chance(50) ? durability::commit : durability::interval};
    d.options.snapshot_records = 1 + dice.below(3);
    d.options.cache_bytes = dice.chance(50) ? 0 : 100'000;
    d.open().value();
    std::int64_t acknowledged = 0;
    for (int n = 0; n < 20; ++n) {
      if (dice.chance(20)) {
        const auto which = dice.chance(50) ? memory_operation::commit : memory_operation::put;
        const auto nth = 1 + dice.below(6);
        const auto why = dice.chance(50) ? errc::io : errc::full;
        d.disk.fail_nth(which, nth, why, dice.chance(50));
      }
      if (dice.chance(10)) d.disk.rerun_next_write();
      const auto done = d.write([&](auto& tx) {
        if (dice.chance(90)) count_up(tx);
        if (dice.chance(20)) tx.template create<note>("alone").edits += 1;
      });
      if (done && !d.disk.poisoned()) {  // by a snapshot step after the commit
        if (d.disk.mode() == durability::commit) acknowledged = edits(d, "n");
        REQUIRE(edits(d, "n") == likes(d, "p"));
      }
      d.disk.clear_faults();
      if (dice.chance(20) || d.disk.poisoned()) {
        d.crash(dice.below(d.disk.unsynced_commits() + 1));
        REQUIRE(edits(d, "n") == likes(d, "p"));
        REQUIRE(edits(d, "n") >= acknowledged);
      }
    }
  }
}

TEST_CASE("a commit that finds no room or fails leaves neither part, and the next one does both") {
  device_type d{1};
  d.write([](auto& tx) { count_up(tx); }).value();
  const auto before = content_of(d.disk);
  d.disk.fail_nth(memory_operation::commit, 1, errc::full);
  CHECK(failed_with(d.write([](auto& tx) { count_up(tx); }), errc::full));
  CHECK(content_of(d.disk) == before);
  CHECK(edits(d, "n") == 1);
  CHECK(likes(d, "p") == 1);
  // What is local alone knows the block as well, and lifts it.
  d.disk.fail_nth(memory_operation::commit, 1, errc::full);
  const auto alone = [](auto& tx) { tx.template create<note>("of a new name").tags.insert("t"); };
  CHECK(failed_with(d.write(alone), errc::full));
  CHECK(d.db->status().blocked);
  CHECK(content_of(d.disk) == before);
  d.write(alone).value();
  CHECK_FALSE(d.db->status().blocked);
  d.write([](auto& tx) { count_up(tx); }).value();
  CHECK(edits(d, "n") == 2);
  CHECK(likes(d, "p") == 2);
  // Refused after the local part was worked out: nothing of it stays.
  d.options.max_changeset_bytes = 300;
  d.open().value();
  const auto refused = d.write([](auto& tx) {
    tx.template create<note>("n").edits += 1;
    tx.template create<post>("p").text = std::string(400, 'x');
  });
  CHECK(failed_with(refused, errc::too_large));
  CHECK(edits(d, "n") == 2);
  d.write([](auto& tx) { tx.template create<post>("p").likes += 1; }).value();
  CHECK(edits(d, "n") == 2);
  CHECK(failed_with(
      d.write([](auto& tx) { tx.template create<note>("n").text = std::string(400, 'x'); }),
      errc::too_large));
  // Nor of one that throws, or that another write gets into.
  CHECK_THROWS(d.write([](auto& tx) {
    count_up(tx);
    throw std::runtime_error("no");
  }));
  CHECK(failed_with(d.write([&](auto& tx) {
    count_up(tx);
    d.db->write([](auto& inner) { inner.template create<note>("inner"); }).value();
  }),
                    errc::invalid_argument));
  CHECK(edits(d, "n") == 2);
}

TEST_CASE("any call fails while a store is opened, indexed, written, read and added to") {
  using indexed_app = tables<table<"posts", post, joinery::index<&post::text>>,
                             table<"drafts", note, local_only, joinery::index<&note::text>>>;
  device_type other{9}, prepared{1};
  for (int n = 0; n < 3; ++n) {
    other.write([&](auto& tx) { tx.template create<note>(key_of(10 + n)).text = key_of(n); })
        .value();
    prepared
        .write([&](auto& tx) {
          count_up(tx);
          tx.template create<note>(key_of(n)).text = key_of(n);
          tx.template create<post>(key_of(n)).text = key_of(n);
        })
        .value();
  }
  prepared.engine().checkpoint().value();
  prepared.db.reset();
  for (const auto what : {memory_operation::read, memory_operation::put, memory_operation::erase,
                          memory_operation::commit}) {
    for (std::uint64_t nth = 1, reached = 1; reached == 1; ++nth) {
      const auto why = nth % 2 == 0 ? errc::full : errc::io;
      CAPTURE(static_cast<int>(what), nth, name_of(why));
      device<indexed_app> d{2};
      d.db.reset();
      d.disk = prepared.disk.clone();
      d.disk.fail_nth(what, nth, why, nth % 3 == 0);
      std::int64_t acknowledged = 3;
      const auto note_of = [&](const auto& done) {
        if (!done) CHECK((done.error().code == why || done.error().code == errc::poisoned));
        return done.has_value();
      };
      for (int turn = 0; turn < 2; ++turn) {
        if (!note_of(d.open())) {
          if (d.disk.poisoned()) d.disk.crash(0);
          continue;
        }
        try {
          const auto posts = d.db->query<post>().by<&post::text>().from("").count();
          const auto notes = d.db->query<note>().by<&note::text>().from("").count();
          const auto one = d.db->find<note>(key_of(1));
          REQUIRE((posts == 3 && notes >= 3 && one));
          d.db->for_each<note>([](auto, const note&) {});
        } catch (const failure& f) {
          note_of(result<>{f.error()});
        }
        if (note_of(d.write([](auto& tx) { count_up(tx); }))) ++acknowledged;
        note_of(d.engine().local().adopt(other.engine().local(), other.engine().self()));
      }
      reached = d.disk.has_faults() ? 0 : 1;
      d.disk.clear_faults();
      d.disk.poisoned() ? d.crash() : d.open().value();
      while (!d.engine().tend() || d.db->status().last_index_error) {}
      d.engine().local().adopt(other.engine().local(), other.engine().self()).value();
      REQUIRE(edits(d, "n") == likes(d, "p"));
      REQUIRE(edits(d, "n") >= acknowledged);
      REQUIRE(edits(d, "n") <= acknowledged + 2);  // one that failed may have landed
      for (int n = 0; n < 3; ++n) {
        REQUIRE(d.db->query<note>().by<&note::text>().equal(key_of(n)).count() == 2);
        REQUIRE(d.db->query<post>().by<&post::text>().equal(key_of(n)).count() == 1);
        REQUIRE(draft(d, key_of(10 + n)) == key_of(n));
      }
    }
  }
}

TEST_CASE("a killed process leaves both parts of its last transactions, or neither") {
  const temporary_directory dir;
  using disk_replica = replica<notes_app, store::lmdb>;
  replica_options options;
  options.space = space_named("local tables");
  options.snapshot_records = 3;
  const auto open = [&] {
    return disk_replica::open(
               store::lmdb::open({.path = dir.path(), .initial_map_bytes = std::size_t{1} << 20})
                   .value(),
               options)
        .value();
  };
  std::int64_t before = 0;
  for (int round = 0; round < 6; ++round) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const auto child = ::fork();
    if (child == 0) {
      try {
        auto db = open();
        for (char n = 0;; ++n) {
          db.write([](auto& tx) { count_up(tx); }).value();
          if (::write(pipe[1], &n, 1) != 1) ::_exit(1);
        }
      } catch (...) {}
      ::_exit(1);
    }
    ::close(pipe[1]);
    std::int64_t acknowledged = 0;
    for (char c = 0; acknowledged < 3 + round && ::read(pipe[0], &c, 1) == 1;) ++acknowledged;
    ::kill(child, SIGKILL);
    for (char c = 0; ::read(pipe[0], &c, 1) == 1;) ++acknowledged;
    ::close(pipe[0]);
    ::waitpid(child, nullptr, 0);
    auto db = open();
    const auto counted = *db.find<note>("n")->edits;
    CHECK(counted == *db.find<post>("p")->likes);
    CHECK(counted >= before + acknowledged);
    before = counted;
  }
}

TEST_CASE("a reader sees both parts of a commit, or neither, at every moment") {
  device<notes_app, watched_storage> d{1};
  d.options.snapshot_records = 2;
  auto storage = watched_storage{d.disk.share()};
  const auto after = storage.after;
  d.db.reset();
  d.db.emplace(replica<notes_app, watched_storage>::open(std::move(storage), d.options).value());
  d.write([](auto& tx) { count_up(tx); }).value();
  using reader_type = joinery::reader<notes_app>;
  std::vector<std::pair<reader_type, std::int64_t>> kept;
  const auto count_of = [](const reader_type& r) {
    const auto n = r.find<note>("n");
    const auto p = r.find<post>("p");
    std::int64_t walked = 0;
    r.for_each<note>([&](auto, const note& x) { walked += *x.edits; });
    CHECK(*n->edits == *p->likes);
    CHECK(walked == *n->edits);
    CHECK(n->tags.get().size() == (*n->edits > 2 ? 1 : 0));
    return *n->edits;
  };
  int moments = 0;
  *after = [&] {
    ++moments;
    auto r = d.db->reader().value();
    const auto shown = count_of(r);
    kept.emplace_back(std::move(r), shown);
  };
  for (int n = 0; n < 8; ++n)
    d.write([&](auto& tx) {
       count_up(tx);
       if (n == 1) tx.template edit<note>("n").tags.insert("a field of its own");
     }).value();
  CHECK(moments >= 8);
  *after = {};
  CHECK(count_of(d.db->reader().value()) == 9);
  for (const auto& [r, shown] : kept) CHECK(count_of(r) == shown);
  const auto last = d.db->reader().value();
  d.db.reset();
  CHECK_THROWS_AS(last.find<note>("n"), failure);
  CHECK_THROWS_AS(last.find<note>("none"), failure);
}

TEST_CASE("local changes are synced in time, with or without changesets") {
  device_type d{1, durability::interval};
  d.options.sync_interval_ms = 1000;
  d.open().value();
  const auto alone = [](auto& tx) { tx.template create<note>("n").edits += 1; };
  d.db->flush().value();
  d.write(alone).value();
  d.crash();
  CHECK(edits(d, "n") == 0);
  d.db->flush().value();
  d.write(alone).value();
  d.db->flush().value();
  d.crash();
  CHECK(edits(d, "n") == 1);
  d.db->flush().value();
  d.write(alone).value();
  d.time.now += 1000;
  d.db->tend().value();
  CHECK(d.disk.unsynced_commits() == 0);
  d.crash();
  CHECK(edits(d, "n") == 2);
}

TEST_CASE("a damaged local record is told of, set aside, and hides nothing else") {
  device_type d{1};
  d.write([](auto& tx) {
     for (const auto* key : {"a", "b", "c"}) tx.template create<note>(key).text = key;
   }).value();
  flip_ending(d.disk, area::local, "b");
  SECTION("by a read") { CHECK_THROWS_AS(d.db->find<note>("b"), failure); }
  SECTION("by a walk") {
    CHECK_THROWS_AS(d.db->for_each<note>([](auto, const note&) {}), failure);
  }
  SECTION("by a transaction") {
    CHECK(failed_with(d.write([](auto& tx) { tx.template edit<note>("b"); }), errc::checksum));
  }
  SECTION("by the scrub") {
    while (!d.engine().scrub(4).value()) {}
  }
  REQUIRE(d.db->status().damaged == 1);
  CHECK(d.db->status().damaged_entries[0].place.find("local") != std::string::npos);
  CHECK_FALSE(d.db->find<note>("b"));  // it is lost, and said to be
  CHECK(draft(d, "c") == "c");
  int count = 0;
  d.db->for_each<note>([&](auto, const note&) { ++count; });
  CHECK(count == 2);
  d.open().value();
  CHECK(d.db->status().damaged == 1);
  d.write([](auto& tx) { tx.template create<note>("b").text = "anew"; }).value();
  CHECK(d.db->status().damaged == 0);
  d.open().value();
  CHECK(d.db->status().damaged == 0);
  CHECK(draft(d, "b") == "anew");
  CHECK(keys_of(d.disk, area::quarantine).empty());
}

TEST_CASE("a store that has lost the names of its local tables is not opened") {
  device_type d{1};
  d.write([](auto& tx) { tx.template create<note>("n").text = "t"; }).value();
  d.db.reset();
  SECTION("damaged") {
    flip_ending(d.disk, area::local, history::index_key(1));
    CHECK(failed_with(d.open(), errc::checksum));
  }
  SECTION("missing") {
    d.disk
        .write([](auto& w) -> result<> {
          w.erase(area::local, history::record_key(0, history::index_key(1)));
          return {};
        })
        .value();
    CHECK(failed_with(d.open(), errc::malformed));
  }
}

TEST_CASE("a damaged descriptor of a local table is written anew") {
  device_type d{1};
  d.write([](auto& tx) { tx.template create<note>("n").text = "t"; }).value();
  d.db.reset();
  flip_ending(d.disk, area::local, "drafts");
  d.open().value();
  CHECK(d.engine().local().described_tables().value().empty());
  d.write([](auto& tx) { tx.template create<note>("n").text = "u"; }).value();
  CHECK(d.engine().local().described_tables().value().size() == 1);
  CHECK(d.db->status().damaged == 0);
}
