// LMDB stores whose process is killed at any moment, and stores that many threads use at once.
#include <catch2/catch.hpp>

#include <atomic>
#include <random>
#include <thread>

#include "tests/store/support.hpp"

using namespace store_tests;

namespace {

constexpr std::uint64_t batch = 5;

/// One write: the next `batch` entries of the log, their count, and one record that grows and
/// shrinks. All or nothing.
result<> write_next(lmdb& s, std::uint64_t n) {
  return s.write([&](auto& w) -> result<> {
    for (std::uint64_t i = 0; i < batch; ++i) {
      const auto at = n * batch + i + 1;
      w.put(area::log, position(at), std::to_string(at) + std::string(at * 37 % 3000, 'x'));
    }
    w.put(area::meta, "written", std::to_string(n + 1));
    w.put(area::records, "churn " + std::to_string(n % 7), std::string(n * 7919 % 30'000, 'y'));
    w.erase(area::records, "churn " + std::to_string((n + 3) % 7));
    return {};
  });
}

/// How many writes a store holds; fails the test when any of them is there in part.
std::uint64_t whole_writes(lmdb& s) {
  std::uint64_t written = 0, entries = 0;
  const auto done = s.read([&](auto& v) -> result<> {
    if (const auto n = v.get(area::meta, "written")) written = std::stoull(bytes(*n));
    v.scan(area::log, "", [&](bytes_view key, bytes_view value) {
      ++entries;
      CHECK(key == position(entries));
      CHECK(value.starts_with(std::to_string(entries)));
      return true;
    });
    return {};
  });
  REQUIRE(text(done) == "ok");
  CHECK(entries == written * batch);
  return written;
}

/// Writes and says so through `acknowledge` until it is killed.
int write_until_killed(const lmdb::options& options, int acknowledge) {
  auto s = lmdb::open(options);
  if (!s) return 1;
  std::uint64_t n = 0;
  const auto read = s->read([&](auto& v) -> result<> {
    if (const auto found = v.get(area::meta, "written")) n = std::stoull(bytes(*found));
    return {};
  });
  for (; read; ++n) {
    if (!write_next(*s, n)) return 2;
    const std::uint64_t done = n + 1;
    if (::write(acknowledge, &done, sizeof done) != sizeof done) return 3;
  }
  return 4;
}

}  // namespace

TEST_CASE(
    "a process may be killed at any moment: what it acknowledged is there, and nothing in part") {
  temporary_directory d;
  auto options = at(d.path());
  options.initial_map_bytes = 1;  // so that the map grows while the process is killed
  options.mode = GENERATE(durability::commit, durability::interval);
  std::mt19937 random(3);
  std::uint64_t before = 0;
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const auto child = ::fork();
    if (child == 0) ::_exit(write_until_killed(options, pipe[1]));
    ::close(pipe[1]);
    std::uint64_t acknowledged = 0;
    const auto wanted = random() % 12;
    for (std::uint64_t i = 0; i < wanted; ++i) {
      if (::read(pipe[0], &acknowledged, sizeof acknowledged) != sizeof acknowledged) break;
    }
    ::usleep(static_cast<unsigned>(random() % 3000));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    while (::read(pipe[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged) {}
    ::close(pipe[0]);
    auto s = lmdb::open(options).value();
    const auto there = whole_writes(s);
    CHECK(there >= std::max(acknowledged, before));
    CHECK(there <= std::max(acknowledged, before) + 1);
    before = there;
  }
  CHECK(before > 20);
}

TEST_CASE("random work leaves files in which nothing is wrong, however they were left") {
  temporary_directory d;
  auto options = at(d.path());
  options.initial_map_bytes = 1;
  options.check_up_to_bytes = ~0ULL;
  std::mt19937 random(11);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  std::uint64_t next = 1;
  for (int round = 0; round < 25; ++round) {
    auto s = lmdb::open(options).value();  // examines every page
    for (int i = 0; i < 8; ++i) {
      const auto done = s.write([&](auto& w) -> result<> {
        const auto first = next;
        for (std::size_t n = below(40); n > 0; --n) {
          const auto key = std::to_string(below(500)) + std::string(below(50), 'k');
          w.put(static_cast<area>(below(3) + 4), key,
                std::string(below(10) == 0 ? below(40'000) : below(300), 'v'));
        }
        for (std::size_t n = below(60); n > 0; --n)
          w.put(area::log, position(next++), std::string(below(900), 'l'));
        if (below(3) == 0) {
          const auto stop = below(200);
          std::size_t erased = 0;
          w.scan(area::records, "", [&](bytes_view key, bytes_view) {
            if (below(2) == 0) w.erase(area::records, bytes(key));
            return ++erased < stop;
          });
          w.scan(area::log, "", [&](bytes_view key, bytes_view) {
            w.erase(area::log, bytes(key));
            return ++erased < stop;
          });
        }
        if (below(6) != 0) return {};
        next = first;
        return joinery::error{errc::overflow, "dropped", "", ""};
      });
      CHECK((done || done.error().code == errc::overflow));
    }
  }
}

TEST_CASE("many threads read one image each while one writes and the map grows") {
  temporary_directory d;
  auto options = at(d.path());
  options.initial_map_bytes = 1;
  options.mode = durability::interval;
  auto s = lmdb::open(options).value();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<std::uint64_t> reads{0}, stored{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!stop) {
        const auto least = stored.load();
        const auto done = s.read([&](auto& v) -> result<> {
          const auto a = v.get(area::meta, "a"), b = v.get(area::records, "b");
          if (least > 0 && (!a || std::stoull(bytes(*a)) < least)) ++wrong;
          if (a != b || (a && !v.get(area::log, position(std::stoull(bytes(*a)))))) ++wrong;
          return {};
        });
        if (!done) ++wrong;
        ++reads;
      }
    });
  }
  readers.emplace_back([&] {
    while (!stop) {
      if (!s.status() || !s.sync()) ++wrong;
      std::this_thread::yield();
    }
  });
  for (std::uint64_t n = 1; n <= 150; ++n) {
    const auto done = s.write([&](auto& w) -> result<> {
      w.put(area::meta, "a", std::to_string(n));
      w.put(area::log, position(n), std::string(20'000, 'l'));
      w.put(area::records, "b", std::to_string(n));
      return {};
    });
    if (!done) ++wrong;
    stored = n;
  }
  while (reads < 50) std::this_thread::yield();
  stop = true;
  for (auto& t : readers) t.join();
  CHECK(wrong == 0);
  CHECK(s.status().value().map_bytes > 3'000'000);
  CHECK(s.status().value().readers == 0);
}

TEST_CASE("more threads read at once than leave a transaction behind") {
  temporary_directory d;
  auto s = lmdb::open(at(d.path())).value();
  REQUIRE(put(s, area::records, "k", "v"));
  constexpr int all = 20;
  std::atomic<int> inside{0}, wrong{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < all; ++t) {
    readers.emplace_back([&] {
      const auto done = s.read([&](auto& v) -> result<> {
        ++inside;
        while (inside < all) std::this_thread::yield();
        if (v.get(area::records, "k") != "v") ++wrong;
        if (s.read([](auto&) -> result<> { return {}; })) ++wrong;  // nested
        return {};
      });
      if (!done) ++wrong;
    });
  }
  for (auto& t : readers) t.join();
  CHECK(wrong == 0);
  CHECK(s.status().value().readers == 0);
  CHECK(put(s, area::records, "k", "w"));
  CHECK(get(s, area::records, "k") == "w");
}

TEST_CASE("threads share the image of a read-only store") {
  temporary_directory d;
  {
    auto s = lmdb::open(at(d.path())).value();
    REQUIRE(put(s, area::records, "k", "v"));
  }
  auto s = lmdb::open(reading(d.path())).value();
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        if (get(s, area::records, "k") != "v") ++wrong;
        if (i % 25 == 0 && !s.refresh()) ++wrong;
      }
    });
  }
  for (auto& t : readers) t.join();
  CHECK(wrong == 0);
}
