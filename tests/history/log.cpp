// The operation log: what was appended is found by position and by dot, and damage is told.
#include <catch2/catch.hpp>

#include <map>

#include "joinery/codec/changeset.hpp"
#include "joinery/history/log.hpp"
#include "joinery/history/memory_storage.hpp"
#include "joinery/testing/prng.hpp"

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

namespace {

std::string scanned_by(memory_storage& disk, std::uint64_t from, std::size_t most,
                       log_reader& reader) {
  std::string out;
  disk.read([&](auto& view) -> result<> {
        return scan_log(view, from, reader, [&](std::uint64_t position, bytes_view data) {
          out += std::to_string(position) + "=" + std::string{data} + " ";
          return --most > 0;
        });
      })
      .value();
  return out;
}

}  // namespace

TEST_CASE("what one write appends makes few entries, read from anywhere, by position and by dot") {
  const auto packed = GENERATE(false, true);
  CAPTURE(packed);
  memory_storage disk;
  disk.pack_log(packed);
  const auto space = space_id::from_bytes("0123456789abcdef").value();
  std::vector<replica_id> ids;
  for (const char c : {'a', 'b', 'c'}) ids.push_back(replica_id::from_bytes(bytes(16, c)).value());
  // Three origins that take turns as chance has it, real changesets and bytes that are none.
  testing::prng dice{7};
  struct written {
    dot at;
    bytes data;
    crypto::digest chain;
  };
  std::vector<written> all;
  std::vector<std::uint64_t> seqs(3);
  std::vector<crypto::digest> chains;
  for (const auto& id : ids) chains.push_back(chain_start(space, id));
  disk.write([&](auto& w) -> result<> {
        put_sealed(w, area::meta, "space", space.view());
        for (std::uint32_t i = 0; i < ids.size(); ++i)
          put_sealed(w, area::roster, index_key(i), ids[i].view());
        return {};
      })
      .value();
  for (int n = 0; n < 12; ++n) {
    const auto first = all.size();
    for (auto count = dice.below(300) + 1; count > 0; --count) {
      const auto r = dice.below(10) < 8 ? 0u : static_cast<causal::replica_index>(dice.below(3));
      written c{{r, ++seqs[r]}, {}, {}};
      codec::changeset_writer w;
      for (auto ops = dice.below(5); ops > 0; --ops)
        w.add(
            "table", "key " + std::to_string(dice.below(50)),
            {crdt::cell_action::update, 1, "field", crdt::kind::lww, bytes(dice.below(300), 'x')});
      c.data = dice.below(20) == 0 ? "no changeset"
                                   : w.encode(ids[r], c.at.seq, causal::hlc(1'000 + n), {});
      c.chain = chains[r] = chain_next(chains[r], c.data);
      all.push_back(std::move(c));
    }
    disk.write([&](auto& w) -> result<> {
          std::vector<appended> write;
          for (auto i = first; i < all.size(); ++i)
            write.push_back({all[i].at, all[i].data, all[i].chain});
          append_changesets(w, first + 1, write);
          return {};
        })
        .value();
  }
  std::size_t entries = 0, size = 0, canonical = 0;
  disk.read([&](auto& view) -> result<> {
        view.scan(area::log, {},
                  [&](bytes_view, bytes_view v) { return size += v.size(), ++entries > 0; });
        CHECK(log_end(view) == all.size());
        return {};
      })
      .value();
  for (const auto& c : all) canonical += c.data.size();
  CHECK(entries < all.size() / 20);
  CHECK((size < canonical / 2) == packed);

  log_reader reader;
  std::string expected;
  for (std::size_t i = 0; i < all.size(); ++i)
    expected += std::to_string(i + 1) + "=" + std::string{all[i].data} + " ";
  CHECK(scanned_by(disk, 1, all.size(), reader) == expected);
  for (int n = 0; n < 200; ++n) {
    const auto i = static_cast<std::size_t>(dice.below(all.size()));
    const auto& c = all[i];
    CHECK(scanned_by(disk, i + 1, 1, reader) ==
          std::to_string(i + 1) + "=" + std::string{c.data} + " ");
    const auto found = find(disk, c.at).value();
    REQUIRE(found);
    CHECK(found->position == i + 1);
    CHECK(found->chain == c.chain);
  }
  CHECK_FALSE(find(disk, {0, seqs[0] + 1}).value());
  CHECK_FALSE(find(disk, {7, 1}).value());
  CHECK(scanned_by(disk, all.size() + 1, 1, reader).empty());
}
