// The log's floor: what is stored of it, and which dot entries stay as anchors.
#include "joinery/history/floor.hpp"

#include <catch2/catch.hpp>

#include "joinery/history/memory_storage.hpp"

using namespace joinery;
using namespace joinery::history;

namespace {

log_floor some_floor() {
  log_floor floor;
  floor.position = 300;
  floor.dropped_bytes = 70'000;
  floor.version.set(0, 200);
  floor.version.set(1, 100);
  floor.changed.set(0, 199);
  floor.joins = {301, 302, 305};
  floor.acknowledged.set(0, 150);
  return floor;
}

bool has(memory_storage& disk, dot at) {
  bool out = false;
  disk.read([&](auto& view) -> result<> {
        const auto found = find_changeset(view, at);
        if (!found) return found.error();
        out = found->has_value();
        return {};
      })
      .value();
  return out;
}

}  // namespace

TEST_CASE("a floor is read back as it was written, and cut anywhere it is refused") {
  const auto floor = some_floor();
  const auto stored = write_floor(floor);
  const auto back = read_floor(stored);
  REQUIRE(back);
  CHECK(back->position == floor.position);
  CHECK(back->dropped_bytes == floor.dropped_bytes);
  CHECK(back->version == floor.version);
  CHECK(back->changed == floor.changed);
  CHECK(back->joins == floor.joins);
  CHECK(back->acknowledged == floor.acknowledged);
  for (std::size_t n = 0; n < stored.size(); ++n) {
    CAPTURE(n);
    CHECK_FALSE(read_floor(bytes_view{stored}.substr(0, n)));
  }
  CHECK_FALSE(read_floor(stored + '\0'));
  auto unsorted = floor;
  unsorted.joins = {302, 301};
  CHECK(read_floor(write_floor(unsorted)).error().code == errc::malformed);
}

TEST_CASE("the log begins after the floor and after the joins that follow it at once") {
  auto floor = some_floor();
  CHECK(floor.first() == 303);
  CHECK(floor.last_without_entry() == 305);
  floor.joins.clear();
  CHECK(floor.first() == 301);
  CHECK(floor.last_without_entry() == 300);
}

TEST_CASE("what is dropped leaves its origin's last dot as an anchor, and every 64th") {
  memory_storage disk;
  log_floor floor;
  floor.joins = {66, 200};
  constexpr std::uint64_t all = 130;
  for (std::uint64_t seq = 1; seq <= all; ++seq)
    disk.write([&](auto& w) -> result<> {
          append_changeset(w, {0, seq}, {seq, {}}, "changeset");
          return {};
        })
        .value();
  for (std::uint64_t seq = 1; seq < all; ++seq)
    disk.write([&](auto& w) -> result<> {
          const dropped one{{0, seq}, 9, seq % 2 == 0};
          drop_entry(w, floor, seq, {&one, 1});
          return {};
        })
        .value();
  std::string kept;
  for (std::uint64_t seq = 1; seq <= all; ++seq)
    if (has(disk, {0, seq})) kept += std::to_string(seq) + " ";
  CHECK(kept == "64 128 129 130 ");
  CHECK(floor.position == 129);
  CHECK(floor.dropped_bytes == 129 * 9);
  CHECK(floor.version.at(0) == 129);
  CHECK(floor.changed.at(0) == 128);
  CHECK(floor.joins == std::vector<std::uint64_t>{200});
}

TEST_CASE("entries of several changesets are dropped whole, and leave the ends of their runs") {
  memory_storage disk;
  log_floor floor;
  // Each write brings 30 of one origin and, in between, 30 of another.
  std::vector<dropped> all;
  for (std::uint64_t n = 0; n < 5; ++n)
    disk.write([&](auto& w) -> result<> {
          std::vector<appended> write;
          for (std::uint64_t i = 0; i < 60; ++i)
            write.push_back(
                {{static_cast<causal::replica_index>(i % 2), 30 * n + i / 2 + 1}, "changeset", {}});
          append_changesets(w, 60 * n + 1, write);
          for (const auto& c : write) all.push_back({c.at, 9, true});
          return {};
        })
        .value();
  for (std::uint64_t n = 0; n < 4; ++n)
    disk.write([&](auto& w) -> result<> {
          drop_entry(w, floor, 60 * n + 1, std::span{all}.subspan(60 * n, 60));
          return {};
        })
        .value();
  for (const causal::replica_index r : {0u, 1u}) {
    std::string kept;
    for (std::uint64_t seq = 1; seq < 150; ++seq)
      if (has(disk, {r, seq})) kept += std::to_string(seq) + " ";
    CHECK(kept.starts_with("90 120 "));  // 90 is the first beyond 64
    CHECK(floor.version.at(r) == 120);
  }
  CHECK(floor.position == 240);
  std::size_t left = 0;
  disk.read([&](auto& view) -> result<> {
        return scan_log(view, 1, [&](std::uint64_t at, bytes_view) { return left++ + 241 == at; });
      })
      .value();
  CHECK(left == 60);
}

TEST_CASE("a dot entry of the wrong size is damage, not an absent changeset") {
  memory_storage disk;
  for (const std::size_t size : {0u, 7u, 8u, 39u, 42u}) {
    CAPTURE(size);
    disk.write([&](auto& w) -> result<> {
          put_sealed(w, area::dots, dot_key({0, 1}), bytes(size, 'x'));
          return {};
        })
        .value();
    const auto done = disk.read([&](auto& view) -> result<> {
      const auto found = find_changeset(view, {0, 1});
      return found ? result<>{} : found.error();
    });
    REQUIRE_FALSE(done);
    CHECK(done.error().code == errc::malformed);
  }
}
