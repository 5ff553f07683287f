// What a replica keeps, and how: snapshots, cold records, durability, damage.
#include <catch2/catch.hpp>

#include <functional>
#include <set>

#include "tests/replica/peer.hpp"

using namespace replica_tests;

namespace {

std::string key(int n) {
  auto digits = std::to_string(n);
  return "key " + std::string(5 - digits.size(), '0') + digits;
}

/// The keys and numbers that a walk shows, from a key on.
std::vector<std::pair<std::string, int>> walk(peer& p, std::string_view from = {}) {
  std::vector<std::pair<std::string, int>> out;
  p.e->for_each("table", from,
                [&](bytes_view k, bytes_view packed) {
                  if (crdt::read_cell(packed).alive()) out.emplace_back(k, p.number_in(packed));
                  return true;
                })
      .value();
  return out;
}

/// Opens, and says what came of it.
std::string opened(peer& p) {
  p.disk.reopen();
  const auto done = p.open();
  return done ? "ok" : done.error().text();
}

void change_stored(peer& p, area where, bytes_view k, const std::function<void(bytes&)>& change) {
  p.disk
      .write([&](auto& w) -> result<> {
        bytes value{w.get(where, k).value()};
        change(value);
        w.put(where, k, value);
        return {};
      })
      .value();
}

}  // namespace

TEST_CASE("changes between the steps of a snapshot are in the store whenever it ends") {
  // The snapshot goes on by one record after each write; stop after each of them.
  for (int stop = 0; stop < 24; ++stop) {
    peer a{1};
    a.options.snapshot_records = 6;
    a.options.snapshot_step_records = 1;
    a.reopen();
    for (int n = 0; n < 7; ++n) a.set(key(n), 1).value();
    for (int n = 0; n < stop; ++n) a.set(key(n * 3 % 8), 10 + n).value();
    const auto digest = a.digest();
    a.crash();
    CAPTURE(stop);
    CHECK(a.digest() == digest);
    CHECK(a.e->status().changesets == static_cast<std::uint64_t>(7 + stop));
    a.set(key(0), 99).value();
    a.e->checkpoint().value();
    const auto later = a.digest();
    a.crash();
    CHECK(a.digest() == later);
    CHECK(a.e->status().snapshot == a.e->status().changesets);
    CHECK(a.e->status().dirty_records == 0);
  }
}

TEST_CASE("the nearer a snapshot is, the fewer records it would have to put in order") {
  memory_storage disk;
  detail::replica_state state;
  detail::snapshotting snapshots;
  replica_options limits;
  limits.snapshot_records = 1000;
  for (int n = 1; n < 1000; ++n) {
    auto& slot = state.records.make(0, key(n * 7 % 1000), 1);
    slot.packed = bytes_view{"a record"};
    state.records.changed(slot, 1);
    snapshots.keep_up(disk, state, limits);
    CHECK(state.records.out_of_order() <= static_cast<std::size_t>(n * (1000 - n) / 1000));
  }
  CHECK(state.records.dirty_count() == 999);
}

TEST_CASE("a replay skips what a record already holds") {
  // Counters tell: a replay that does not skip counts twice.
  peer a{1};
  a.options.snapshot_records = 2;
  a.options.snapshot_step_records = 1;
  a.reopen();
  const auto add = [&](std::string_view k) {
    changeset_writer w;
    w.add("table", k,
          {cell_action::update, 1, "count", crdt::kind::pn_counter, crdt::pn_counter::add(1)});
    a.e->commit(w).value();
  };
  const auto count = [&](std::string_view k) {
    const auto name = a.e->names().find("count");
    const auto cell = crdt::read_cell(a.e->record("table", k).value());
    return crdt::counter<crdt::kind::pn_counter, bytes_view>{
        state::field_state(cell.value, {*name, crdt::kind::pn_counter})}
        .get()
        .value;
  };
  for (int n = 1; n <= 30; ++n) {
    add("x");
    add(n % 3 == 0 ? "y" : "z");
    a.crash();
    CAPTURE(n);
    CHECK(count("x") == n);
    CHECK(count("z") == n - n / 3);
  }
}

TEST_CASE("a snapshot that fails loses nothing and is tried again after the next write") {
  for (const bool by_bytes : {false, true}) {
    peer a{1};
    a.options.snapshot_records = by_bytes ? 1000 : 5;
    a.options.snapshot_log_bytes = by_bytes ? 5 * a.e->log_end() * 90 : 1'000'000;
    a.reopen();
    int n = 0;
    bool failed = false;
    // Let a late put of each write fail: a commit has four at most, so it is one of the snapshot
    // that rides along, and the commit goes on without it.
    for (; n < 20 && !failed; ++n) {
      a.disk.fail_nth(memory_operation::put, n == 0 ? 7 : 5, errc::full);
      a.set(key(n), 1).value();
      a.disk.clear_faults();
      failed = a.e->status().last_snapshot_error.has_value();
    }
    CAPTURE(by_bytes);
    REQUIRE(failed);
    CHECK(a.e->status().snapshot == 0);
    CHECK(a.e->status().dirty_records == static_cast<std::size_t>(n));
    a.set(key(n), 1).value();
    CHECK_FALSE(a.e->status().last_snapshot_error);
    CHECK(a.e->status().snapshot + 1 == a.e->status().changesets);  // all that was before the write
    const auto digest = a.digest();
    a.crash();
    CHECK(a.digest() == digest);
  }
}

TEST_CASE("a snapshot that fails on its way goes on from what it has") {
  for (std::uint64_t fault = 1; fault <= 8; ++fault) {
    peer a{1};
    a.options.snapshot_records = 1000;
    a.options.snapshot_step_records = 2;
    a.reopen();
    for (int n = 0; n < 7; ++n) a.set(key(n), n).value();
    a.disk.fail_nth(memory_operation::put, fault, errc::full);
    CAPTURE(fault);
    CHECK(failed_with(a.e->checkpoint(), errc::full));
    CHECK(a.e->status().snapshot == 0);
    a.set(key(3), 33).value();
    const auto digest = a.digest();
    SECTION("it is done again") { a.e->checkpoint().value(); }
    SECTION("the process ends first") { a.crash(); }
    CHECK(a.digest() == digest);
    a.e->checkpoint().value();
    a.crash();
    CHECK(a.digest() == digest);
    CHECK(a.e->status().snapshot == 8);
  }
}

TEST_CASE("large changesets do not outrun the snapshot") {
  peer a{1};
  a.options.cache_bytes = 20'000;
  a.options.snapshot_records = 64;
  a.options.snapshot_step_records = 16;
  a.reopen();
  for (int n = 0; n < 20; ++n) {
    changeset_writer w;
    for (int i = 0; i < 200; ++i) a.put(w, key(n * 200 + i), i);
    a.e->commit(w).value();
    const auto s = a.e->status();
    CHECK(s.dirty_records <= 2 * 64 + 1);
    CHECK(s.records_in_memory < 400);
    CHECK(s.changesets - s.snapshot <= 2);
  }
  CHECK(walk(a).size() == 4000);
  const auto digest = a.digest();
  a.crash();
  CHECK(a.digest() == digest);
}

TEST_CASE("memory is bounded by the cache, and cold records are read and changed like hot ones") {
  peer a{1};
  peer plain{2};
  a.options.cache_bytes = 2000;
  a.options.snapshot_records = 8;
  a.reopen();
  for (int round = 1; round <= 3; ++round) {
    for (int n = 0; n < 300; ++n) {
      a.set(key(n * 7 % 300), round * 1000 + n).value();
      CHECK(a.e->status().memory_bytes < 20'000);
    }
  }
  for (int n = 0; n < 300; ++n) CHECK(a.get(key(n * 7 % 300)) == 3000 + n);
  CHECK(a.e->status().memory_bytes < 20'000);
  plain.take(a.log()).value();
  CHECK(plain.digest() == a.digest());
  CHECK(plain.e->status().records_in_memory == 300);
}

TEST_CASE("a walk shows each record once and in order, wherever it is") {
  for (const int cold : {0, 1, 255, 256, 257, 512, 700}) {
    peer a{1};
    a.options.cache_bytes = 0;
    a.reopen();
    std::map<std::string, int> wanted;
    for (int n = 0; n < cold; ++n) {
      a.set(key(2 * n), n).value();
      wanted[key(2 * n)] = n;
    }
    a.e->checkpoint().value();
    CHECK(a.e->status().records_in_memory == 0);
    // Among them, before them and after them: changed, new, erased.
    for (int n = 0; n < 2 * cold + 3; n += 5) {
      a.set(key(n), -n - 1).value();
      wanted[key(n)] = -n - 1;
    }
    for (int n = 0; n < 2 * cold; n += 14) {
      a.erase(key(n)).value();
      wanted.erase(key(n));
    }
    a.set("zz", 1).value();
    a.set("a", 2).value();
    wanted["zz"] = 1;
    wanted["a"] = 2;
    CAPTURE(cold);
    CHECK(walk(a) == std::vector<std::pair<std::string, int>>(wanted.begin(), wanted.end()));
    const auto from = key(cold);
    CHECK(walk(a, from) ==
          std::vector<std::pair<std::string, int>>(wanted.lower_bound(from), wanted.end()));
    // Tables beside it in the storage are not walked into.
    changeset_writer w;
    w.add("another table", "k", {cell_action::create, 1, {}, {}, {}});
    a.e->commit(w).value();
    a.e->checkpoint().value();
    CHECK(walk(a).size() == wanted.size());
    int seen = 0;
    a.e->for_each("table", {}, [&](bytes_view, bytes_view) { return ++seen < 3; }).value();
    CHECK(seen == 3);
  }
}

TEST_CASE("with interval durability, peers see nothing that is not synced") {
  peer a{1, durability::interval};
  a.options.sync_interval_ms = 1000;
  a.reopen();
  a.set("k", 1).value();  // the first is synced at once: the last sync was long ago
  CHECK(a.e->heads().size() == 1);
  a.time.now += 10;
  a.set("k", 2).value();
  const auto self = a.id();
  CHECK(a.e->heads().front().seq == 1);
  CHECK(a.e->log_end() == 2);
  CHECK(a.log().size() == 1);
  CHECK_FALSE(a.e->log_position(self, 2).value());
  CHECK_FALSE(a.e->chain_at(self, 2).value());
  CHECK(a.e->log_size() == 2);
  CHECK(a.get("k") == 2);
  a.e->tend().value();
  CHECK(a.e->heads().front().seq == 1);
  SECTION("until the interval is over") {
    a.time.now += 1000;
    a.e->tend().value();
  }
  SECTION("until a write when the interval is over") {
    a.time.now += 1000;
    a.set("other", 3).value();
  }
  SECTION("until it is asked to") { a.e->flush().value(); }
  SECTION("or the clock is set back") {
    a.time.now -= 500'000;
    a.e->tend().value();
  }
  SECTION("or a checkpoint") { a.e->checkpoint().value(); }
  SECTION("or a digest, which is taken of what the heads show") { a.digest(); }
  CHECK(a.e->heads().front().seq == a.e->log_size());
  CHECK(a.e->log_position(self, 2).value() == 2u);
  CHECK(a.disk.unsynced_commits() == 0);
  const auto digest = a.digest();
  a.crash();
  CHECK(a.digest() == digest);
}

TEST_CASE("what an earlier process did not sync is synced before it is shown") {
  peer a{1, durability::interval};
  a.options.sync_interval_ms = 1'000'000'000;
  a.reopen();
  a.e->flush().value();
  a.set("k", 1).value();
  a.time.now += 1;
  a.set("k", 2).value();
  a.reopen();  // the process ended, the machine did not
  const auto shown = a.e->heads().front().seq;
  a.crash();
  CHECK(a.e->heads().front().seq == shown);
  CHECK(shown == 2);
}

TEST_CASE("a crash takes back what was not synced, and the numbers are free again") {
  peer a{1, durability::interval};
  peer b{2};
  a.options.sync_interval_ms = 1'000'000'000;
  a.options.snapshot_records = 2;
  a.reopen();
  a.set("k", 1).value();
  a.e->flush().value();
  for (std::size_t survivors = 0; survivors < 6; ++survivors) {
    for (int n = 0; n < 4; ++n) {
      a.time.now += 1;
      a.set(key(n), 1).value();
    }
    b.take(a.log()).value();
    const auto shown = a.e->heads().front().seq;
    a.crash(survivors);
    CHECK(a.e->heads().front().seq >= shown);
    a.time.now += 1;
    a.set("again", 5).value();
    a.e->flush().value();
    b.take(a.log()).value();
    CHECK(b.digest() == a.digest());
  }
}

TEST_CASE("a failed sync shows nothing and poisons the store until it is opened again") {
  peer a{1, durability::interval};
  a.options.sync_interval_ms = 1'000'000'000;
  a.reopen();
  a.set("k", 1).value();
  a.e->flush().value();
  a.set("k", 2).value();
  a.disk.fail_nth(memory_operation::sync, 1, errc::io);
  CHECK_FALSE(a.e->flush());
  CHECK(a.e->heads().front().seq == 1);
  CHECK(failed_with(a.e->flush(), errc::poisoned));
  CHECK(a.e->heads().front().seq == 1);
  a.crash();
  CHECK(a.get("k") == 1);
}

TEST_CASE("a store is opened only for its own space, in a format that is known") {
  peer a{1};
  a.set("k", 1).value();
  a.options.space = space_named("another");
  CHECK_THAT(opened(a), Catch::StartsWith("wrong_space"));
  a.options.space = space_id{};
  CHECK(opened(a) == "ok");
  CHECK(a.e->space() == space_named("engine tests"));
  a.disk
      .write([](auto& w) -> result<> {
        history::put_sealed(w, area::meta, "format", "joinery store 4");
        return {};
      })
      .value();
  CHECK_THAT(opened(a), Catch::StartsWith("unsupported") && Catch::Contains("joinery store 4"));
}

TEST_CASE("a new store needs the id of its space") {
  peer a{1};
  a.options.space = space_id{};
  a.disk = memory_storage{};
  CHECK_THAT(opened(a), Catch::StartsWith("invalid_argument"));
}

TEST_CASE("a damaged entry is told with its place, and never taken for content") {
  peer a{1};
  a.set("k", 1).value();
  a.e->checkpoint().value();
  a.set("k", 2).value();
  peer b{2};
  for (int i = 0; i < 3; ++i) b.set("of b", i).value();
  a.take(b.log()[2]).value();  // held
  REQUIRE(a.e->status().held == 1);
  std::vector<std::pair<area, bytes>> places;
  a.disk
      .read([&](auto& view) -> result<> {
        for (std::size_t n = 0; n < history::area_count; ++n)
          view.scan(static_cast<area>(n), {}, [&](bytes_view k, bytes_view) {
            places.emplace_back(static_cast<area>(n), bytes{k});
            return true;
          });
        return {};
      })
      .value();
  const auto good = a.disk.clone();
  const auto digest = a.digest();
  std::set<area> hurt;
  for (const auto& [where, k] : places) {
    for (const auto& damage : std::vector<std::function<void(bytes&)>>{
             [](bytes& v) { v[v.size() / 2] = static_cast<char>(v[v.size() / 2] ^ 0x10); },
             [](bytes& v) { v[3] = static_cast<char>(v[3] ^ 1); }, [](bytes& v) { v.pop_back(); },
             [](bytes& v) { v.clear(); }}) {
      a.e.reset();
      a.disk.put_back(good);
      change_stored(a, where, k, damage);
      auto said = opened(a);
      // Some entries are only read when they are needed.
      if (said == "ok") {
        if (auto d = a.e->digest(); !d)
          said = d.error().text();
        else if (auto p = a.e->log_position(a.id(), 1); !p)
          said = p.error().text();
        else if (auto q = a.e->log_position(a.id(), 2); !q)
          said = q.error().text();
        else if (auto l = a.e->read_log(1, [](auto...) { return true; }); !l)
          said = l.error().text();
      }
      CAPTURE(history::place_of(where, k));
      if (where == area::records) {  // made anew from the log
        CHECK(said == "ok");
        CHECK(a.e->status().repaired == 1);
        CHECK(a.digest() == digest);
        continue;
      }
      if (where == area::log) {  // not served, or opening stopped before it
        const bool above = k == history::position_key(2);
        CHECK_THAT(said, Catch::StartsWith(above ? "quarantined" : "gap"));
        CHECK(a.e->status().damaged_entries.at(0).place.find("log position") == 0);
        CHECK(a.e->status().stopped_at.has_value() == above);
        continue;
      }
      CHECK_THAT(said, Catch::StartsWith("checksum") && Catch::Contains(to_hex(k)));
      CHECK_THAT(said, Catch::Contains(std::string{history::name_of(where)}));
    }
    hurt.insert(where);
  }
  CHECK(hurt == std::set{area::meta, area::roster, area::names, area::log, area::dots,
                         area::records, area::held});
}

TEST_CASE("a value that stands under another key is told as damage") {
  peer a{1};
  for (int n = 0; n < 3; ++n) a.set(key(n), n).value();
  bytes other;
  change_stored(a, area::log, history::position_key(2), [&](bytes& v) { other = v; });
  change_stored(a, area::log, history::position_key(3), [&](bytes& v) { v = other; });
  CHECK(opened(a) == "ok");
  CHECK(a.e->status().stopped_at == 3u);
}

TEST_CASE("a log that lacks an entry is told, not read as a shorter one") {
  const auto lacking = [](std::uint64_t position, bool snapshot) {
    peer a{1};
    for (int n = 0; n < 4; ++n) a.set(key(n), n).value();
    if (snapshot) a.e->checkpoint().value();
    a.disk
        .write([&](auto& w) -> result<> {
          w.erase(area::log, history::position_key(position));
          return {};
        })
        .value();
    return opened(a);
  };
  CHECK_THAT(lacking(1, false), Catch::StartsWith("gap") && Catch::Contains("log position 1"));
  CHECK_THAT(lacking(2, false), Catch::StartsWith("gap") && Catch::Contains("log position 2"));
  CHECK_THAT(lacking(3, false), Catch::StartsWith("gap") && Catch::Contains("log position 3"));
  CHECK_THAT(lacking(4, true), Catch::StartsWith("gap"));
}

TEST_CASE("a store that lost its format is not taken for an empty one") {
  peer a{1};
  a.set("k", 1).value();
  a.disk
      .write([](auto& w) -> result<> {
        w.erase(area::meta, "format");
        return {};
      })
      .value();
  const auto before = a.content();
  CHECK_THAT(opened(a), Catch::StartsWith("malformed"));
  CHECK(a.content() == before);
}

TEST_CASE("the conflicts of records in memory and in the snapshot are the same on all replicas") {
  peer a{1};
  peer b{2};
  a.options.cache_bytes = 0;
  a.reopen();
  a.set("x", 1).value();
  b.set("x", 2).value();
  a.set("same", 5).value();
  b.set("same", 5).value();
  a.take(b.log()).value();
  b.take(a.log()).value();
  for (const bool cold : {false, true}) {
    if (cold) a.e->checkpoint().value();
    const auto found = a.e->conflicts().value();
    REQUIRE(found.size() == 1);
    CHECK(found[0].table == "table");
    CHECK(found[0].key == "x");
    CHECK(found[0].field == "number");
    REQUIRE(found[0].writes.size() == 2);
    CHECK(found[0].writes[1].shown);
    CHECK(found[0].writes[1].value == crdt::encode_value(a.get("x")));
    const auto there = b.e->conflicts().value();
    REQUIRE(there.size() == 1);
    CHECK(there[0].writes[1].by == found[0].writes[1].by);
  }
  b.set("x", 3).value();
  CHECK(b.e->conflicts().value().empty());
  a.take(b.log()).value();
  CHECK(a.e->conflicts().value().empty());
}
