// Data files that are cut off, overwritten, rotten or no data files at all: an error or a store,
// never a crash.
//
// Each case runs in a child process, which must end by itself; with a check of all pages, as small
// stores have.
#include <catch2/catch.hpp>

#include <fstream>
#include <random>

#include "tests/store/support.hpp"

using namespace store_tests;
namespace fs = std::filesystem;

namespace {

constexpr int opened = 10, refused = 11, unexpected = 12;

/// A store with every kind of page: branches, leaves, large values, free pages; its data file in
/// memory.
bytes sound_file() {
  temporary_directory d;
  {
    auto options = at(d.path());
    options.initial_map_bytes = 1;
    auto s = lmdb::open(options).value();
    for (int round = 0; round < 3; ++round) {
      s.write([&](auto& w) -> result<> {
         for (int i = 0; i < 400; ++i) {
           w.put(area::records, "record " + std::to_string(i), std::string(200, 'v'));
         }
         w.put(area::records, "large", std::string(20'000, 'v'));
         w.erase(area::records, "record " + std::to_string(round));
         return {};
       }).value();
    }
    for (std::uint64_t n = 1; n <= 100; ++n) put(s, area::log, position(n), "changeset").value();
  }
  std::ifstream in(d.path("store/data.mdb"), std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, bytes_view content) {
  std::ofstream(path, std::ios::binary)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

/// Opens the store at `path`, and uses every page of it if that works.
int open_and_use(const lmdb::options& options) {
  auto s = lmdb::open(options);
  if (!s) {
    const auto code = s.error().code;
    const bool typed =
        code == errc::malformed || code == errc::unsupported || code == errc::not_found;
    return typed ? refused : unexpected;
  }
  std::size_t bytes_seen = 0;
  const auto done = s->read([&](auto& v) -> result<> {
    for (std::size_t a = 0; a < joinery::history::area_count; ++a) {
      v.scan(static_cast<area>(a), "", [&](bytes_view key, bytes_view value) {
        bytes_seen += key.size() + value.size() + static_cast<unsigned char>(value.back());
        return true;
      });
    }
    return {};
  });
  if (!done && done.error().code != errc::malformed) return unexpected;
  if (options.read_only) return opened;
  for (int round = 0; round < 3; ++round) {
    const auto wrote = s->write([&](auto& w) -> result<> {
      for (int i = 0; i < 400; i += 7) {
        w.put(area::records, "record " + std::to_string(i), std::string(300, 'w'));
      }
      w.erase(area::records, "large");
      return {};
    });
    if (!wrote && wrote.error().code != errc::malformed) return unexpected;
  }
  return opened;
}

int outcome_of(const std::string& path, bytes_view content, bool read_only = false) {
  fs::remove_all(path);
  fs::create_directories(path);
  write_file(path + "/data.mdb", content);
  return in_child([&] { return open_and_use(read_only ? reading(path) : at(path)); });
}

}  // namespace

TEST_CASE("a sound data file opens, whether it was closed cleanly or not") {
  temporary_directory d;
  const auto file = sound_file();
  REQUIRE(file.size() > 50 * 4096);
  CHECK(outcome_of(d.path(), file) == opened);
  CHECK(outcome_of(d.path(), file, true) == opened);
}

TEST_CASE("a data file that is cut off at any length is refused") {
  temporary_directory d;
  const auto file = sound_file();
  const auto page = std::size_t{4096};
  std::vector<std::size_t> lengths{1,        15,   16,       100,          151,      152,     2048,
                                   page - 1, page, page + 1, 2 * page - 1, 2 * page, 3 * page};
  for (std::size_t n = 5 * page; n + 8 * page < file.size(); n += 11 * page + 123)
    lengths.push_back(n);
  for (const auto length : lengths) {
    CAPTURE(length);
    CHECK(outcome_of(d.path(), bytes_view(file).substr(0, length)) == refused);
    CHECK(outcome_of(d.path(), bytes_view(file).substr(0, length), true) == refused);
  }
}

TEST_CASE("a data file without its last pages opens when they are free") {
  temporary_directory d;
  {
    auto options = at(d.path());
    auto s = lmdb::open(options).value();
    REQUIRE(put(s, area::records, "k", "v"));
    REQUIRE(put(s, area::records, "large", std::string(400'000, 'v')));
    REQUIRE(s.write([](auto& w) -> result<> {
      w.erase(area::records, "large");
      return {};
    }));
    for (int i = 0; i < 4; ++i) REQUIRE(put(s, area::records, "k", std::to_string(i)));
  }
  const auto data = d.path("store/data.mdb");
  const auto size = fs::file_size(data);
  REQUIRE(size > 400'000);
  fs::resize_file(data, size - 16 * 4096);
  auto s = lmdb::open(at(d.path())).value();
  CHECK(get(s, area::records, "k") == "3");
  for (int i = 0; i < 5; ++i) REQUIRE(put(s, area::records, "large", std::string(500'000, 'w')));
  CHECK(get(s, area::records, "large") == std::string(500'000, 'w'));
}

TEST_CASE("files that were never LMDB's are refused") {
  temporary_directory d;
  std::mt19937 random(1);
  for (const std::size_t size : {1U, 16U, 152U, 4096U, 8192U, 100'000U}) {
    bytes noise(size, '\0');
    for (auto& c : noise) c = static_cast<char>(random());
    CAPTURE(size);
    CHECK(outcome_of(d.path(), noise) == refused);
    CHECK(outcome_of(d.path(), noise, true) == refused);
    CHECK(outcome_of(d.path(), bytes(size, 'a')) == refused);
  }
  CHECK(outcome_of(d.path(), bytes(300'000, '\0')) == refused);  // too large to be a beginning
}

TEST_CASE("a page that was overwritten gives an error that names it") {
  temporary_directory d;
  auto file = sound_file();
  fs::create_directories(d.path());
  int named = 0;
  for (const std::size_t page : {3U, 8U, 20U, 30U}) {
    auto damaged = file;
    damaged.replace(page * 4096, 4096, 4096, '\xEE');
    write_file(d.path("store/data.mdb"), damaged);
    const auto s = lmdb::open(at(d.path()));
    if (s) continue;  // the page was free
    CHECK(s.error().code == errc::malformed);
    CHECK(s.error().advice.find("backup") != std::string::npos);
    named += s.error().where.find("data.mdb, page") != std::string::npos;
  }
  CHECK(named > 0);
}

TEST_CASE("no flipped byte of the structure crashes the process") {
  temporary_directory d;
  const auto file = sound_file();
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  int openings = 0, refusals = 0;
  for (int i = 0; i < 150; ++i) {
    auto damaged = file;
    const auto page = i < 50 ? below(2) : below(file.size() / 4096);
    const auto within = below(3) == 0 ? below(4096) : below(i < 50 ? 160 : 64);
    auto& byte = damaged[page * 4096 + within];
    byte =
        below(2) == 0 ? static_cast<char>(byte ^ (1 << below(8))) : static_cast<char>(below(256));
    const auto outcome = outcome_of(d.path(), damaged, i % 5 == 0);
    CAPTURE(i, page, within, outcome);
    CHECK((outcome == opened || outcome == refused));
    ++(outcome == opened ? openings : refusals);
  }
  CHECK(refusals > 10);
  CHECK(openings > 20);
}

TEST_CASE(
    "after a crash a store of any size is examined, and a damaged one ends the restart loop") {
  temporary_directory d;
  auto options = at(d.path());
  options.check_up_to_bytes = 0;  // as if it were large
  const auto damage_used_page = [&] {
    auto file = bytes();
    {
      std::ifstream in(d.path("store/data.mdb"), std::ios::binary);
      file.assign(std::istreambuf_iterator<char>(in), {});
    }
    const auto at_key = file.rfind("here it is");
    REQUIRE(at_key != bytes::npos);
    file.replace(at_key / 4096 * 4096 + 10, 6, "\x7F\x7F\x7F\x7F\x7F\x7F");
    write_file(d.path("store/data.mdb"), file);
  };
  {
    REQUIRE(put(*std::make_unique<lmdb>(lmdb::open(options).value()), area::records, "here it is",
                "v"));
  }
  SECTION("closed cleanly: it is trusted, and reading tells") {
    damage_used_page();
    CHECK(lmdb::open(options));
  }
  SECTION("killed: it is examined") {
    CHECK(in_child([&] {
            auto s = lmdb::open(options).value();
            ::kill(::getpid(), SIGKILL);
            return 1;
          }) == -SIGKILL);
    damage_used_page();
    for (int start = 0; start < 3; ++start)
      CHECK(failed_with(lmdb::open(options), errc::malformed));
  }
}
