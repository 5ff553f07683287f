// Numbers of records: given once, told by a row and its copy, and believed by no entry that was not
// made with them.
#include <catch2/catch.hpp>

#include <map>

#include "joinery/codec/changeset.hpp"
#include "joinery/history/log.hpp"
#include "joinery/history/memory_storage.hpp"

using namespace joinery;
using namespace joinery::history;

namespace {

/// What a snapshot does: rows with numbers, in one transaction. Gives the numbers.
std::vector<std::uint32_t> store_records(memory_storage& disk, number_ledger& ledger,
                                         const std::vector<bytes>& keys, bool fails = false) {
  std::vector<std::uint32_t> out;
  auto batch = ledger.begin();
  const auto done = disk.write([&](auto& w) -> result<> {
    out.clear();
    batch = ledger.begin();
    for (const auto& key : keys) {
      out.push_back(batch.add(w, key));
      put_record(w, 0, key, 1, out.back(), "packed");
    }
    batch.put(w);
    return fails ? result<>{error{errc::io, "", "", ""}} : result<>{};
  });
  if (done) ledger.accept(std::move(batch));
  CHECK(done.has_value() != fails);
  return out;
}
std::vector<bytes> keys_from(std::size_t n, std::size_t count) {
  std::vector<bytes> out;
  for (; count > 0; --count) out.push_back("key " + std::to_string(n++));
  return out;
}
std::string key_of(memory_storage& disk, std::uint32_t number) {
  std::string out;
  disk.read([&](auto& view) -> result<> {
        out = keys_by_number{view, true}(number).value_or("none");
        return {};
      })
      .value();
  return out;
}
void put(memory_storage& disk, area where, const bytes& key, bytes_view value) {
  disk.write([&](auto& w) -> result<> {
        w.put(where, key, value);
        return {};
      })
      .value();
}
bytes stored(memory_storage& disk, area where, const bytes& key) {
  bytes out;
  disk.read([&](auto& view) -> result<> {
        out = view.get(where, key).value_or("");
        return {};
      })
      .value();
  return out;
}
bool mends_row(memory_storage& disk, std::uint32_t row) {
  bool mended = false;
  disk.write([&](auto& w) -> result<> {
        mended = mend_row(w, row);
        return {};
      })
      .value();
  return mended;
}
number_ledger loaded(memory_storage& disk) {
  number_ledger out;
  disk.read([&](auto& view) -> result<> { return out.load(view), result<>{}; }).value();
  return out;
}

}  // namespace

TEST_CASE("a number is given once, and its row tells the key") {
  memory_storage disk;
  number_ledger ledger;
  CHECK(store_records(disk, ledger, keys_from(0, 40)).back() == 40);  // 0 is none
  CHECK(store_records(disk, ledger, keys_from(40, 3), true).front() == 41);
  CHECK(store_records(disk, ledger, keys_from(50, 23)).front() == 41);
  CHECK(store_records(disk, ledger, keys_from(80, 1)).front() == 64);
  CHECK(key_of(disk, 0) == "none");
  CHECK(key_of(disk, 1) == "key 0");
  CHECK(key_of(disk, 40) == "key 39");
  CHECK(key_of(disk, 63) == "key 72");
  CHECK(key_of(disk, 64) == "key 80");
  CHECK(key_of(disk, 65) == "none");
  auto again = loaded(disk);
  CHECK(store_records(disk, again, keys_from(90, 2)) == std::vector<std::uint32_t>{65, 66});
  CHECK(key_of(disk, 64) == "key 80");
}

TEST_CASE("a row of numbers that is lost in one place is told by the other, which mends it") {
  memory_storage disk;
  number_ledger ledger;
  store_records(disk, ledger, keys_from(0, 40));
  const auto lost = GENERATE(area::numbers, area::numbers_copy);
  const auto other = lost == area::numbers ? area::numbers_copy : area::numbers;
  const auto missing = GENERATE(false, true);
  const auto sound = stored(disk, lost, index_key(1));
  const auto lose = [&](area where) {
    disk.write([&](auto& w) -> result<> {
          if (missing)
            w.erase(where, index_key(1));
          else
            w.put(where, index_key(1), "damaged");
          return {};
        })
        .value();
  };
  lose(lost);
  CHECK(key_of(disk, 40) == "key 39");
  auto again = loaded(disk);  // no number is given twice, although the last row is gone here
  CHECK(again.begin().first() == 41);
  CHECK(mends_row(disk, 1));
  CHECK(stored(disk, lost, index_key(1)) == sound);
  CHECK_FALSE(mends_row(disk, 1));
  CHECK_FALSE(mends_row(disk, 7));
  // What is lost in both is not made up, and nobody can tell which ones it gave: it counts as full.
  lose(lost);
  lose(other);
  CHECK(key_of(disk, 40) == "none");
  CHECK_FALSE(mends_row(disk, 1));
  CHECK(stored(disk, lost, index_key(1)) == (missing ? "" : "damaged"));
  if (missing) return;
  again = loaded(disk);
  CHECK(store_records(disk, again, keys_from(100, 1)).front() == 64);
  CHECK(key_of(disk, 64) == "key 100");
}

TEST_CASE(
    "an entry that gives more than a write puts in is no whole one, and nobody waits for it") {
  memory_storage disk;
  const bytes large(codec::max_changeset - 100, '\0');
  for (const int count : {1, 2}) {
    entry_packer packer{true};
    for (int n = 0; n < count; ++n) packer.add(large);
    const auto content = packer.finish();
    REQUIRE(content.size() < 10'000);
    disk.write(
            [&](auto& w) { return put_sealed(w, area::log, position_key(1), content), result<>{}; })
        .value();
    disk.read([&](auto& view) -> result<> {
          keys_by_number keys{view};
          const auto value = *view.get(area::log, position_key(1));
          CHECK(is_whole_entry(keys, position_key(1), value) == (count == 1));
          return {};
        })
        .value();
  }
}

TEST_CASE("so many numbers are given, and no more, whatever a forged row holds") {
  memory_storage disk;
  number_ledger ledger;
  const auto forge = [&](std::uint32_t row, bytes_view content) {
    disk.write([&](auto& w) -> result<> { return put_row(w, row, content), result<>{}; }).value();
    ledger = loaded(disk);
  };
  forge(0, "");  // not even that 0 is none
  CHECK(ledger.begin().first() == 32);
  forge(1, bytes(33, '\0'));
  CHECK(ledger.begin().first() == 64);
  forge(2, bytes{"\x09short"});
  CHECK(ledger.begin().first() == 96);
  forge(3, bytes(1u << 20, '\0'));
  CHECK(ledger.begin().first() == 128);
  CHECK(key_of(disk, 97) == "none");
  forge(most_numbers / 32 - 2, bytes(32, '\0'));
  auto given = store_records(disk, ledger, keys_from(0, 30));
  CHECK(given.front() == most_numbers - 32);
  given = store_records(disk, ledger, keys_from(30, 4));
  CHECK(given == std::vector<std::uint32_t>{most_numbers - 2, most_numbers - 1, 0, 0});
  CHECK(store_records(disk, ledger, keys_from(34, 1)).front() == 0);
  CHECK(key_of(disk, most_numbers - 1) == "key 31");
  ledger = loaded(disk);
  CHECK(store_records(disk, ledger, keys_from(35, 1)).front() == 0);
  CHECK(key_of(disk, most_numbers) == "none");
  forge(~0u, bytes(1, '\0'));
  CHECK(store_records(disk, ledger, keys_from(36, 1)).front() == 0);
  // A record's own number is one of these, or none.
  bytes content;
  byte_writer{content}.varint(3);
  byte_writer{content}.varint(most_numbers);
  const auto value = codec::sealed(static_cast<std::uint8_t>(area::records), "key", content + "p");
  const auto record = open_record("key", value).value();
  CHECK(record.number == 0);
  CHECK(record.packed == "p");
}

TEST_CASE(
    "a number is written only when its row, in one of its places, says that it is this key's") {
  memory_storage disk;
  number_ledger ledger;
  store_records(disk, ledger, keys_from(0, 40));
  proven_numbers proven;
  const auto ask = [&](std::uint32_t number, bytes key = {}) {
    if (key.empty()) key = "key " + std::to_string(number - 1);
    std::uint32_t out = 0;
    disk.read([&](auto& view) -> result<> {
          out = proven.proven(view, number, key);
          return {};
        })
        .value();
    return out;
  };
  CHECK(ask(0) == 0);
  CHECK(ask(3) == 3);
  CHECK(ask(3, "key 3") == 0);
  CHECK(ask(64) == 0);
  CHECK(ask(most_numbers) == 0);
  put(disk, area::numbers, index_key(0), "damaged");
  proven.doubt();
  CHECK(ask(3) == 3);
  put(disk, area::numbers_copy, index_key(0), "damaged");
  CHECK(ask(3) == 3);  // once is enough,
  proven.doubt();      // until something was found damaged
  CHECK(ask(3) == 0);
  CHECK(ask(40) == 40);
  CHECK(ask(41) == 0);
  store_records(disk, ledger, keys_from(40, 1));
  CHECK(ask(41) == 41);  // rows grow
}

namespace {

/// What is asked of a view.
template <class V>
struct counting_view {
  explicit counting_view(V& of) : view(of) {}

  V& view;
  std::map<area, int> gets, scans;

  std::optional<bytes_view> get(area a, bytes_view k) { return ++gets[a], view.get(a, k); }
  template <class F>
  void scan(area a, bytes_view k, F&& each) {
    ++scans[a];
    view.scan(a, k, each);
  }
  template <class F>
  void scan_back(area a, bytes_view k, F&& each) {
    ++scans[a];
    view.scan_back(a, k, each);
  }
  auto last(area a) { return view.last(a); }
};

}  // namespace

TEST_CASE("an entry names records by number, and is read as long as a row or its copy is whole") {
  memory_storage disk;
  disk.pack_log(true);
  number_ledger ledger;
  auto numbers = store_records(disk, ledger, keys_from(100, 90));  // in the order of the changeset
  codec::changeset_writer w;
  for (const auto& key : keys_from(100, 92))  // the last two have none
    w.add("table", key, {crdt::cell_action::create, 1, {}, {}, {}});
  const auto data = w.encode(replica_id{{1}}, 1, 1000, {});
  numbers.resize(92);
  disk.write([&](auto& to) -> result<> {
        const appended one{{0, 1}, data, {}, numbers};
        append_changesets(to, 1, {&one, 1});
        return {};
      })
      .value();
  log_reader reader;
  int rows = 0, copies = 0;  // that were looked up
  const auto is_read = [&] {
    result<> outcome;
    bytes got;
    disk.read([&](auto& view) -> result<> {
          const auto key = position_key(1);
          const auto value = *view.get(area::log, key);
          CHECK(form_of(open_sealed(area::log, key, value).value()) == entry_form::numbered);
          counting_view counted{view};
          outcome = scan_log(counted, 1, reader, [&](std::uint64_t, bytes_view d) {
            got = d;
            return true;
          });
          rows = counted.gets[area::numbers];
          copies = counted.gets[area::numbers_copy];
          // Whatever is damaged, records are not gone through for their names.
          CHECK(counted.scans[area::records] + counted.gets[area::records] == 0);
          keys_by_number keys{view};
          CHECK(is_whole_entry(keys, key, value) == outcome.has_value());
          return {};
        })
        .value();
    if (outcome) CHECK(got == data);
    return outcome;
  };
  CHECK(is_read());
  CHECK(rows == 3);  // each once
  CHECK(copies == 0);
  const auto row = stored(disk, area::numbers, index_key(0));
  reader = {};
  put(disk, area::numbers, index_key(0), "damaged");
  CHECK(is_read());
  CHECK(rows == 4);  // again, closely
  CHECK(copies == 3);
  reader = {};
  put(disk, area::numbers_copy, index_key(0), "damaged");
  const auto lost = is_read();
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == errc::checksum);
  CHECK(lost.error().where == "log position 1");
  CHECK(rows + copies == 3);
  put(disk, area::numbers, index_key(0), row);  // the same reader begins anew
  CHECK(is_read());
}
