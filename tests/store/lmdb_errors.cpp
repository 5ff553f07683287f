// What a store refuses, and what it makes of the codes of LMDB and of the operating system.
#include <catch2/catch.hpp>

#include <set>

#include "tests/store/support.hpp"

using namespace store_tests;

namespace {

const auto nothing = [](auto&) -> result<> { return {}; };

/// What every call of a store and of one of its images gives: the same code from all, or "mixed".
std::string all_calls(lmdb& s, lmdb::pinned& image, const std::string& elsewhere) {
  std::set<std::string> codes;
  const auto note = [&](const auto& r) {
    codes.emplace(r.has_value() ? "ok" : name_of(r.error().code));
  };
  note(s.write(nothing));
  note(s.read(nothing));
  note(s.pin());
  note(image.read(nothing));
  note(s.sync());
  note(s.copy_to(elsewhere));
  note(s.refresh());
  return codes.size() == 1 ? *codes.begin() : "mixed";
}

}  // namespace

TEST_CASE("each code of LMDB and of the system says what happened, and what to do about it") {
  struct row {
    int code;
    errc as;
    const char* advice;
  };
  const row rows[] = {
      {MDB_INVALID, errc::malformed, "backup"},
      {MDB_CORRUPTED, errc::malformed, "backup"},
      {MDB_PAGE_NOTFOUND, errc::malformed, "backup"},
      {MDB_CURSOR_FULL, errc::malformed, "backup"},
      {MDB_PAGE_FULL, errc::malformed, "backup"},
      {MDB_INCOMPATIBLE, errc::malformed, "backup"},
      {MDB_MAP_FULL, errc::full, "most_map_bytes"},
      {MDB_TXN_FULL, errc::too_large, "split"},
      {MDB_BAD_VALSIZE, errc::too_large, ""},
      {MDB_PANIC, errc::poisoned, "open it again"},
      {MDB_VERSION_MISMATCH, errc::unsupported, "one version"},
      {MDB_READERS_FULL, errc::io, "too many reads"},
      {MDB_BAD_TXN, errc::io, ""},
      {ENOENT, errc::not_found, ""},
      {ENOSPC, errc::full, "make room"},
      {EDQUOT, errc::full, "make room"},
      {EFBIG, errc::full, "make room"},
      {EACCES, errc::io, "who owns"},
      {EPERM, errc::io, "who owns"},
      {EROFS, errc::io, "read_only"},
      {EMFILE, errc::io, "too many open files"},
      {ENFILE, errc::io, "too many open files"},
      {EIO, errc::io, ""},
  };
  for (const auto& [code, as, advice] : rows) {
    const auto e = joinery::store::detail::lmdb_error(code, "commit", "the store");
    CAPTURE(code, e.text());
    CHECK(e.code == as);
    CHECK(e.what.starts_with("commit: "));
    CHECK(e.where == "the store");
    CHECK(e.advice.find(advice) != std::string::npos);
    CHECK(e.advice.empty() == (*advice == '\0'));
  }
}

TEST_CASE("a store that was closed or moved away says so at every call, and of its images too") {
  temporary_directory d;
  auto s = lmdb::open(at(d.path())).value();
  REQUIRE(put(s, area::records, "k", "v"));
  auto image = s.pin().value();
  CHECK_FALSE(s.place().empty());
  CHECK(s.free_bytes() > 0);
  CHECK(all_calls(s, image, d.path("copy")) == "ok");
  SECTION("closed") {
    REQUIRE(s.close());
    CHECK(all_calls(s, image, d.path("copy of a closed one")) == "closed");
    CHECK(failed_with(s.status(), errc::closed));
    CHECK(s.close());  // once more does no harm
  }
  SECTION("moved away") {
    auto moved = std::move(s);
    auto moved_image = std::move(image);
    CHECK(all_calls(s, image, d.path("copy of none")) == "closed");
    CHECK(failed_with(s.status(), errc::closed));
    CHECK(s.close());
    CHECK_FALSE(s.poisoned());
    CHECK_FALSE(s.read_only());
    CHECK(s.mode() == durability::commit);
    CHECK(s.free_bytes() == 0);
    // The store itself goes on under its new name.
    CHECK(all_calls(moved, moved_image, d.path("second copy")) == "ok");
    CHECK(get(moved, area::records, "k") == "v");
  }
  CHECK(s.place().empty());
  CHECK_FALSE(std::filesystem::exists(d.path("copy of none")));
}

TEST_CASE("no call nests in a read, a write or the read of an image") {
  temporary_directory d;
  { REQUIRE(put(*std::make_unique<lmdb>(lmdb::open(at(d.path())).value()), area::meta, "k", "v")); }
  const bool writable = GENERATE(true, false);
  auto s = lmdb::open(writable ? at(d.path()) : reading(d.path())).value();
  auto image = s.pin().value();
  const auto inside = [&](auto&) -> result<> {
    CHECK(failed_with(s.read(nothing), errc::invalid_argument));
    CHECK(failed_with(s.pin(), errc::invalid_argument));
    CHECK(failed_with(image.read(nothing), errc::invalid_argument));
    CHECK(failed_with(s.copy_to(d.path("copy")), errc::invalid_argument));
    CHECK(failed_with(s.sync(), errc::invalid_argument));
    if (!writable) CHECK(failed_with(s.refresh(), errc::invalid_argument));
    return {};
  };
  CHECK(s.read(inside));
  CHECK(image.read(inside));
  if (writable) CHECK(s.write(inside));
  CHECK_FALSE(std::filesystem::exists(d.path("copy")));
  CHECK(get(s, area::meta, "k") == "v");
}

TEST_CASE("a copy is not made over a store, nor where it cannot be written") {
  temporary_directory d;
  auto s = lmdb::open(at(d.path())).value();
  REQUIRE(put(s, area::records, "k", "v"));
  REQUIRE(s.copy_to(d.path("copy")));
  REQUIRE(put(s, area::records, "k", "newer"));
  CHECK(failed_with(s.copy_to(d.path("copy")), errc::io));
  CHECK(failed_with(s.copy_to(d.path("store/data.mdb/below")), errc::io));
  auto copy = lmdb::open(at(d.path("copy"))).value();
  CHECK(get(copy, area::records, "k") == "v");
}
