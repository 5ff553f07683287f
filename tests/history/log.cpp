// The operation log: what was appended is found by position and by dot, and damage is told.
#include <catch2/catch.hpp>

#include "joinery/history/log.hpp"
#include "joinery/history/memory_storage.hpp"

using namespace joinery;
using namespace joinery::history;

namespace {

log_place place(std::uint64_t position) {
  const auto id = replica_id::from_bytes("0123456789abcdef").value();
  return {position, chain_next(chain_start(space_id{}, id), std::to_string(position))};
}
void append(memory_storage& disk, dot at, std::uint64_t position, bytes_view changeset) {
  disk.write([&](auto& w) -> result<> {
        append_changeset(w, at, place(position), changeset);
        return {};
      })
      .value();
}
result<std::optional<log_place>> find(memory_storage& disk, dot at) {
  result<std::optional<log_place>> out = std::optional<log_place>{};
  disk.read([&](auto& view) -> result<> {
        out = find_changeset(view, at);
        return {};
      })
      .value();
  return out;
}
std::string scanned(memory_storage& disk, std::uint64_t from, std::size_t most = 100) {
  std::string out;
  const auto done = disk.read([&](auto& view) -> result<> {
    return scan_log(view, from, [&](std::uint64_t position, bytes_view data) {
      out += std::to_string(position) + "=" + std::string{data} + " ";
      return --most > 0;
    });
  });
  return done ? out : out + done.error().text();
}

}  // namespace

TEST_CASE("a changeset is found by its position and by its dot") {
  memory_storage disk;
  append(disk, {0, 1}, 1, "a");
  append(disk, {300, 1}, 2, "b");
  append(disk, {0, 2}, 3, "c");
  CHECK(scanned(disk, 1) == "1=a 2=b 3=c ");
  CHECK(scanned(disk, 3) == "3=c ");
  CHECK(scanned(disk, 4).empty());
  CHECK(scanned(disk, 1, 2) == "1=a 2=b ");
  CHECK(find(disk, {0, 2}).value()->position == 3);
  CHECK(find(disk, {300, 1}).value()->chain == place(2).chain);
  CHECK_FALSE(find(disk, {300, 2}).value());
  CHECK_FALSE(find(disk, {1, 1}).value());
}

TEST_CASE("keys order as their numbers") {
  CHECK(position_key(255) < position_key(256));
  CHECK(position_of(position_key(1ull << 40)) == 1ull << 40);
  CHECK(dot_key({1, 9}) < dot_key({1, 256}));
  CHECK(dot_key({1, ~std::uint64_t{0}}) < dot_key({2, 0}));
  CHECK(index_key(255) < index_key(256));
  CHECK(index_of(index_key(0xFEDCBA98)) == 0xFEDCBA98);
}

TEST_CASE("an entry that is damaged, or stands in another's place, ends a scan with an error") {
  memory_storage disk;
  for (std::uint64_t n = 1; n <= 3; ++n) append(disk, {0, n}, n, "changeset");
  disk.write([](auto& w) -> result<> {
        const bytes other{*w.get(area::log, position_key(1))};
        w.put(area::log, position_key(2), other);
        w.put(area::dots, dot_key({0, 3}), other);
        return {};
      })
      .value();
  const auto said = scanned(disk, 1);
  CHECK_THAT(said, Catch::StartsWith("1=changeset checksum: "));
  CHECK_THAT(said, Catch::Contains("log entry 0x0000000000000002"));
  CHECK(find(disk, {0, 3}).error().code == errc::checksum);
  CHECK_THAT(find(disk, {0, 3}).error().where, Catch::Contains("dots entry 0x"));
}

TEST_CASE("chains tell origins, spaces and histories apart") {
  const auto a = replica_id::from_bytes("0123456789abcdef").value();
  const auto b = replica_id::from_bytes("0123456789abcdeg").value();
  const auto s = space_id::from_bytes("0123456789abcdef").value();
  CHECK_FALSE(chain_start(space_id{}, a) == chain_start(space_id{}, b));
  CHECK_FALSE(chain_start(space_id{}, a) == chain_start(s, a));
  const auto start = chain_start(s, a);
  CHECK_FALSE(chain_next(chain_next(start, "x"), "y") == chain_next(chain_next(start, "y"), "x"));
  CHECK(chain_next(start, "x") == chain_next(chain_start(s, a), "x"));
}
