// What the storage in memory adds for tests: crashes, faults, clones. (What every storage promises
// is tested in tests/store/conformance.cpp.)
#include "joinery/history/memory_storage.hpp"

#include <catch2/catch.hpp>

#include <thread>

namespace {

using namespace joinery;
using namespace joinery::history;

result<> put(memory_storage& s, bytes_view key, bytes_view value) {
  return s.write([&](auto& w) -> result<> {
    w.put(area::records, key, value);
    return {};
  });
}

/// All entries as "key=value …", or the error's name.
std::string content(memory_storage& s) {
  std::string out;
  const auto done = s.read([&](auto& v) -> result<> {
    v.scan(area::records, "", [&](bytes_view key, bytes_view value) {
      out += (out.empty() ? "" : " ") + bytes(key) + "=" + bytes(value);
      return true;
    });
    return {};
  });
  return done ? out : std::string(name_of(done.error().code));
}

bool failed_with(const result<>& r, errc code) { return !r && r.error().code == code; }

}  // namespace

TEST_CASE("a crash takes back what was not synced") {
  memory_storage s(durability::interval);
  REQUIRE(put(s, "a", "1"));
  REQUIRE(put(s, "b", "1"));
  REQUIRE(s.sync());
  REQUIRE(put(s, "a", "2"));
  REQUIRE(s.write([](auto& w) -> result<> {
    w.erase(area::records, "b");
    w.put(area::records, "c", "2");
    w.put(area::records, "c", "3");
    return {};
  }));
  CHECK(content(s) == "a=2 c=3");
  CHECK(s.unsynced_commits() == 2);
  s.crash();
  CHECK(content(s) == "a=1 b=1");
  CHECK(s.unsynced_commits() == 0);
}

TEST_CASE("a crash may leave the first of the commits that were not synced") {
  memory_storage s(durability::interval);
  for (const char* value : {"1", "2", "3"}) REQUIRE(put(s, "a", value));
  s.crash(2);
  CHECK(content(s) == "a=2");
  s.crash();  // what survived is durable
  CHECK(content(s) == "a=2");
}

TEST_CASE("with durability::commit a crash takes nothing") {
  memory_storage s(durability::commit);
  REQUIRE(put(s, "a", "1"));
  CHECK(s.unsynced_commits() == 0);
  s.crash();
  CHECK(content(s) == "a=1");
}

TEST_CASE("the n-th operation fails when it is told to") {
  memory_storage s;
  REQUIRE(put(s, "a", "1"));
  s.fail_nth(memory_operation::put, 2, errc::full);
  REQUIRE(put(s, "a", "2"));
  CHECK(failed_with(put(s, "a", "3"), errc::full));
  REQUIRE(put(s, "a", "4"));
  s.fail_nth(memory_operation::erase, 1, errc::io);
  CHECK(failed_with(s.write([](auto& w) -> result<> {
    w.put(area::records, "a", "5");
    w.erase(area::records, "a");
    return {};
  }),
                    errc::io));
  CHECK(content(s) == "a=4");
}

TEST_CASE("a full device refuses a commit and takes the next one") {
  memory_storage s;
  s.fail_nth(memory_operation::commit, 1, errc::full);
  CHECK(failed_with(put(s, "a", "1"), errc::full));
  CHECK(content(s).empty());
  REQUIRE(put(s, "a", "1"));
}

TEST_CASE("a failed commit poisons the storage until it is reopened") {
  memory_storage s;
  REQUIRE(put(s, "a", "1"));
  s.fail_nth(memory_operation::commit, 1, errc::io);
  CHECK(failed_with(put(s, "a", "2"), errc::io));
  CHECK(failed_with(put(s, "a", "3"), errc::poisoned));
  CHECK(failed_with(s.sync(), errc::poisoned));
  CHECK(content(s) == "poisoned");
  s.reopen();
  CHECK(content(s) == "a=1");
  REQUIRE(put(s, "a", "4"));
}

TEST_CASE("a failed sync poisons the storage and confirms nothing") {
  memory_storage s(durability::interval);
  REQUIRE(put(s, "a", "1"));
  s.fail_nth(memory_operation::sync, 1, errc::io);
  CHECK(failed_with(s.sync(), errc::io));
  CHECK(content(s) == "poisoned");
  s.crash();
  CHECK(content(s).empty());
}

TEST_CASE("a commit that failed may be there after a crash") {
  memory_storage s(durability::interval);
  REQUIRE(put(s, "a", "1"));
  s.fail_nth(memory_operation::commit, 1, errc::io, true);
  CHECK(failed_with(s.write([](auto& w) -> result<> {
    w.put(area::records, "b", "2");
    w.erase(area::records, "a");
    return {};
  }),
                    errc::io));
  SECTION("but not when the program only starts again") {
    s.reopen();
    CHECK(content(s) == "a=1");
  }
  SECTION("and then so is all that came before it") {
    s.crash();
    CHECK(content(s) == "b=2");
  }
}

TEST_CASE("a write can be made to run twice") {
  memory_storage s;
  s.rerun_next_write();
  int runs = 0;
  REQUIRE(s.write([&](auto& w) -> result<> {
    ++runs;
    CHECK_FALSE(w.get(area::records, "a"));
    w.put(area::records, "a", std::to_string(runs));
    return {};
  }));
  CHECK(runs == 2);
  CHECK(content(s) == "a=2");
  REQUIRE(put(s, "b", "1"));
}

TEST_CASE("a shared handle sees the same bytes, a clone has its own") {
  memory_storage s;
  REQUIRE(put(s, "a", "1"));
  auto shared = s.share();
  auto clone = s.clone();
  REQUIRE(put(s, "a", "2"));
  CHECK(content(shared) == "a=2");
  CHECK(content(clone) == "a=1");
  s.put_back(clone);
  CHECK(content(shared) == "a=1");
}

TEST_CASE(
    "an image that is kept ends when the storage is opened again, and a poisoned one has none") {
  memory_storage s;
  REQUIRE(put(s, "a", "1"));
  auto image = s.pin().value();
  const auto nothing = [](auto&) -> result<> { return {}; };
  CHECK(image.read(nothing));
  { const auto let_go = s.pin().value(); }
  s.fail_nth(memory_operation::commit, 1, errc::io);
  CHECK(failed_with(put(s, "a", "2"), errc::io));
  CHECK(failed_with(image.read(nothing), errc::poisoned));
  const auto refused = s.pin();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::poisoned);
  s.reopen();
  CHECK(failed_with(image.read(nothing), errc::closed));
  image = s.pin().value();
  CHECK(image.read(nothing));
  CHECK(content(s) == "a=1");
}

TEST_CASE("threads take turns in a storage in memory") {
  memory_storage s;
  REQUIRE(s.write([](auto& w) -> result<> {
    w.put(area::records, "a", "0");
    w.put(area::records, "b", "0");
    return {};
  }));
  std::atomic<int> torn = 0;
  std::thread reader([&] {
    for (int i = 0; i < 300; ++i) {
      const auto done = s.read([&](auto& v) -> result<> {
        if (*v.get(area::records, "a") != *v.get(area::records, "b")) ++torn;
        return {};
      });
      if (!done) ++torn;
    }
  });
  for (int i = 1; i <= 300; ++i) {
    REQUIRE(s.write([&](auto& w) -> result<> {
      w.put(area::records, "a", std::to_string(i));
      w.put(area::records, "b", std::to_string(i));
      return {};
    }));
  }
  reader.join();
  CHECK(torn == 0);
}
