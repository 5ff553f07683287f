// Snapshots as stored: records with their positions, and the mark.
#include <catch2/catch.hpp>

#include "joinery/history/memory_storage.hpp"
#include "joinery/history/snapshot.hpp"
#include "joinery/testing/prng.hpp"

using namespace joinery;
using namespace joinery::history;

namespace {

snapshot_mark random_mark(testing::prng& dice) {
  snapshot_mark mark;
  mark.position = dice.below(1ull << (1 + dice.below(40)));
  mark.time = dice.next();
  const auto id = replica_id::from_bytes("0123456789abcdef").value();
  for (auto n = dice.below(6); n > 0; --n) {
    origin_state o;
    o.seq = dice.below(1000);
    o.time = dice.next();
    o.chain = chain_next(chain_start(space_id{}, id), std::to_string(dice.next()));
    for (causal::replica_index r = 0; r < 6; ++r) o.seen.set(r, dice.below(3));
    mark.origins.push_back(o);
  }
  return mark;
}

}  // namespace

TEST_CASE("a mark is read back as it was written, and cut anywhere it is refused") {
  testing::prng dice{1};
  for (int n = 0; n < 100; ++n) {
    const auto mark = random_mark(dice);
    const auto data = write_mark(mark);
    const auto back = read_mark(data).value();
    CHECK(back.position == mark.position);
    CHECK(back.time == mark.time);
    REQUIRE(back.origins.size() == mark.origins.size());
    for (std::size_t i = 0; i < mark.origins.size(); ++i) {
      CHECK(back.origins[i].seq == mark.origins[i].seq);
      CHECK(back.origins[i].time == mark.origins[i].time);
      CHECK(back.origins[i].chain == mark.origins[i].chain);
      CHECK(back.origins[i].seen == mark.origins[i].seen);
    }
    for (std::size_t size = 0; size < data.size(); ++size)
      CHECK(read_mark(bytes_view{data}.substr(0, size)).error().code == errc::malformed);
  }
}

TEST_CASE("a record is stored with its position, under its table and key") {
  memory_storage disk;
  disk.write([](auto& w) -> result<> {
        put_record(w, 1, "b", 300, 0, "packed");
        put_record(w, 1, bytes_view{"a\0", 2}, 7, 9, "");
        put_record(w, 256, "a", 8, 0, "other");
        return {};
      })
      .value();
  std::vector<std::uint64_t> positions;
  disk.read([&](auto& view) -> result<> {
        view.scan(area::records, index_key(1), [&](bytes_view key, bytes_view value) {
          positions.push_back(open_record(key, value).value().position);
          return true;
        });
        const auto key = record_key(1, "b");
        CHECK(open_record(key, *view.get(area::records, key)).value().packed == "packed");
        CHECK(open_record(record_key(1, "c"), *view.get(area::records, key)).error().code ==
              errc::checksum);
        return {};
      })
      .value();
  CHECK(positions == std::vector<std::uint64_t>{7, 300, 8});
}
