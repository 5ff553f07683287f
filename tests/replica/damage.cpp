// Bit rot: found at every read, set aside, rebuilt from the log or taken back from a peer, and
// never taken for content or for absence.
#include <catch2/catch.hpp>

#include <set>

#include "tests/replica/peer.hpp"
#include "tests/replica/stored.hpp"

using namespace replica_tests;

namespace {

std::string key(int n) { return "key " + std::to_string(100 + n); }

void flip_log(peer& p, std::uint64_t position) {
  flip(p.disk, area::log, history::position_key(position));
}
bytes record_key(peer& p, std::string_view k) {
  return history::record_key(*p.e->names().find("table"), k);
}
/// A peer without a cache, with `n` records that each changed twice, all in the snapshot.
struct cold_peer : peer {
  explicit cold_peer(std::uint64_t seed, int n = 6) : peer(seed) {
    options.cache_bytes = 0;
    reopen();
    for (int round = 1; round <= 2; ++round)
      for (int i = 0; i < n; ++i) set(key(i), 10 * round + i).value();
    e->checkpoint().value();
    reopen();
  }
};
/// The log, whatever its order.
std::set<bytes> content_of_log(peer& p) {
  const auto log = p.log();
  return {log.begin(), log.end()};
}
/// Hands over what `p` wants from `from`, as two sessions would.
bool fetch(peer& p, peer& from) {
  bool mended = false;
  for (const auto& what : p.e->list_wanted().value()) {
    const auto given = from.e->give(what).value();
    if (given) mended = p.e->take_back(what, *given).value() || mended;
  }
  return mended;
}

}  // namespace

TEST_CASE("a damaged record is rebuilt from the log wherever it is met, and nobody notices") {
  cold_peer sound{1};
  const auto digest = sound.digest();
  for (int way = 0; way < 7; ++way) {
    cold_peer a{1};
    for (const int n : {1, 4}) flip(a.disk, area::records, record_key(a, key(n)));
    CAPTURE(way);
    int expected = 21;
    switch (way) {
      case 0: CHECK(a.get(key(1)) == 21); break;
      case 1: CHECK(a.digest() == digest); break;
      case 2: {
        int walked = 0;
        a.e->for_each("table", {}, [&](auto, auto) { return ++walked > 0; }).value();
        CHECK(walked == 6);
        break;
      }
      case 3: a.set(key(1), expected = 99).value(); break;
      case 4: {
        peer b{2};
        b.take(a.log()).value();
        b.set(key(1), expected = 77).value();
        CHECK(a.take(b.log()).value().integrated == 1);
        break;
      }
      case 5: CHECK(a.e->conflicts().value().empty()); break;
      default:
        while (!a.e->scrub(3).value()) {}
        CHECK(a.e->status().last_scrub_ms == a.time.now);
        CHECK(a.e->status().repaired == 2);
    }
    CHECK(a.get(key(1)) == expected);
    CHECK(a.get(key(4)) == 24);
    CHECK(a.e->status().repaired == 2);
    CHECK(a.e->status().damaged == 0);
    CHECK(entries_of(a, area::quarantine) == 0);
    const auto after = a.digest();
    if (expected == 21) CHECK(after == digest);
    a.crash();
    CHECK(a.digest() == after);
  }
}

TEST_CASE("a damaged record with operations above the mark is rebuilt when it is needed") {
  for (int way = 0; way < 7; ++way) {
    CAPTURE(way);
    peer a{1};
    a.options.snapshot_records = 1000;
    a.reopen();
    for (int n = 0; n < 8; ++n) a.set(key(n % 4), n + 1).value();
    a.e->checkpoint().value();
    for (int n = 0; n < 8; ++n) a.set(key(n % 4), 10 * n).value();
    auto digest = a.digest();
    peer b{2};
    b.take(a.log()).value();
    b.set(key(2), 70).value();
    flip(a.disk, area::records, record_key(a, key(2)));
    a.crash();
    int expected = 60;
    switch (way) {
      case 0: break;
      case 1: CHECK(a.digest() == digest); break;
      case 2: a.e->for_each("table", {}, [](auto, auto) { return true; }).value(); break;
      case 3: a.set(key(2), expected = 99).value(); break;
      case 4: CHECK(a.take(b.log()).value().integrated == 1); break;
      case 5: a.e->tend().value(); break;
      default: CHECK(failed_with(a.e->read_now().value()->record("table", key(2)), errc::checksum));
    }
    if (way == 4) expected = 70;
    CHECK(a.get(key(2)) == expected);
    CHECK(a.get(key(3)) == 70);
    CHECK(a.e->status().repaired == 1);
    if (expected != 60) digest = a.digest();
    CHECK(a.digest() == digest);
    a.crash();
    CHECK(a.digest() == digest);
  }
}

TEST_CASE("a record whose log is damaged too is missing, never absent; all others work") {
  cold_peer a{1}, b{2, 0};
  b.take(a.log()).value();
  flip(a.disk, area::records, record_key(a, key(1)));
  flip_log(a, 3);
  const auto unreadable = a.e->record("table", key(1));
  CHECK(failed_with(unreadable, errc::quarantined));
  CHECK_FALSE(unreadable.error().advice.empty());
  CHECK(a.get(key(0)) == 20);
  CHECK(failed_with(a.e->digest(), errc::quarantined));
  int walked = 0;
  CHECK(failed_with(a.e->for_each("table", {}, [&](auto, auto) { return ++walked > 0; }),
                    errc::quarantined));
  CHECK(walked == 5);
  CHECK(a.e->for_each("table", key(2), [](auto, auto) { return true; }));
  {  // A reader says the same.
    const auto reader = a.e->read_now().value();
    CHECK(failed_with(reader->record("table", key(1)), errc::quarantined));
    CHECK(a.number_in(reader->record("table", key(0)).value()) == 20);
    CHECK(failed_with(reader->digest(), errc::quarantined));
    CHECK(failed_with(reader->for_each("table", {}, [](auto, auto) { return true; }),
                      errc::quarantined));
    CHECK(reader->for_each("table", key(2), [](auto, auto) { return true; }));
  }
  changeset_writer touch;
  touch.add("table", key(1), {cell_action::create, 1, {}, {}, {}});
  CHECK(failed_with(a.e->commit(touch), errc::quarantined));
  a.set(key(2), 5).value();
  CHECK(a.e->status().damaged >= 1);
  CHECK(a.e->status().damaged_entries.at(0).when_ms == a.time.now);

  // A peer's change to it is kept in the log, and counts once the record is back.
  b.set(key(1), 1234).value();
  b.set(key(3), 1).value();
  CHECK(a.take(b.log()).value().integrated == 2);
  CHECK(a.get(key(3)) == 1);
  b.take(a.log(4)).value();
  const auto restart = GENERATE(0, 1, 2);
  if (restart == 1) a.crash();
  if (restart == 2) {
    a.e->checkpoint().value();
    a.crash();
  }
  CHECK(failed_with(a.e->record("table", key(1)), errc::quarantined));
  CHECK(fetch(a, b));
  CHECK(a.get(key(1)) == 1234);
  while (!a.e->scrub(1000).value()) {}
  fetch(a, b);  // the changeset, if only the scrub has met it
  CHECK(a.e->status().damaged == 0);
  CHECK(entries_of(a, area::quarantine) == 0);
  CHECK(a.digest() == b.digest());
  CHECK(content_of_log(a) == content_of_log(b));
  a.crash();
  CHECK(a.digest() == b.digest());
}

TEST_CASE("a record is taken back only from a state that fits, and from sound bytes") {
  cold_peer a{1}, b{2, 0};
  b.take(a.log()).value();
  flip(a.disk, area::records, record_key(a, key(1)));
  flip_log(a, 3);
  CHECK(failed_with(a.e->record("table", key(1)), errc::quarantined));
  const wanted what{{}, 0, "table", key(1)};
  SECTION("a peer that is ahead") {
    b.set("elsewhere", 1).value();
    CHECK_FALSE(a.e->take_back(what, *b.e->give(what).value()).value());
  }
  SECTION("a peer that lacks something, while the log cannot be read") {
    a.set(key(2), 5).value();
    CHECK_FALSE(a.e->take_back(what, *b.e->give(what).value()).value());
  }
  SECTION("bytes that are no record") {
    const auto data = *b.e->give(what).value();
    for (const auto& bad : {bytes{}, bytes{"\xFF"}, data.substr(0, 5), data + '\1', '\0' + data})
      CHECK(failed_with(a.e->take_back(what, bad), errc::malformed));
  }
  SECTION("what was not missing") {
    const wanted other{{}, 0, "table", key(2)};
    CHECK_FALSE(a.e->take_back(other, *b.e->give(other).value()).value());
  }
  CHECK(failed_with(a.e->record("table", key(1)), errc::quarantined));
}

TEST_CASE("a damaged changeset below the mark only keeps the log from being served") {
  cold_peer a{1}, b{2, 0}, c{3, 0};
  b.take(a.log()).value();
  const auto digest = a.digest();
  flip_log(a, 5);
  CHECK(a.digest() == digest);
  std::size_t served = 0;
  const auto read = a.e->read_log(1, [&](auto...) { return ++served > 0; });
  CHECK(failed_with(read, errc::gap));
  CHECK(served == 4);
  CHECK(a.e->read_log(6, [](auto...) { return true; }));
  CHECK(a.e->status().damaged == 1);
  CHECK(a.e->status().damaged_entries.at(0).place == "log position 5");
  a.set("more", 1).value();

  SECTION("bytes that its chain does not prove are not taken") {
    const auto want = a.e->list_wanted().value();
    REQUIRE(want.size() == 1);
    CHECK(want[0].seq == 5);
    CHECK_FALSE(a.e->take_back(want[0], b.log()[5]).value());
    CHECK(a.e->status().damaged == 1);
    CHECK(fetch(a, b));
  }
  SECTION("a peer gives it again") { CHECK(fetch(a, b)); }
  SECTION("it comes by itself, as a duplicate") { CHECK(a.take(b.log()).value().duplicates == 12); }
  CHECK(a.e->status().damaged == 0);
  CHECK(a.e->status().repaired == 1);
  c.take(a.log()).value();
  CHECK(c.digest() == a.digest());
}

TEST_CASE("opening stops at a damaged changeset above the mark, and goes on when it is back") {
  for (const int damaged : {1, 4, 12}) {
    for (const bool twice : {false, true}) {
      peer a{1}, b{2};
      for (int n = 0; n < 12; ++n) {
        a.set(key(n % 5), n + 1).value();
        if (n == 6) {
          b.take(a.log()).value();
          b.set("of b", 1).value();
          a.take(b.log()).value();
        }
      }
      b.take(a.log()).value();
      const auto digest = a.digest();
      const auto heads = a.e->heads();
      flip_log(a, static_cast<std::uint64_t>(damaged));
      if (twice) flip_log(a, 8);
      a.crash();
      CAPTURE(damaged, twice);
      const auto status = a.e->status();
      CHECK(status.stopped_at == static_cast<std::uint64_t>(std::min(damaged, twice ? 8 : 99)));
      CHECK(status.damaged == 1);
      // What peers were told holds; nothing is written; reading shows the state before it.
      auto now = a.e->heads();
      REQUIRE(now.size() == heads.size());
      for (const auto& h : heads) CHECK(std::find(now.begin(), now.end(), h) != now.end());
      CHECK(failed_with(a.set("new", 1), errc::quarantined));
      CHECK(failed_with(a.take(b.log()), errc::quarantined));
      CHECK(failed_with(a.e->digest(), errc::quarantined));
      CHECK(failed_with(a.e->checkpoint(), errc::quarantined));
      a.e->tend().value();
      a.e->flush().value();
      CHECK(a.get(key((damaged + 3) % 5)) <= damaged);
      a.crash();  // it is not forgotten
      while (a.e->status().stopped_at) REQUIRE(fetch(a, b));
      CHECK(a.e->status().damaged == 0);
      CHECK(a.digest() == digest);
      a.set("new", 1).value();
      b.take(a.log()).value();
      CHECK(b.digest() == a.digest());
      a.crash();
      CHECK(b.digest() == a.digest());
    }
  }
}

TEST_CASE("what fails while a log that was mended is read on costs nothing of it") {
  for (std::uint64_t n = 1; n <= 8; ++n) {
    peer a{1}, b{2};
    for (int i = 0; i < 300; ++i) a.set(key(i % 5), i + 1).value();  // more than one batch
    b.take(a.log()).value();
    flip_log(a, 2);
    a.crash();
    REQUIRE(a.e->status().stopped_at);
    const auto what = a.e->list_wanted().value().front();
    const auto given = b.e->give(what).value();
    a.disk.fail_nth(memory_operation::read, n, errc::io);
    static_cast<void>(a.e->take_back(what, *given).has_value());
    a.disk.clear_faults();
    CAPTURE(n);
    static_cast<void>(a.set("new", 1).has_value());
    for (int i = 0; i < 2; ++i) static_cast<void>(fetch(a, b));
    a.e->tend().value();
    CHECK_FALSE(a.e->status().stopped_at);
    a.set("newer", 1).value();
    b.take(a.log()).value();
    CHECK(b.digest() == a.digest());
    a.crash();
    CHECK(b.digest() == a.digest());
  }
}

TEST_CASE("mending survives a crash at each of its steps") {
  for (std::uint64_t n = 1; n <= 8; ++n) {
    for (const auto operation :
         {memory_operation::put, memory_operation::erase, memory_operation::commit}) {
      cold_peer a{1}, b{2, 0};
      b.take(a.log()).value();
      const auto digest = b.digest();
      flip(a.disk, area::records, record_key(a, key(1)));
      if (n % 2 == 0) flip_log(a, 3);
      a.disk.fail_nth(operation, n, n % 3 == 0 ? errc::full : errc::io, n % 3 == 1);
      static_cast<void>(a.e->record("table", key(1)).has_value());
      static_cast<void>(a.e->scrub(1000).has_value());
      a.crash();
      CAPTURE(n, static_cast<int>(operation));
      static_cast<void>(a.e->record("table", key(1)).has_value());
      while (!a.e->scrub(5).value()) {}
      for (int round = 0; round < 2; ++round) fetch(a, b);
      CHECK(a.get(key(1)) == 21);
      CHECK(a.digest() == digest);
      CHECK(content_of_log(a) == content_of_log(b));
      CHECK(a.e->status().damaged == 0);
    }
  }
}

TEST_CASE("the scrub finds what nobody reads, in bounded steps, and memory mends the snapshot") {
  peer a{1};
  for (int n = 0; n < 6; ++n) a.set(key(n), n + 1).value();
  a.e->checkpoint().value();
  flip(a.disk, area::records, record_key(a, key(3)));
  flip(a.disk, area::dots, history::dot_key({0, 2}));
  a.options.scrub_every_ms = 500;
  std::size_t steps = 0;
  while (!a.e->scrub(4).value()) ++steps;
  CHECK(steps > 3);
  CHECK(a.e->status().repaired == 1);  // the record was in memory
  REQUIRE(a.e->status().damaged == 1);
  CHECK(a.e->status().damaged_entries.at(0).place.find("dots") == 0);
  a.crash();
  CHECK(a.get(key(3)) == 4);
  CHECK(a.e->status().repaired == 0);
  // tend does the same, when it is time.
  flip_log(a, 2);
  a.time.now = a.options.scrub_every_ms;
  a.options.scrub_step_entries = 5;
  a.reopen();
  CHECK(a.e->status().stopped_at == std::nullopt);
  for (int n = 0; n < 20 && a.e->status().last_scrub_ms == 0; ++n) a.e->tend().value();
  CHECK(a.e->status().damaged >= 1);
}

TEST_CASE("the origins before a log that begins late are what they were") {
  // The last entries of a log alone, against what the replica was before them.
  peer a{1}, b{2}, c{3};
  for (int n = 1; n <= 12; ++n) {
    for (auto* p : {&a, &b, &c}) {
      p->set(key(n % 3), n).value();
      if (n % 2 == 0) a.take(p->log()).value();
      if (n % 3 == 0) p->take(a.log()).value();
    }
  }
  for (auto* p : {&b, &c}) a.take(p->log()).value();
  const auto log = a.log();
  for (std::size_t kept = 0; kept <= log.size(); kept += 5) {
    // A replica that has the first entries, and one that has all, and only the last in its log.
    detail::replica_state early, late;
    memory_storage disk;
    early.space = late.space = a.e->space();
    const auto fold = [](detail::replica_state& s, const bytes& data, std::uint64_t position) {
      const auto parsed = codec::decode_changeset(data).value();
      for (const auto& seen : parsed.seen) s.index_of(seen.replica);
      const causal::dot at{s.index_of(parsed.origin), parsed.seq};
      s.advance(s.origins[at.replica], at, parsed, {});
      s.seen.raise(at);
      s.last_position = position;
    };
    for (std::size_t n = 0; n < log.size(); ++n) {
      if (n < log.size() - kept) fold(early, log[n], n + 1);
      fold(late, log[n], n + 1);
      if (n < log.size() - kept) continue;
      disk.write([&](auto& w) -> result<> {
            const bytes_view data{log[n]};
            history::put_entry(w, n + 1, {&data, 1});
            return {};
          })
          .value();
    }
    const auto found = detail::origins_before(disk, late).value();
    for (causal::replica_index r = 0; r < early.origins.size(); ++r) {
      CAPTURE(kept, r);
      CHECK(found[r].seq == early.origins[r].seq);
      CHECK(found[r].seen == early.origins[r].seen);
    }
  }
}

namespace {

/// All changesets of `from` in one write, so that they stand in one entry of the log.
void take_at_once(peer& p, peer& from) {
  CHECK(p.take(from.log()).value().integrated == from.log().size());
  CHECK(entries_of(p, area::log) == 1);
}

}  // namespace

TEST_CASE("an entry of many changesets comes back one by one, and only as a whole") {
  cold_peer b{2, 5};
  const auto packed = GENERATE(false, true);
  const auto above = GENERATE(false, true);
  CAPTURE(packed, above);
  peer a{1};
  a.disk.pack_log(packed);
  take_at_once(a, b);
  if (!above) a.e->checkpoint().value();
  const auto sound = a.content();
  flip_log(a, 1);
  a.crash();
  CHECK(a.e->status().stopped_at.has_value() == above);
  CHECK(failed_with(a.e->read_log(7, [](auto...) { return true; }), errc::gap));
  CHECK(a.e->status().damaged == 1);
  const auto all = a.e->list_wanted().value();
  REQUIRE(all.size() == 10);
  // One of them is another changeset: the chain at the end does not prove them, none is kept.
  for (const auto& what : all)
    CHECK_FALSE(a.e->take_back(what, what.seq == 4 ? "other" : *b.e->give(what).value()).value());
  CHECK(a.e->list_wanted().value() == all);
  for (const auto& what : all) {
    CHECK(a.e->status().damaged == 1);
    const bool last = what == all.back();
    CHECK(a.e->take_back(what, *b.e->give(what).value()).value() == last);
    if (!last) CHECK(a.e->list_wanted().value().front().seq == what.seq + 1);
  }
  CHECK(a.e->status().damaged == 0);
  CHECK_FALSE(a.e->status().stopped_at);
  CHECK(a.digest() == b.digest());
  CHECK(a.content() == sound);
  a.crash();
  CHECK(a.log() == b.log());
}

TEST_CASE("what cannot be proven, for want of the dots before it, is not put back with the rest") {
  peer a{1}, b{2}, c{3};
  b.set("b", 1).value();
  a.take(b.log()).value();
  b.set("b", 2).value();
  c.set("c", 1).value();
  a.take(batch{b.log(2)[0], c.log()[0]}).value();
  a.set("later", 1).value();
  flip_log(a, 2);
  flip(a.disk, area::dots, history::dot_key({*a.e->replicas().find(b.id()), 1}));
  while (!a.e->scrub(100).value()) {}
  const auto all = a.e->list_wanted().value();
  REQUIRE(all.size() == 2);
  CHECK(failed_with(a.e->take_back(all[0], "made up"), errc::checksum));
  CHECK_FALSE(a.e->take_back(all[1], c.log()[0]).value());
  CHECK(failed_with(a.e->read_log(2, [](auto...) { return true; }), errc::gap));
}

TEST_CASE("duplicates of a damaged entry bring it back, and another changeset is still a fork") {
  cold_peer b{2, 5};
  peer a{1};
  take_at_once(a, b);
  flip_log(a, 1);
  const auto log = b.log();
  CHECK(a.take(batch(log.begin(), log.begin() + 4)).value().duplicates == 4);
  CHECK(a.e->status().damaged == 1);
  CHECK(a.take(log).value().duplicates == 10);
  CHECK(a.e->status().damaged == 0);
  CHECK(a.log() == log);
  auto other = log[9];
  other.back() = static_cast<char>(other.back() ^ 1);
  CHECK(failed_with(a.take(other), errc::fork));
}

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
