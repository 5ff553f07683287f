// Opening LMDB stores: who may, what they see, what is refused.
#include <catch2/catch.hpp>

#include <fstream>
#include <thread>

#include "tests/store/support.hpp"

using namespace store_tests;
namespace fs = std::filesystem;

namespace {

std::size_t files_named(const std::string& directory, const std::string& part) {
  std::size_t out = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    out += entry.path().filename().string().find(part) != std::string::npos;
  }
  return out;
}

/// Waits until `path` exists; a child's way to say that it is ready.
bool wait_for(const std::string& path) {
  for (int i = 0; i < 5000 && !fs::exists(path); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return fs::exists(path);
}

}  // namespace

TEST_CASE("a store is made for its owner alone, with what is missing above it") {
  temporary_directory d;
  const auto path = d.path("a/b/store");
  auto s = lmdb::open(at(path)).value();
  const auto mode = [](const fs::path& p) {
    return static_cast<unsigned>(fs::status(p).permissions());
  };
  CHECK(mode(d.path("a")) == 0700);
  CHECK(mode(path) == 0700);
  for (const auto& entry : fs::directory_iterator(path)) CHECK(mode(entry.path()) == 0600);
}

TEST_CASE("a store that does not exist is not made when that is not wanted") {
  temporary_directory d;
  auto options = at(d.path());
  options.create_if_missing = false;
  CHECK(failed_with(lmdb::open(options), errc::not_found));
  CHECK(failed_with(lmdb::open(reading(d.path())), errc::not_found));
  CHECK_FALSE(fs::exists(d.path()));
  fs::create_directory(d.path());
  CHECK(failed_with(lmdb::open(options), errc::not_found));
  CHECK(failed_with(lmdb::open(reading(d.path())), errc::not_found));
  CHECK(fs::is_empty(d.path()));
  CHECK(failed_with(lmdb::open(at("")), errc::invalid_argument));
}

TEST_CASE("a path that is a file is refused") {
  temporary_directory d;
  std::ofstream(d.path()) << "text";
  CHECK(failed_with(lmdb::open(at(d.path())), errc::io));
  CHECK(failed_with(lmdb::open(at(d.path("store/below"))), errc::io));
}

TEST_CASE("a second open in the same process is refused, also for reading and by another name") {
  temporary_directory d;
  auto s = lmdb::open(at(d.path())).value();
  fs::create_directory_symlink(d.path(), d.path("other-name"));
  for (const auto& options : {at(d.path()), reading(d.path()), reading(d.path("other-name"))}) {
    const auto second = lmdb::open(options);
    CHECK(failed_with(second, errc::locked));
    CHECK(text(second).find("this process") != std::string::npos);
  }
  REQUIRE(put(s, area::meta, "k", "v"));  // the first one goes on
  REQUIRE(s.close());
  CHECK(failed_with(put(s, area::meta, "k", "v"), errc::closed));
  auto reader = lmdb::open(reading(d.path())).value();
  CHECK(failed_with(lmdb::open(reading(d.path())), errc::locked));
  CHECK(get(reader, area::meta, "k") == "v");
}

TEST_CASE("a second writing process is refused and told who has the store") {
  temporary_directory d;
  auto s = lmdb::open(at(d.path())).value();
  const auto me = std::to_string(::getpid());
  CHECK(in_child([&] {
          const auto other = lmdb::open(at(d.path()));
          if (!failed_with(other, errc::locked)) return 1;
          return other.error().what.find("process " + me) == std::string::npos ? 2 : 0;
        }) == 0);
  REQUIRE(put(s, area::meta, "k", "v"));
  REQUIRE(s.close());
  CHECK(in_child([&] { return lmdb::open(at(d.path())) ? 0 : 1; }) == 0);
}

TEST_CASE("a store is free again after its process was killed, and its mark is cleaned up") {
  temporary_directory d;
  CHECK(in_child([&] {
          auto s = lmdb::open(at(d.path())).value();
          if (!put(s, area::meta, "k", "v")) return 1;
          ::kill(::getpid(), SIGKILL);
          return 2;
        }) == -SIGKILL);
  CHECK(files_named(d.path(), ".open") == 1);
  auto s = lmdb::open(at(d.path())).value();
  CHECK(get(s, area::meta, "k") == "v");
  CHECK(files_named(d.path(), ".open") == 1);
  REQUIRE(s.close());
  CHECK(files_named(d.path(), ".open") == 0);
}

TEST_CASE("a reader in another process sees one image until it refreshes, while the writer grows") {
  temporary_directory d;
  auto small = at(d.path());
  small.initial_map_bytes = 1;
  auto s = lmdb::open(small).value();
  REQUIRE(put(s, area::records, "key", "old"));
  const auto ready = d.path("ready"), changed = d.path("changed");
  const auto child = ::fork();
  if (child == 0) {
    ::_exit([&] {
      auto opened = lmdb::open(reading(d.path()));
      if (!opened) return 1;
      auto& r = *opened;
      if (get(r, area::records, "key") != "old") return 2;
      std::ofstream(ready).put('.');
      if (!wait_for(changed)) return 3;
      if (get(r, area::records, "key") != "old") return 4;  // still the pinned image
      if (get(r, area::records, "large") != "(none)") return 5;
      if (!failed_with(put(r, area::records, "key", "mine"), errc::read_only)) return 6;
      const auto before = r.status().value();
      if (before.oldest_reader_lag == 0 || before.readers != 1) return 7;
      if (!r.refresh()) return 8;
      if (get(r, area::records, "key") != "new") return 9;
      if (get(r, area::records, "large").size() != 5'000'000) return 10;
      return r.status().value().map_bytes > before.map_bytes ? 0 : 11;  // row of MDB_MAP_RESIZED
    }());
  }
  REQUIRE(wait_for(ready));
  REQUIRE(put(s, area::records, "key", "new"));
  REQUIRE(put(s, area::records, "large", std::string(5'000'000, 'v')));
  CHECK(s.status().value().readers == 1);
  CHECK(s.status().value().oldest_reader_lag == 2);
  std::ofstream(changed).put('.');
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(s.status().value().readers == 0);
}

TEST_CASE("a reader that was killed does not hold pages back") {
  temporary_directory d;
  { auto s = lmdb::open(at(d.path())).value(); }
  CHECK(in_child([&] {
          auto r = lmdb::open(reading(d.path())).value();
          ::kill(::getpid(), SIGKILL);
          return 1;
        }) == -SIGKILL);
  auto s = lmdb::open(at(d.path())).value();
  REQUIRE(put(s, area::meta, "k", "v"));
  CHECK(s.status().value().readers == 0);
}

TEST_CASE("a child of fork cannot use its parent's store, and does it no harm") {
  temporary_directory d;
  auto s = lmdb::open(at(d.path())).value();
  REQUIRE(put(s, area::meta, "k", "v"));
  CHECK(get(s, area::meta, "k") == "v");
  CHECK(in_child([&] {
          if (!failed_with(put(s, area::meta, "k", "w"), errc::poisoned)) return 1;
          if (get(s, area::meta, "k").find("forked") == std::string::npos) return 2;
          if (!failed_with(s.sync(), errc::poisoned) || !failed_with(s.status(), errc::poisoned))
            return 3;
          if (!failed_with(s.copy_to(d.path("copy")), errc::poisoned)) return 4;
          { auto dropped = std::move(s); }
          if (fs::exists(d.path("copy"))) return 5;
          return failed_with(lmdb::open(at(d.path())), errc::locked) ? 0 : 6;  // the parent has it
        }) == 0);
  CHECK(files_named(d.path(), ".open") == 1);
  REQUIRE(put(s, area::meta, "k", "x"));
  CHECK(get(s, area::meta, "k") == "x");
  CHECK(in_child([&] { return failed_with(lmdb::open(at(d.path())), errc::locked) ? 0 : 1; }) == 0);
}

TEST_CASE("an LMDB environment of another program is refused and left as it was") {
  temporary_directory d;
  fs::create_directory(d.path());
  const auto other = [&](const char* name) {
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    MDB_dbi db = 0;
    REQUIRE(::mdb_env_create(&env) == 0);
    ::mdb_env_set_maxdbs(env, 4);
    REQUIRE(::mdb_env_open(env, d.path().c_str(), 0, 0600) == 0);
    REQUIRE(::mdb_txn_begin(env, nullptr, 0, &txn) == 0);
    REQUIRE(::mdb_dbi_open(txn, name, MDB_CREATE, &db) == 0);
    MDB_val k{3, const_cast<char*>("key")}, v{5, const_cast<char*>("value")};
    REQUIRE(::mdb_put(txn, db, &k, &v, 0) == 0);
    REQUIRE(::mdb_txn_commit(txn) == 0);
    ::mdb_env_close(env);
  };
  SECTION("with databases of other names") {
    other("somebody's");
    CHECK(failed_with(lmdb::open(at(d.path())), errc::unsupported));
    CHECK(failed_with(lmdb::open(reading(d.path())), errc::unsupported));
  }
  SECTION("with entries instead of databases") {
    other(nullptr);
    CHECK(failed_with(lmdb::open(at(d.path())), errc::unsupported));
  }
  SECTION("with a database of one of our names and of another kind") {
    other("log");
    CHECK(failed_with(lmdb::open(at(d.path())), errc::malformed));
  }
  REQUIRE(fs::file_size(d.path("store/data.mdb")) > 0);
}

TEST_CASE("a copy made while the store is open is a store of its own") {
  temporary_directory d;
  auto s = lmdb::open(at(d.path())).value();
  for (std::uint64_t n = 1; n <= 50; ++n)
    REQUIRE(put(s, area::log, position(n), std::string(500, 'x')));
  REQUIRE(s.copy_to(d.path("copy")));
  REQUIRE(s.copy_to(d.path("compact"), true));
  CHECK_FALSE(s.copy_to(d.path("copy")));  // there is one already
  REQUIRE(put(s, area::log, position(201), "later"));
  for (const char* name : {"copy", "compact"}) {
    auto copy = lmdb::open(at(d.path(name))).value();
    CHECK(get(copy, area::log, position(50)).size() == 500);
    CHECK(get(copy, area::log, position(201)) == "(none)");
    REQUIRE(put(copy, area::log, position(201), "other"));
  }
  CHECK(get(s, area::log, position(201)) == "later");
  CHECK(fs::file_size(d.path("compact/data.mdb")) < fs::file_size(d.path("copy/data.mdb")));
}

TEST_CASE("the status tells sizes, limits and the path") {
  temporary_directory d;
  auto options = at(d.path());
  options.initial_map_bytes = 100'000;  // rounded up to whole pages
  options.mode = durability::interval;
  auto s = lmdb::open(options).value();
  const auto before = s.status().value();
  CHECK(before.path == d.path());
  CHECK(before.mode == durability::interval);
  CHECK(before.map_bytes >= 100'000);
  CHECK(before.map_bytes % static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) == 0);
  CHECK(before.device_free_bytes > 0);
  REQUIRE(put(s, area::records, "k", std::string(1'000'000, 'v')));
  REQUIRE(s.sync());
  const auto after = s.status().value();
  CHECK(after.map_bytes > 1'000'000);
  CHECK(after.used_bytes > 1'000'000);
  CHECK(after.file_bytes >= after.used_bytes);
  CHECK(after.transaction == before.transaction + 1);
  REQUIRE(s.read([&](auto&) -> result<> {
    CHECK(s.status().value().readers == 1);  // also inside a read
    return {};
  }));
}

TEST_CASE("network file systems are known by their numbers") {
  using joinery::store::detail::remote_file_system;
  CHECK(remote_file_system(0x6969, 0) == "NFS");
  CHECK(remote_file_system(0xFF534D42, 0) == "CIFS");
  CHECK(remote_file_system(0x65735546, 0) == "FUSE without a local device");
  CHECK(remote_file_system(0x65735546, 8).empty());  // FUSE on a disk of this machine
  CHECK(remote_file_system(0xEF53, 8).empty());
  CHECK(remote_file_system(0x01021994, 0).empty());  // tmpfs
  using joinery::store::detail::require_local;
  CHECK(require_local("", false, "here"));
  CHECK(require_local("NFS", true, "here"));
  const auto refused = require_local("NFS", false, "here");
  CHECK(failed_with(refused, errc::unsupported));
  CHECK(text(refused).find("allow_network_fs") != std::string::npos);
  temporary_directory d;
  auto local = lmdb::open(at(d.path())).value();
  CHECK(local.status().value().network_file_system.empty());
}

TEST_CASE("a store that was being made when the power failed is made again") {
  temporary_directory d;
  const auto data = d.path("store/data.mdb");
  { auto s = lmdb::open(at(d.path())).value(); }
  SECTION("nothing had reached the file") { fs::resize_file(data, 0); }
  SECTION("only its length had") {
    fs::resize_file(data, 0);
    fs::resize_file(data, 8192);
  }
  CHECK(failed_with(lmdb::open(reading(d.path())), errc::not_found));
  auto s = lmdb::open(at(d.path())).value();
  REQUIRE(put(s, area::meta, "k", "v"));
}

TEST_CASE("a garbled lock file of LMDB or of ours does not hinder the only user") {
  temporary_directory d;
  {
    auto s = lmdb::open(at(d.path())).value();
    REQUIRE(put(s, area::meta, "k", "v"));
  }
  for (const char* name : {"store/lock.mdb", "store/joinery.lock"}) {
    for (const std::size_t size : {0U, 1U, 31U, 100U, 20'000U}) {
      std::ofstream(d.path(name), std::ios::binary) << std::string(size, '\xAB');
      auto s = lmdb::open(at(d.path())).value();
      CHECK(get(s, area::meta, "k") == "v");
      REQUIRE(put(s, area::meta, "n", std::to_string(size)));
    }
  }
}
