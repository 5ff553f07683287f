// Readers show one version, and end when they must.
#include <catch2/catch.hpp>

#include <functional>

#include "joinery/store/lmdb.hpp"
#include "tests/replica/sport_like.hpp"
#include "tests/store/support.hpp"

using namespace replica_tests;
using store_tests::temporary_directory;

namespace {

template <class Db>
void name(Db& db, int key, int value) {
  db.write([&](auto& tx) { tx.template create<athlete>(key_of(key)).name = value; }).value();
}

errc code_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const failure& f) {
    return f.error().code;
  }
  return errc{};
}

/// A storage that gives up what is pinned, as LMDB's does when it grows, the next `times` times
/// before anything is read from it.
class growing_storage {
 public:
  class pinned {
   public:
    pinned(memory_storage::pinned in, bool ended) : in_(std::move(in)), ended_(ended) {}
    template <class Body>
    result<> read(Body&& body) {
      if (ended_) return error{errc::reader_expired, "the store had to grow", "", ""};
      return in_.read(std::forward<Body>(body));
    }

   private:
    memory_storage::pinned in_;
    bool ended_;
  };

  explicit growing_storage(std::shared_ptr<int> times) : times_(std::move(times)) {}

  template <class Body>
  result<> write(Body&& body) {
    return in_.write(std::forward<Body>(body));
  }
  template <class Body>
  result<> read(Body&& body) {
    return in_.read(std::forward<Body>(body));
  }
  result<> sync() { return in_.sync(); }
  result<pinned> pin() {
    auto made = in_.pin();
    if (!made) return made.error();
    const bool ended = *times_ > 0;
    if (ended) --*times_;
    return pinned{std::move(*made), ended};
  }
  [[nodiscard]] history::durability mode() const { return in_.mode(); }
  [[nodiscard]] bool read_only() const { return in_.read_only(); }

 private:
  memory_storage in_;
  std::shared_ptr<int> times_;
};

struct opened {
  manual_clock time{1'000'000};
  prng dice{5};
  replica_options options;
  opened() {
    options.space = space_named("readers");
    options.time = &time;
    options.random = &dice;
  }
};

}  // namespace

TEST_CASE("a reader ends when it is too old, and tells so") {
  opened o;
  o.options.max_reader_age_ms = 1000;
  auto db = replica_type::open(memory_storage{}, o.options).value();
  name(db, 1, 7);
  auto r = db.reader().value();
  CHECK(db.status().readers == 1);
  o.time.now += 800;
  db.endpoint().tend().value();
  auto young = db.reader().value();
  CHECK(*r.find<athlete>(key_of(1))->name == 7);
  CHECK(db.status().readers == 2);
  CHECK(db.status().oldest_reader_ms == 800);
  o.time.now += 300;
  const auto row = r.find<athlete>(key_of(1));
  SECTION("when the replica is looked after") { db.endpoint().tend().value(); }
  SECTION("when it is written to") { name(db, 2, 1); }
  CHECK(code_of([&] { static_cast<void>(r.find<athlete>(key_of(1))); }) == errc::reader_expired);
  CHECK(code_of([&] { static_cast<void>(r.find<athlete>("never named")); }) ==
        errc::reader_expired);
  CHECK(code_of([&] { r.for_each<entry>([](auto, const auto&) {}); }) == errc::reader_expired);
  CHECK(r.digest().error().code == errc::reader_expired);
  CHECK(r.conflicts().error().code == errc::reader_expired);
  CHECK(*row->name == 7);
  CHECK(*young.find<athlete>(key_of(1))->name == 7);
  CHECK(db.status().readers == 1);
  CHECK(db.status().oldest_reader_ms == 300);
}

TEST_CASE("a reader that outlives its replica is closed, and its rows are not") {
  opened o;
  std::optional<replica_type> db = replica_type::open(memory_storage{}, o.options).value();
  name(*db, 1, 7);
  auto r = db->reader().value();
  auto row = r.find<athlete>(key_of(1));
  db.reset();
  CHECK(code_of([&] { static_cast<void>(r.find<athlete>(key_of(1))); }) == errc::closed);
  r = reader<app>{nullptr};
  CHECK(*row->name == 7);
}

TEST_CASE("a reader that nobody makes copies nothing: records are changed in place") {
  opened o;
  auto db = replica_type::open(memory_storage{}, o.options).value();
  name(db, 1, 1);
  const auto where = [&] {
    return static_cast<bytes_view>(db.endpoint().record("athletes", key_of(1)).value()).data();
  };
  const auto* before = where();
  name(db, 1, 2);
  CHECK(where() == before);
  {
    auto r = db.reader().value();
    name(db, 1, 3);
    CHECK(where() != before);
    CHECK(*r.find<athlete>(key_of(1))->name == 2);
  }
  before = where();
  name(db, 1, 4);
  CHECK(where() == before);
}

TEST_CASE("a walk of a reader is not disturbed by what its callback writes to the replica") {
  opened o;
  o.options.cache_bytes = 10'000;
  o.options.snapshot_records = 20;
  auto db = replica_type::open(memory_storage{}, o.options).value();
  for (int n = 0; n < 700; ++n) name(db, n, 1);
  auto r = db.reader().value();
  int count = 0, sum = 0;
  r.for_each<athlete>([&](auto, const athlete& a) {
    ++count;
    sum += *a.name;
    if (count % 20 == 0) {
      name(db, count * 7 % 700, 100);
      name(db, 1000 + count, 100);
      db.write([&](auto& tx) { tx.template erase<athlete>(key_of(count * 11 % 700)); }).value();
    }
  });
  CHECK(count == 700);
  CHECK(sum == 700);
}

TEST_CASE("a reader that is made while the store grows is made all the same") {
  opened o;
  const auto times = std::make_shared<int>(0);
  auto db = replica<app, growing_storage>::open(growing_storage{times}, o.options).value();
  name(db, 1, 7);
  *times = 3;
  CHECK(*db.reader().value().find<athlete>(key_of(1))->name == 7);
  CHECK(*times == 0);
  *times = 1'000;  // no store grows that often
  CHECK(db.reader().error().code == errc::reader_expired);
  CHECK(db.status().readers == 0);
}

TEST_CASE("a reader of a store on disk does not keep it from growing") {
  opened o;
  temporary_directory folder;
  using db_type = replica<app, store::lmdb>;
  auto db = db_type::open(
                store::lmdb::open({.path = folder.path(), .initial_map_bytes = 200'000}).value(),
                o.options)
                .value();
  name(db, 1, 7);
  auto r = db.reader().value();
  CHECK(*r.find<athlete>(key_of(1))->name == 7);
  const auto map = db.endpoint().storage().status().value().map_bytes;
  for (int n = 0; db.endpoint().storage().status().value().map_bytes == map; ++n)
    db.write([&](auto& tx) {
        auto a = tx.template create<athlete>(key_of(n));
        for (int i = 0; i < 1000; ++i) a.badges.insert(i);
      }).value();
  // What is in memory it may still show; what must be read it refuses.
  CHECK(r.digest().error().code == errc::reader_expired);
  CHECK(db.reader().value().digest().value() == db.digest().value());
}
