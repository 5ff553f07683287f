// The log's floor: what is dropped, what stays, and what never shows.
#include <catch2/catch.hpp>

#include <set>

#include "tests/replica/peer.hpp"

using namespace replica_tests;

namespace {

// Small snapshots and a log of about `bytes`, so that every few writes something is dropped.
void keep_little(peer& p, std::uint64_t log_bytes) {
  p.options.retain_log_bytes = log_bytes;
  p.options.snapshot_records = 3;
  p.options.snapshot_log_bytes = 300;
  p.options.cache_bytes = 2000;
  p.reopen();
}

// What every log must be: a contiguous end, and every changeset above the floor.
void check_log(peer& p) {
  const auto& floor = p.e->log_floor();
  std::map<replica_id, std::uint64_t> next;
  std::uint64_t at = floor.first();
  std::uint64_t size = 0;
  std::vector<history::head> visited;
  p.e->read_log(
         0,
         [&](std::uint64_t position, const replica_id& origin, std::uint64_t seq, bytes_view data) {
           REQUIRE(position == at++);
           visited.push_back({origin, seq, {}});
           size += data.size();
           return true;
         })
      .value();
  for (std::size_t n = 0; n < visited.size(); ++n) {
    const auto& [origin, seq, chain] = visited[n];
    const auto below = floor.version.at(*p.e->replicas().find(origin));
    if (seq <= below) continue;
    auto& expected = next[origin];
    if (expected == 0) expected = below + 1;
    REQUIRE(seq == expected++);
    REQUIRE(p.e->log_position(origin, seq).value() == floor.first() + n);
  }
  REQUIRE(at == p.e->log_end());
  REQUIRE(p.e->status().log_bytes == size);
  for (const auto& h : p.e->heads()) {
    const auto r = *p.e->replicas().find(h.origin);
    const auto below = floor.version.at(r);
    if (next[h.origin] == 0) next[h.origin] = below + 1;
    REQUIRE(next[h.origin] == h.seq + 1);
    REQUIRE(p.e->chain_at(h.origin, h.seq).value() == h.chain);
    if (below == 0) continue;
    REQUIRE_FALSE(p.e->log_position(h.origin, below).value());
    REQUIRE(p.e->chain_at(h.origin, below).value());
  }
}

}  // namespace

TEST_CASE("a replica that drops its log shows what one shows that keeps it, through crashes") {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    peer a{3 * seed + 1}, little{3 * seed + 2}, all{3 * seed + 3};
    testing::prng dice{seed};
    keep_little(little, 1500 + 200 * seed);
    std::uint64_t sent = 0, told = 0;
    for (int round = 0; round < 25; ++round) {
      for (auto n = dice.below(12); n > 0; --n) {
        auto& writer = dice.chance(60) ? a : little;
        const auto key = "k" + std::to_string(dice.below(6));
        if (dice.chance(20) && writer.get(key) != 0)
          writer.erase(key).value();
        else
          writer.set(key, 1 + static_cast<int>(dice.below(90))).value();
      }
      const auto from_a = a.log(sent + 1);
      little.take(from_a).value();
      all.take(from_a).value();
      sent = a.e->log_end() - 1;
      // Nobody has acknowledged: what is its own is all there, up to twice the size.
      const auto own = little.log(std::max(told + 1, little.e->log_floor().first()));
      REQUIRE(own.size() ==
              little.e->log_end() - std::max(told + 1, little.e->log_floor().first()));
      all.take(own).value();
      a.take(own).value();
      sent = a.e->log_end() - 1;
      told = little.e->log_end() - 1;
      little.e->acknowledged(all.e->heads());
      if (dice.chance(30)) little.crash();
      if (dice.chance(30)) {
        little.disk.fail_nth(dice.chance(50) ? memory_operation::erase : memory_operation::commit,
                             1 + dice.below(6), errc::io, dice.chance(50));
        static_cast<void>(little.set("faulty", static_cast<int>(dice.below(9))));
        static_cast<void>(little.e->tend());
        little.crash();
        const auto rest = little.log(told + 1);
        a.take(rest).value();
        all.take(rest).value();
        sent = a.e->log_end() - 1;
        told = little.e->log_end() - 1;
      }
      little.e->checkpoint().value();
      check_log(little);
      REQUIRE(little.digest() == all.digest());
      REQUIRE(little.e->status().log_bytes <= 2 * little.options.retain_log_bytes);
    }
    CHECK(little.e->log_floor().position > 20);
    CHECK(little.e->status().changesets == all.e->status().changesets);
  }
}

TEST_CASE("own changesets stay in the log until a peer has them, up to twice its size") {
  peer a{1};
  keep_little(a, 2000);
  a.options.retain_log_bytes = 2000;
  while (a.e->status().log_bytes < 3500) a.set("k", 1).value();
  a.e->checkpoint().value();
  CHECK(a.e->log_floor().position == 0);
  while (a.e->log_floor().position == 0) a.set("k", 2).value();
  CHECK(a.e->status().log_bytes >= 3500);
  const auto half = a.e->log_floor().position + 3;
  const history::head known{a.id(), half, a.e->chain_at(a.id(), half).value().value()};
  a.e->acknowledged({&known, 1});
  a.e->checkpoint().value();
  CHECK(a.e->log_floor().position == half);
  a.reopen();  // it is remembered
  CHECK(a.e->log_floor().acknowledged.at(*a.e->replicas().find(a.id())) == half);
}

TEST_CASE("what is too old is dropped, however small the log is") {
  peer a{1};
  a.options.retain_log_ms = 1000;
  a.reopen();
  for (int n = 0; n < 10; ++n) {
    a.set("k", n).value();
    a.time.now += 100;
  }
  const auto known = a.e->heads();
  a.e->acknowledged(known);
  a.e->checkpoint().value();
  CHECK(a.e->log_floor().position == 0);
  a.time.now += 600;
  a.e->tend().value();
  CHECK(a.e->log_floor().position == 6);
  a.time.now += 10'000;
  a.e->tend().value();
  CHECK(a.e->log_floor().position == 10);
  CHECK(a.e->status().log_bytes == 0);
  const auto digest = a.digest();
  a.reopen();
  CHECK(a.digest() == digest);
  a.set("k", 11).value();
  CHECK(a.log(0).size() == 1);
  check_log(a);
}

TEST_CASE("nothing goes that the snapshot has not got") {
  peer a{1};
  a.options.retain_log_bytes = 0;
  a.reopen();
  for (int n = 0; n < 10; ++n) a.set("k", n).value();
  a.e->acknowledged(a.e->heads());
  a.e->tend().value();
  CHECK(a.e->log_floor().position == 0);
  a.e->checkpoint().value();
  CHECK(a.e->log_floor().position == 10);
}

TEST_CASE("chains stay comparable across the floor, at every 64th changeset and the last") {
  peer a{1};
  a.options.retain_log_bytes = 0;
  a.reopen();
  for (int n = 0; n < 150; ++n) a.set("k", n).value();
  std::vector<crypto::digest> chains;
  for (std::uint64_t seq = 1; seq <= 150; ++seq)
    chains.push_back(*a.e->chain_at(a.id(), seq).value());
  a.e->acknowledged(a.e->heads());
  a.e->checkpoint().value();
  REQUIRE(a.e->log_floor().position == 150);
  for (std::uint64_t seq = 1; seq <= 150; ++seq) {
    const auto chain = a.e->chain_at(a.id(), seq).value();
    const bool anchor = seq % 64 == 0 || seq == 150;
    CHECK(chain.has_value() == anchor);
    if (chain) CHECK(*chain == chains[seq - 1]);
  }
}

TEST_CASE("a log that does not begin where its floor says is refused") {
  peer a{1};
  a.options.retain_log_bytes = 500;
  a.reopen();
  for (int n = 0; n < 30; ++n) a.set("k", n).value();
  a.e->acknowledged(a.e->heads());
  a.e->checkpoint().value();
  const auto first = a.e->log_floor().first();
  a.e.reset();
  a.disk
      .write([&](auto& w) -> result<> {
        w.erase(area::log, history::position_key(first));
        return {};
      })
      .value();
  CHECK(failed_with(a.open(), errc::gap));
}

namespace {

/// A peer whose log is packed and merged in small entries.
struct merging_peer : peer {
  explicit merging_peer(std::uint64_t seed, std::size_t entry_bytes) : peer(seed) {
    disk.pack_log(true);
    options.log_entry_bytes = entry_bytes;
    options.snapshot_records = 5;
    reopen();
  }
};

}  // namespace

TEST_CASE("the log below the snapshot is merged, and nothing that can be seen changes") {
  merging_peer a{1, 8000}, b{2, 0};
  testing::prng dice{3};
  for (int n = 0; n < 300; ++n) {
    auto& p = dice.chance(70) ? a : static_cast<peer&>(b);
    p.set("key " + std::to_string(dice.below(20)), n).value();
    if (dice.chance(10)) a.take(b.log()).value();
    if (dice.chance(10)) b.take(a.log(b.e->log_end() / 2 + 1)).value();
  }
  a.take(b.log()).value();
  b.take(a.log()).value();
  const auto log = a.log();
  std::map<std::pair<replica_id, std::uint64_t>, crypto::digest> chains;
  for (const auto& h : a.e->heads())
    for (std::uint64_t seq = 1; seq <= h.seq; ++seq)
      chains[{h.origin, seq}] = b.e->chain_at(h.origin, seq).value().value();
  const auto check = [&] {
    CHECK(a.log() == log);
    check_log(a);
    for (const auto& [name, chain] : chains)
      REQUIRE(a.e->chain_at(name.first, name.second).value() == chain);
    for (std::uint64_t from = 1; from <= log.size(); from += 17) {
      std::size_t served = 0;
      a.e->read_log(from, [&](std::uint64_t at, auto&, auto,
                              bytes_view data) { return data == log[at - 1] && ++served < 3; })
          .value();
      CHECK(served == std::min<std::size_t>(3, log.size() - from + 1));
    }
  };
  a.e->checkpoint().value();
  CHECK(entries_of(a, area::log) * 8 < log.size());
  CHECK(entries_of(a, area::dots) * 2 < log.size());
  check();
  a.crash();
  check();
  CHECK(a.digest() == b.digest());

  // It takes a new id in the middle of what was merged.
  SECTION("a new id") {
    const auto old = a.id();
    const auto common = a.e->seen().at(*a.e->replicas().find(old)) / 2;
    const auto count = a.e->status().changesets;
    a.e->renew(common).value();
    check_log(a);
    CHECK(a.e->status().changesets == count);
    CHECK(a.e->seen().at(*a.e->replicas().find(old)) == common);
    peer c{5};
    c.take(a.log()).value();
    CHECK(c.digest() == a.digest());
    a.crash();
    check_log(a);
    CHECK(c.digest() == a.digest());
  }
  // It is dropped in whole entries.
  SECTION("retention") {
    a.options.retain_log_bytes = 20'000;
    a.reopen();
    a.e->acknowledged(a.e->heads());
    a.e->checkpoint().value();
    CHECK(a.e->log_floor().position > 0);
    CHECK(a.e->status().log_bytes <= 20'000);
    check_log(a);
    a.crash();
    check_log(a);
    CHECK(a.digest() == b.digest());
  }
}

namespace {

/// How many entries of the log name records by number, from a position on.
std::size_t numbered_entries(peer& p, std::uint64_t from = 1) {
  std::size_t n = 0;
  p.disk
      .read([&](auto& view) -> result<> {
        view.scan(area::log, history::position_key(from), [&](bytes_view key, bytes_view value) {
          const auto content = history::open_sealed(area::log, key, value).value();
          n += history::form_of(content) == history::entry_form::numbered ? 1 : 0;
          return true;
        });
        return {};
      })
      .value();
  return n;
}
/// What stands in an area, without the checksums.
std::string content_of_area(peer& p, area where) {
  std::string out;
  p.disk
      .read([&](auto& view) -> result<> {
        view.scan(where, {}, [&](bytes_view key, bytes_view value) {
          out += to_hex(key) + " " + to_hex(value.substr(8)) + "\n";
          return true;
        });
        return {};
      })
      .value();
  return out;
}
/// Writes `count` records in one changeset.
void set_many(peer& p, int count, int value) {
  changeset_writer w;
  for (int n = 0; n < count; ++n) p.put(w, "key " + std::to_string(100 + n), value);
  p.e->commit(w).value();
}

}  // namespace

TEST_CASE("what is hot names records by number, what is merged and what peers get do not") {
  merging_peer a{1, 8000};
  peer b{2}, c{3};
  a.options.snapshot_records = 1000;
  a.reopen();
  set_many(a, 50, 1);  // no record is stored, none has a number
  CHECK(numbered_entries(a) == 0);
  a.e->checkpoint().value();
  set_many(a, 60, 2);
  set_many(a, 60, 3);
  CHECK(numbered_entries(a) == 2);
  a.crash();  // those that come back have theirs, and the others none yet
  set_many(a, 60, 4);
  CHECK(numbered_entries(a) == 3);
  check_log(a);
  b.take(a.log()).value();
  CHECK(b.digest() == a.digest());
  CHECK(entries_of(b, area::numbers) == 0);  // where nothing is packed nothing has a number
  SECTION("merged") {
    for (int n = 5; n < 25; ++n) set_many(a, 60, n);
    REQUIRE(numbered_entries(a) == 23);
    a.e->checkpoint().value();
    CHECK(numbered_entries(a) < 8);  // what does not fill an entry yet
    check_log(a);
    for (const auto where : history::number_areas) CHECK(entries_of(a, where) == 2);
  }
  SECTION("under a new id") {
    const auto own = a.e->seen().at(*a.e->replicas().find(a.id()));
    a.e->renew(own - 2).value();
    check_log(a);
    set_many(a, 60, 5);
    CHECK(numbered_entries(a) > 0);
  }
  SECTION("dropped") {
    a.options.retain_log_bytes = 0;
    a.reopen();
    a.e->acknowledged(a.e->heads());
    a.e->checkpoint().value();
    set_many(a, 60, 5);
    CHECK(numbered_entries(a) == 1);
    check_log(a);
    a.crash();
    CHECK(a.get("key 159") == 5);
    return;
  }
  const auto digest = a.digest();
  a.crash();
  check_log(a);
  CHECK(a.digest() == digest);
  c.take(a.log()).value();
  CHECK(c.digest() == digest);
}

TEST_CASE("records beyond the last number are named in full") {
  merging_peer a{1, 8000};
  peer b{2};
  const auto last = history::most_numbers / history::numbers_in_row - 1;
  a.disk
      .write([&](auto& w) -> result<> {  // all but the last 10 are given
        return history::put_row(w, last, bytes(22, '\0')), result<>{};
      })
      .value();
  a.reopen();
  set_many(a, 60, 1);
  a.e->checkpoint().value();
  set_many(a, 60, 2);
  CHECK(numbered_entries(a) == 1);
  a.crash();
  a.e->checkpoint().value();
  set_many(a, 60, 3);
  CHECK(numbered_entries(a) >= 1);
  CHECK(entries_of(a, area::numbers) == 1);
  check_log(a);
  b.take(a.log()).value();
  CHECK(b.digest() == a.digest());
}

TEST_CASE(
    "whatever fails and wherever it stops, a number is one record's, and its row says which") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    peer a{seed}, b{seed + 100};
    a.disk.pack_log(true);
    a.options.log_entry_bytes = seed % 2 == 0 ? 8000 : 0;
    a.options.snapshot_records = 1 + a.dice.below(30);
    a.options.snapshot_step_records = 1 + a.dice.below(20);
    a.options.cache_bytes = a.dice.chance(50) ? 0 : 100'000;
    const auto left = seed % 3 == 0 ? 50'000 : 10 + a.dice.below(80);  // they run out, or do not
    const auto first = static_cast<std::uint32_t>(history::most_numbers - left);
    const auto count = first % history::numbers_in_row;
    a.disk
        .write([&](auto& w) -> result<> {
          const auto row = (first - 1) / history::numbers_in_row;
          return history::put_row(w, row, bytes(count == 0 ? 32 : count, '\0')), result<>{};
        })
        .value();
    a.reopen();
    for (int n = 1; n < 20; ++n) {
      changeset_writer w;
      const auto from = a.dice.below(100);
      for (auto i = from; i < from + 40; ++i)
        w.add(i % 3 == 0 ? "other" : "table", "key " + std::to_string(100 + i),
              {cell_action::update, 1, "number", crdt::kind::lww, lww_delta(n)});
      if (a.dice.chance(20)) a.disk.fail_nth(memory_operation::put, 1 + a.dice.below(40), errc::io);
      static_cast<void>(a.e->commit(w));
      a.disk.clear_faults();
      if (a.dice.chance(15)) a.crash();
      if (a.dice.chance(15)) static_cast<void>(a.e->checkpoint());
      if (a.dice.chance(15)) a.e->tend().value();
    }
    a.crash();
    REQUIRE(a.e->status().damaged == 0);
    b.take(a.log()).value();
    CHECK(a.digest() == b.digest());
    CHECK(content_of_area(a, area::numbers) == content_of_area(a, area::numbers_copy));
    std::set<std::uint32_t> all;
    a.disk
        .read([&](auto& view) -> result<> {
          history::keys_by_number keys{view};
          view.scan(area::records, {}, [&](bytes_view key, bytes_view value) {
            const auto number = history::open_record(key, value).value().number;
            if (number == 0) return true;
            CHECK(all.insert(number).second);
            CHECK(keys(number) == history::after_index(key));
            return true;
          });
          return {};
        })
        .value();
    CHECK(all.size() == std::min<std::uint64_t>(left, entries_of(a, area::records)));
  }
}

TEST_CASE("a snapshot step that fails has given no number") {
  merging_peer a{1, 8000};
  set_many(a, 3, 1);
  a.disk.fail_nth(memory_operation::put, 3, errc::io);
  CHECK_FALSE(a.e->checkpoint());
  CHECK(entries_of(a, area::numbers) == 0);
  set_many(a, 60, 2);
  CHECK(numbered_entries(a) == 0);
  a.e->checkpoint().value();
  set_many(a, 60, 3);
  CHECK(numbered_entries(a) == 1);
  check_log(a);
  a.crash();
  CHECK(a.get("key 159") == 3);
}

TEST_CASE("merging that fails at any call, or is cut off there, has changed nothing or all") {
  for (const auto operation : {memory_operation::put, memory_operation::erase,
                               memory_operation::commit, memory_operation::read}) {
    for (std::uint64_t nth = 1; nth < 400; nth += 1 + nth / 4) {
      merging_peer a{1, 2000};
      a.options.snapshot_records = 1000;
      a.reopen();
      for (int n = 0; n < 40; ++n) a.set("key " + std::to_string(n % 7), n).value();
      const auto log = a.log();
      const auto digest = a.digest();
      a.disk.fail_nth(operation, nth, errc::full);
      static_cast<void>(a.e->checkpoint());
      const bool over = a.disk.has_faults();
      a.disk.clear_faults();
      CAPTURE(static_cast<int>(operation), nth);
      if (nth % 2 == 0) a.crash(1);
      CHECK(a.log() == log);
      a.e->checkpoint().value();
      check_log(a);
      CHECK(entries_of(a, area::log) < 15);
      CHECK(a.digest() == digest);
      a.crash();
      CHECK(a.log() == log);
      if (over) break;
    }
  }
}
