// Bit rot: found at every read, set aside, rebuilt from the log or taken back from a peer, and
// never taken for content or for absence.
#include <catch2/catch.hpp>

#include <set>

#include "tests/replica/damaged.hpp"

using namespace replica_tests;

namespace {

void flip_log(peer& p, std::uint64_t position) {
  flip(p.disk, area::log, history::position_key(position));
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
