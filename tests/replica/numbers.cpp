// The numbers by which the hot log names records, when their rows are damaged, lost, behind or
// forged: no entry is believed that was not written so, and none is written that cannot be read.
#include <catch2/catch.hpp>

#include "tests/replica/damaged.hpp"

using namespace replica_tests;

namespace {

void flip_row(peer& p, std::uint32_t row, area where = area::numbers) {
  flip(p.disk, where, history::index_key(row));
}
/// Both its copies.
void lose_row(peer& p, std::uint32_t row) {
  for (const auto where : history::number_areas) flip_row(p, row, where);
}
void set_all(peer& p, int from, int count, int value) {
  changeset_writer w;
  for (int n = from; n < from + count; ++n) p.put(w, key(n), value);
  p.e->commit(w).value();
}
void scrub_all(peer& p) {
  while (!p.e->scrub(7).value()) continue;
}
result<> read_all(peer& p) {
  return p.e->read_log(1, [](auto...) { return true; });
}
bytes stored_row(peer& p, area where, std::uint32_t row) {
  bytes out;
  p.disk
      .read([&](auto& view) -> result<> {
        out = view.get(where, history::index_key(row)).value_or(bytes_view{});
        return {};
      })
      .value();
  return out;
}
void put_raw(peer& p, area where, bytes_view key, bytes_view value) {
  p.disk.write([&](auto& w) { return w.put(where, key, bytes{value}), result<>{}; }).value();
}
/// A peer with 60 records in the snapshot, and above it a changeset that names them by number.
struct numbering_peer : peer {
  explicit numbering_peer(std::uint64_t seed) : peer(seed) {
    disk.pack_log(true);
    options.log_entry_bytes = 0;  // nothing is merged
    reopen();
    set_all(*this, 0, 60, 1);
    e->checkpoint().value();
    set_all(*this, 0, 60, 2);
  }
  /// The same below the mark, and none of it in memory.
  void rest() {
    e->checkpoint().value();
    reopen();
  }
};

}  // namespace

TEST_CASE("a damaged row of numbers is read from its copy, and the scrub writes it anew") {
  numbering_peer a{1};
  peer b{2, durability::commit};
  const auto sound = a.content();
  const auto where = GENERATE(area::numbers, area::numbers_copy);
  flip_row(a, 0, where);
  const bool missing = GENERATE(false, true);
  if (missing)
    a.disk.write([&](auto& w) { return w.erase(where, history::index_key(1)), result<>{}; })
        .value();
  else
    flip_row(a, 1, where);
  a.crash();
  CHECK(b.take(a.log()).value().integrated == 2);
  CHECK(b.take(a.log()).value().duplicates == 2);
  CHECK(a.digest() == b.digest());
  CHECK(a.e->status().repaired == 0);
  scrub_all(a);
  CHECK(a.e->status().repaired == 2);
  CHECK(a.e->status().damaged == 0);
  CHECK(a.content() == sound);
  // No number was given twice.
  set_all(a, 30, 60, 3);
  a.e->checkpoint().value();
  set_all(a, 0, 90, 4);
  a.crash();
  b.take(a.log()).value();
  CHECK(b.digest() == a.digest());
  scrub_all(a);
  CHECK(a.e->status().repaired == 0);  // there is nothing left to mend
}

TEST_CASE("a row of numbers outlives the records that it was made for") {
  numbering_peer a{1};
  a.rest();
  const auto row = [&] {
    bytes out;
    a.disk
        .read([&](auto& view) -> result<> {
          out = history::read_row(view, 0).value();
          return {};
        })
        .value();
    return out;
  };
  const auto sound = row();
  SECTION("renewed") {
    const auto own = a.e->seen().at(*a.e->replicas().find(a.id()));
    set_all(a, 0, 60, 3);
    if (GENERATE(false, true)) flip_row(a, 0);  // nobody has noticed yet
    a.e->renew(own).value();
    a.rest();
    scrub_all(a);
  }
  SECTION("rebuilt") {
    flip(a.disk, area::records, record_key(a, key(7)));
    scrub_all(a);
    CHECK(a.e->status().repaired == 1);
    CHECK(a.get(key(7)) == 2);
  }
  SECTION("missing") {
    flip(a.disk, area::records, record_key(a, key(9)));
    static_cast<void>(a.e->record("table", key(9)));
  }
  CHECK(read_all(a));
  a.e->tend().value();
  CHECK(row() == sound);
  flip_row(a, 0);  // alone
  CHECK(read_all(a));
  const auto repaired = a.e->status().repaired;
  for (int n = 0; n < 3; ++n) scrub_all(a);
  CHECK(a.e->status().repaired == repaired + 1);
  CHECK(a.e->status().damaged == 0);
  CHECK(row() == sound);
  a.crash();
  CHECK_FALSE(a.e->status().stopped_at);
  CHECK(read_all(a));
}

TEST_CASE("an entry that names records nobody knows any more is damaged, and comes back whole") {
  numbering_peer a{1};
  peer b{2};
  b.take(a.log()).value();
  const auto digest = b.digest();
  SECTION("above the mark opening stops there") {
    lose_row(a, 0);
    a.crash();
    REQUIRE(a.e->status().stopped_at == 2);
    CHECK(failed_with(a.set("new", 1), errc::quarantined));
    CHECK(fetch(a, b));
    CHECK_FALSE(a.e->status().stopped_at);
  }
  SECTION("a peer is not served it") {
    a.rest();
    lose_row(a, 0);
    a.reopen();
    for (int n = 0; n < 2; ++n) CHECK(failed_with(read_all(a), errc::gap));
    CHECK(a.e->status().damaged_entries.at(0).place == "log position 2");
    CHECK(fetch(a, b));
  }
  SECTION("the scrub finds it, and says of nothing that it was mended") {
    a.rest();
    lose_row(a, 0);
    for (int n = 0; n < 2; ++n) scrub_all(a);
    CHECK(a.e->status().repaired == 0);
    CHECK(a.e->status().damaged == 1);
    CHECK(a.e->status().damaged_entries.at(0).place == "log position 2");
    a.reopen();
    CHECK(a.e->status().damaged == 1);
    CHECK(fetch(a, b));
  }
  SECTION("merging finds it") {
    a.rest();
    lose_row(a, 0);
    a.options.log_entry_bytes = 8000;
    a.reopen();
    a.e->tend().value();
    CHECK(a.e->status().damaged_entries.at(0).place == "log position 2");
    CHECK(fetch(a, b));
  }
  SECTION("rows that are whole and say something else are not believed") {
    a.rest();
    a.disk
        .write([&](auto& w) -> result<> {
          bytes row;
          for (std::uint32_t n = 0; n < history::numbers_in_row; ++n)
            byte_writer{row}.block(key(1));
          return history::put_row(w, 0, row), result<>{};
        })
        .value();
    a.reopen();
    CHECK(failed_with(read_all(a), errc::gap));
    CHECK(fetch(a, b));
    CHECK(a.log() == b.log());
  }
  a.e->tend().value();
  CHECK(a.digest() == digest);
  CHECK(a.e->status().damaged == 0);
  // Numbers whose keys are lost are not written any more.
  set_all(a, 0, 70, 3);
  a.e->checkpoint().value();
  set_all(a, 0, 70, 4);
  b.take(a.log()).value();
  CHECK(b.digest() == a.digest());
  a.crash();
  CHECK(b.digest() == a.digest());
  CHECK(a.log() == b.log());
}

TEST_CASE("a copy of a row that is whole and behind hides no key, and is brought up") {
  peer a{1}, b{2};
  a.disk.pack_log(true);
  a.options.log_entry_bytes = 0;
  a.reopen();
  const auto where = GENERATE(area::numbers, area::numbers_copy);
  set_all(a, 0, 10, 1);
  a.e->checkpoint().value();
  const auto behind = stored_row(a, where, 0);
  set_all(a, 10, 10, 1);
  a.e->checkpoint().value();
  set_all(a, 0, 20, 2);
  const auto sound = stored_row(a, where, 0);
  put_raw(a, where, history::index_key(0), behind);
  a.crash();
  CHECK_FALSE(a.e->status().stopped_at);
  set_all(a, 0, 30, 3);
  a.e->checkpoint().value();  // ten more records get numbers
  set_all(a, 0, 30, 4);

  CHECK(stored_row(a, where, 0).size() > sound.size());
  put_raw(a, where, history::index_key(0), behind);
  a.crash();
  b.take(a.log()).value();
  CHECK(b.digest() == a.digest());
  scrub_all(a);
  CHECK(a.e->status().repaired == 1);
  CHECK(a.e->status().damaged == 0);
  CHECK(stored_row(a, where, 0).size() > sound.size());
}

TEST_CASE("records whose numbers' rows are gone without a trace are named in full") {
  numbering_peer a{1};
  peer b{2};
  b.take(a.log()).value();
  a.rest();
  a.disk
      .write([&](auto& w) -> result<> {
        for (const auto where : history::number_areas)
          for (std::uint32_t row = 0; row < 2; ++row) w.erase(where, history::index_key(row));
        return {};
      })
      .value();
  a.reopen();
  set_all(a, 30, 60, 3);
  a.e->checkpoint().value();  // the new ones get numbers that others have
  a.reopen();
  set_all(a, 0, 90, 4);
  a.crash();
  CHECK_FALSE(a.e->status().stopped_at);
  scrub_all(a);
  CHECK(a.e->status().damaged_entries.size() == 1);  // what the rows were there for
  CHECK(fetch(a, b));
  b.take(a.log()).value();
  CHECK(b.digest() == a.digest());
}

TEST_CASE("merging marks the entry that it cannot read, also behind a hole that a join has left") {
  peer b{2};
  b.set("other", 5).value();
  peer a{1};
  a.disk.pack_log(true);
  a.options.log_entry_bytes = 0;
  a.options.retain_log_bytes = 1u << 30;
  a.reopen();
  for (int n = 0; n < 2; ++n) set_all(a, 0, 60, 1);
  a.e->checkpoint().value();
  const auto session = std::make_shared<const int>(0);
  const auto request = a.e->request_snapshot(session).value();
  auto serving = b.e->serve_snapshot(*request, 1000).value();
  while (const auto chunk = b.e->next_chunk(serving, 1000).value())
    a.e->take_chunk(*chunk, session).value();
  a.e->take_chunk(detail::chunk_of(detail::chunk_kind::end), session).value();
  a.e->checkpoint().value();
  for (int n = 2; n < 4; ++n) set_all(a, 0, 60, n);
  a.e->checkpoint().value();
  lose_row(a, 0);
  a.options.log_entry_bytes = 800'000;
  a.reopen();
  for (int n = 0; n < 3; ++n) a.e->tend().value();
  CHECK(a.e->status().damaged == 1);
}

TEST_CASE("a step of the scrub decodes few entries, however many it may look at") {
  numbering_peer a{1};
  constexpr int entries = 20;
  for (int n = 0; n < entries; ++n) set_all(a, 0, 60, n);
  int steps = 1;
  while (!a.e->scrub(16).value()) ++steps;
  CHECK(steps > entries);
}

TEST_CASE("rows of numbers that no store writes are looked past") {
  numbering_peer a{1};
  a.rest();
  const auto row = stored_row(a, area::numbers, 0);
  for (const auto where : history::number_areas)
    for (const auto& key : {bytes(4, '\xFF'), bytes(1, '\1'), bytes(5, '\0')})
      put_raw(a, where, key, row);
  a.reopen();
  set_all(a, 60, 10, 3);
  a.e->checkpoint().value();
  scrub_all(a);
  // They have the numbers 61 to 70.
  CHECK_FALSE(stored_row(a, area::numbers, 2).empty());
  CHECK(a.e->status().damaged == 0);
}

TEST_CASE("numbers that are lost while the replica runs are not written once that is known") {
  numbering_peer a{1};
  lose_row(a, 0);
  if (GENERATE(false, true))
    scrub_all(a);
  else
    CHECK_FALSE(read_all(a));
  set_all(a, 0, 60, 3);
  a.disk
      .read([&](auto& view) -> result<> {
        return history::scan_log(view, 3, [](auto...) { return true; });
      })
      .value();
}

TEST_CASE("forged numbers of records make nothing unreadable that is written after them") {
  numbering_peer a{1};
  a.rest();
  a.e.reset();
  a.open().value();
  const auto forge = [&](int n, std::uint32_t number) {
    a.disk
        .write([&](auto& w) -> result<> {
          const auto full = record_key(a, key(n));
          const auto r = history::open_record(full, *w.get(area::records, full)).value();
          history::put_record(w, *a.e->names().find("table"), key(n), r.position, number,
                              bytes{r.packed});
          return {};
        })
        .value();
  };
  forge(7, 1);
  forge(8, 60);
  forge(9, 1'000);
  forge(10, 70'000);
  a.reopen();
  set_all(a, 0, 60, 3);
  a.crash();
  CHECK_FALSE(a.e->status().stopped_at);
  CHECK(a.get(key(7)) == 3);
  CHECK(read_all(a));
}
