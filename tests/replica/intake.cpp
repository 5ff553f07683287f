// What a replica does with changesets: all of a batch or nothing, each once, each in its turn.
#include <catch2/catch.hpp>

#include "tests/replica/peer.hpp"

using namespace replica_tests;

TEST_CASE("a commit that fails at any point changes neither memory nor storage") {
  for (const auto code : {errc::full, errc::io}) {
    for (std::uint64_t n = 1;; ++n) {
      peer a{1};
      a.set("one", 1).value();
      const auto before = a.content();
      const auto digest = a.digest();
      const auto names = a.e->names().size();
      a.disk.fail_nth(memory_operation::put, n, code);
      const auto done = a.set("two", 2, "a new field");
      a.disk.clear_faults();
      if (done) {
        CHECK(n > 2);
        break;
      }
      CAPTURE(n);
      CHECK(done.error().code == code);
      CHECK(a.content() == before);
      CHECK(a.digest() == digest);
      CHECK(a.e->log_size() == 1);
      CHECK(a.e->names().size() == names);
      CHECK(a.set("two", 3, "another new field").value()->seq == 2);
      const auto after = a.digest();
      a.reopen();
      CHECK(a.digest() == after);
      CHECK(a.get("two", "another new field") == 3);
      CHECK(a.get("two", "a new field") == 0);
    }
  }
}

TEST_CASE("a commit that the device refuses leaves the replica usable when there is room again") {
  peer a{1};
  a.set("one", 1).value();
  const auto before = a.content();
  a.disk.fail_nth(memory_operation::commit, 1, errc::full);
  CHECK(failed_with(a.set("one", 2), errc::full));
  CHECK(a.content() == before);
  CHECK(a.get("one") == 1);
  CHECK(a.set("one", 3).value()->seq == 2);
  CHECK(a.get("one") == 3);
}

TEST_CASE("a sequence number is not used again when a commit failed and landed all the same") {
  for (const bool lands : {false, true}) {
    peer a{1};
    peer b{2};
    a.set("one", 1).value();
    a.disk.fail_nth(memory_operation::commit, 1, errc::io, lands);
    CHECK(failed_with(a.set("one", 2), errc::io));
    CHECK(failed_with(a.set("one", 3), errc::poisoned));
    CHECK(a.e->log_size() == 1);
    CHECK(a.e->heads().front().seq == 1);
    a.crash();
    CHECK(a.get("one") == (lands ? 2 : 1));
    CHECK(a.set("one", 4).value()->seq == (lands ? 3u : 2u));
    b.take(a.log()).value();
    CHECK(b.digest() == a.digest());
  }
}

TEST_CASE("a batch that fails at any point is taken in by nothing, held ones included") {
  peer source{1};
  peer other{2};
  source.set("one", 1).value();
  other.take(source.log()).value();
  other.set("two", 2, "second field").value();
  other.set("three", 3, "third field").value();
  source.take(other.log()).value();
  source.set("four", 4, "fourth field").value();
  auto log = source.log();
  REQUIRE(log.size() == 4);
  const auto late = log[1];
  for (const auto operation :
       {memory_operation::put, memory_operation::erase, memory_operation::commit}) {
    for (std::uint64_t n = 1;; ++n) {
      peer b{3};
      b.take(log[2]).value();  // held: its predecessor is missing
      REQUIRE(b.e->status().held == 1);
      const auto before = b.content();
      const auto digest = b.digest();
      const auto roster = b.e->replicas().size();
      b.disk.fail_nth(operation, n, errc::full);
      const auto done = b.take({log[0], log[3], late});
      b.disk.clear_faults();
      if (done) {
        CHECK(n > 1);
        CHECK(done->integrated == 4);
        CHECK(b.e->status().held == 0);
        break;
      }
      CAPTURE(n);
      CHECK(b.content() == before);
      CHECK(b.digest() == digest);
      CHECK(b.e->replicas().size() == roster);
      CHECK(b.e->status().held == 1);
      CHECK(b.take(log).value().integrated == 4);
      CHECK(b.digest() == source.digest());
      b.reopen();
      CHECK(b.digest() == source.digest());
      CHECK(b.e->status().held == 0);
    }
  }
}

TEST_CASE("indexes of ids and names that a failed batch gave out are given out again") {
  peer x{1};
  peer y{2};
  x.set("k", 1, "of x").value();
  y.set("k", 2, "of y").value();
  peer b{3};
  b.disk.fail_nth(memory_operation::commit, 1, errc::full);
  CHECK_FALSE(b.take(x.log()));
  b.take(y.log()).value();
  CHECK(b.get("k", "of y") == 2);
  CHECK(b.get("k", "of x") == 0);
  b.reopen();
  CHECK(b.get("k", "of y") == 2);
  b.take(x.log()).value();
  b.reopen();
  CHECK(b.get("k", "of x") == 1);
  y.take(x.log()).value();
  CHECK(b.digest() == y.digest());
}

TEST_CASE("a body that the storage runs twice has the effect of one run") {
  peer a{1};
  peer b{2};
  a.set("k", 1).value();
  b.disk.rerun_next_write();
  b.take(a.log()).value();
  b.disk.rerun_next_write();
  b.set("k", 2).value();
  b.disk.rerun_next_write();
  b.e->checkpoint().value();
  const auto digest = b.digest();
  b.reopen();
  CHECK(b.digest() == digest);
  CHECK(b.log().size() == 2);
}

TEST_CASE("duplicates are dropped, across batches and within one") {
  peer a{1};
  peer b{2};
  for (int i = 1; i <= 3; ++i) a.set("k", i).value();
  const auto log = a.log();
  const auto report = b.take({log[0], log[0], log[1], log[0], log[2], log[2]}).value();
  CHECK(report.integrated == 3);
  CHECK(report.duplicates == 3);
  CHECK(b.take(log).value().duplicates == 3);
  CHECK(b.digest() == a.digest());
  CHECK(b.e->log_size() == 3);
}

TEST_CASE("changesets in any order are held until their turn, over a restart too") {
  peer a{1};
  peer b{2};
  for (int i = 1; i <= 4; ++i) a.set("k", i).value();
  const auto log = a.log();
  CHECK(b.take({log[3], log[1]}).value().held == 2);
  CHECK(b.get("k") == 0);
  CHECK(b.log().empty());
  CHECK(b.e->heads().empty());
  b.crash();
  CHECK(b.e->status().held == 2);
  CHECK(b.take(log[0]).value().integrated == 2);
  CHECK(b.get("k") == 2);
  b.crash();
  CHECK(b.e->status().held == 1);
  CHECK(b.take(log[2]).value().integrated == 2);
  CHECK(b.e->status().held == 0);
  b.crash();
  CHECK(b.e->status().held == 0);
  CHECK(b.digest() == a.digest());
}

TEST_CASE("a held changeset that comes again with its predecessors leaves nothing held behind") {
  peer a{1};
  peer b{2};
  for (int i = 1; i <= 3; ++i) a.set("k", i).value();
  const auto log = a.log();
  b.take(log[2]).value();
  b.take(log).value();
  CHECK(b.e->status().held == 0);
  b.reopen();
  CHECK(b.e->status().held == 0);

  peer c{3};
  const auto report = c.take({log[2], log[0], log[1], log[2]}).value();
  CHECK(report.integrated == 3);
  CHECK(report.held == 0);
  c.reopen();
  CHECK(c.e->status().held == 0);
  CHECK(c.digest() == a.digest());
}

TEST_CASE("what is only held leaves no trace in the roster") {
  peer b{1};
  const auto roster = b.e->replicas().size();
  b.take(forged{.origin = some_id(5), .seq = 9, .seen = {{some_id(6), 1}}}.make()).value();
  b.take(forged{.origin = some_id(7), .seq = 1, .seen = {{some_id(8), 1}}}.make()).value();
  CHECK(b.e->status().held == 2);
  CHECK(b.e->replicas().size() == roster);
}

TEST_CASE("two changesets under one dot are a fork wherever they meet") {
  const forged first{.origin = some_id(5), .seq = 2, .value = 1};
  auto second = first;
  second.value = 2;
  const forged predecessor{.origin = some_id(5), .time = first.time - 1};
  const auto never = [](peer& b, const batch& changesets) {
    const auto before = b.content();
    CHECK(failed_with(b.take(changesets), errc::fork));
    CHECK(b.content() == before);
  };
  SECTION("in one batch, in order") {
    peer b{1};
    never(b, {predecessor.make(), first.make(), second.make()});
  }
  SECTION("in one batch, too early") {
    peer b{1};
    never(b, {first.make(), second.make()});
  }
  SECTION("the log has the other: both are kept as evidence") {
    peer b{1};
    b.take({predecessor.make(), first.make()}).value();
    const auto before = b.digest();
    CHECK(failed_with(b.take(batch{second.make()}), errc::fork));
    CHECK(b.digest() == before);
    never(b, {second.make()});  // it is known by now
    b.reopen();
    const auto forks = b.e->status().forks;
    REQUIRE(forks.size() == 1);
    CHECK(forks[0].origin == first.origin);
    CHECK(forks[0].seq == 2);
    CHECK(forks[0].ours == crypto::hasher{}.add(first.make()).finish());
    CHECK(forks[0].theirs == crypto::hasher{}.add(second.make()).finish());
    CHECK(b.content().find(to_hex(second.make())) != std::string::npos);
  }
  SECTION("the other is held, and this one too early as well: it is left out") {
    peer b{1};
    b.take(first.make()).value();
    const auto before = b.content();
    CHECK(b.take(second.make()).value().dropped == 1);
    CHECK(b.content() == before);
  }
  SECTION("the other comes early in the same batch") {
    peer b{1};
    never(b, {first.make(), predecessor.make(), second.make()});
  }
}

TEST_CASE("what waits stands not in the way of another changeset of its dot whose turn has come") {
  forged held{.origin = some_id(5), .seq = 2, .time = causal::hlc_from_ms(2'000'000)};
  const forged predecessor{.origin = some_id(5), .time = held.time - 1};
  auto other = held;
  other.value = 2;
  peer b{1};
  b.take(held.make()).value();
  b.reopen();
  const auto report = b.take({predecessor.make(), other.make()}).value();
  CHECK(report.integrated == 2);
  CHECK(b.e->status().held == 0);
  b.reopen();
  CHECK(b.e->status().held == 0);
  const auto forks = b.e->status().forks;
  REQUIRE(forks.size() == 1);
  CHECK(forks[0].ours == crypto::hasher{}.add(other.make()).finish());
  CHECK(forks[0].theirs == crypto::hasher{}.add(held.make()).finish());
}

TEST_CASE(
    "a replica put back from an older image is a fork, told by its own and by others' changesets") {
  peer a{1};
  peer b{2};
  a.set("k", 1).value();
  const auto backup = a.disk.clone();
  a.set("k", 2).value();
  b.take(a.log()).value();
  b.set("k", 3).value();
  const auto log = b.log();
  a.e.reset();
  a.disk.put_back(backup);
  a.open().value();
  const auto before = a.content();
  CHECK(failed_with(a.take(log), errc::fork));
  CHECK(
      failed_with(a.take(log[2]), errc::fork));  // it saw a changeset that this replica never made
  CHECK(a.content() == before);
}

TEST_CASE("a held changeset that turns out to be at fault stands in nobody's way") {
  peer b{1};
  const forged good{.origin = some_id(5), .seq = 1};
  forged bad{.origin = some_id(5), .seq = 2};  // stamped below its predecessor
  bad.time = 1;
  b.take(bad.make()).value();
  CHECK(b.e->status().held == 1);
  const auto report = b.take(good.make()).value();
  CHECK(report.integrated == 1);
  CHECK(report.dropped == 1);
  CHECK(b.e->status().held == 0);
  forged next{.origin = some_id(5), .seq = 2, .value = 8};
  next.time = good.time + 1;
  CHECK(b.take(next.make()).value().integrated == 1);
  CHECK(b.get("forged") == 8);
  b.reopen();
  CHECK(b.e->status().held == 0);
  // In the batch that it came with, it is an error of that batch.
  peer c{2};
  const auto before = c.content();
  CHECK(failed_with(c.take({bad.make(), good.make()}), errc::malformed));
  CHECK(c.content() == before);
}

TEST_CASE("what may wait is bounded in bytes and in number") {
  for (const bool by_number : {false, true}) {
    peer b{1};
    if (by_number)
      b.options.max_held_changesets = 3;
    else
      b.options.max_held_bytes = 300;
    b.reopen();
    result<ingest_report> last = ingest_report{};
    std::uint64_t seq = 2;
    for (; last && seq < 100; ++seq) last = b.take(forged{.origin = some_id(5), .seq = seq}.make());
    CHECK(failed_with(last, errc::flooded));
    const auto held = b.e->status().held;
    CHECK(held >= 2);
    CHECK(held <= 4);
    b.reopen();
    CHECK(b.e->status().held == held);
    CHECK(failed_with(b.take(forged{.origin = some_id(6), .seq = seq}.make()), errc::flooded));
    CHECK(b.take(forged{.origin = some_id(6)}.make()).value().integrated == 1);
  }
}

TEST_CASE("a stamp from the far future is held until its time is near") {
  peer b{1};
  b.options.max_clock_drift_ms = 1000;
  b.reopen();
  const forged far{.origin = some_id(5), .time = causal::hlc_from_ms(b.time.now + 1'000'000)};
  CHECK(b.take(far.make()).value().held == 1);
  const forged next{.origin = some_id(5), .seq = 2, .time = far.time + 1, .value = 8};
  CHECK(b.take(next.make()).value().held == 1);
  CHECK(b.get("forged") == 0);
  b.set("k", 1).value();
  CHECK(b.e->next_own_stamp().second < far.time);
  b.crash();
  b.time.now += 998'000;
  b.e->tend().value();
  CHECK(b.e->status().held == 2);
  b.time.now += 1'100;
  b.e->tend().value();
  CHECK(b.e->status().held == 0);
  CHECK(b.get("forged") == 8);
  CHECK(b.e->next_own_stamp().second > next.time);
}

TEST_CASE("a limit on clock drift that is no limit holds nothing") {
  peer b{1};
  b.options.max_clock_drift_ms = ~std::uint64_t{0};
  b.reopen();
  CHECK(b.take(forged{.origin = some_id(5), .time = causal::hlc_from_ms(1ull << 47)}.make())
            .value()
            .integrated == 1);
}

TEST_CASE("a changeset without operations counts like any other") {
  peer a{1};
  peer b{2};
  const auto empty = changeset_writer{}.encode(some_id(5), 1, 1, {});
  a.take(empty).value();
  a.set("k", 1).value();
  CHECK(a.e->log_size() == 2);
  b.take(a.log()[1]).value();
  CHECK(b.get("k") == 0);  // it saw the empty one
  CHECK(b.take(empty).value().integrated == 2);
  CHECK(b.digest() == a.digest());
  a.e->checkpoint().value();
  a.reopen();
  CHECK(a.digest() == b.digest());
  a.set("k", 2).value();
  CHECK(b.take(a.log()).value().integrated == 1);
}

TEST_CASE("a batch with one changeset that is no changeset is refused as a whole") {
  peer a{1};
  peer b{2};
  a.set("k", 1).value();
  const auto before = b.content();
  CHECK(failed_with(b.take({a.log()[0], "rubbish"}), errc::malformed));
  CHECK(b.content() == before);
  CHECK(b.get("k") == 0);
}

TEST_CASE("a transaction above the limit on its size is refused and leaves nothing") {
  peer a{1};
  a.options.max_changeset_bytes = 100;
  a.reopen();
  const auto before = a.content();
  CHECK(failed_with(a.set(std::string(200, 'k'), 1), errc::too_large));
  CHECK(a.content() == before);
  CHECK(a.set("k", 1).value()->seq == 1);
}

TEST_CASE("a stamp is above all that was seen, after a restart with a clock set back too") {
  peer a{1};
  peer b{2};
  b.time.now += 500'000;
  b.set("k", 1).value();
  a.take(b.log()).value();
  const auto above = a.e->next_own_stamp().second;
  CHECK(above > causal::hlc_from_ms(b.time.now));
  SECTION("from the log") { a.reopen(); }
  SECTION("from the snapshot") {
    a.e->checkpoint().value();
    a.reopen();
  }
  a.time.now = 5;
  CHECK(a.e->next_own_stamp().second == above);
  a.set("k", 2).value();
  a.time.now = 4;
  CHECK(a.e->next_own_stamp().second == above + 1);
  a.set("k", 3).value();
  CHECK(b.take(a.log()).value().integrated == 2);
  CHECK(b.get("k") == 3);
}

TEST_CASE("a kind of a newer joinery is refused as unsupported, and what came before it stays") {
  peer a{1};
  const auto before = forged{some_id(9)}.make();
  changeset_writer w;
  w.add("table", "k", {cell_action::update, 1, "f", crdt::shape::from_code(11), "a new delta"});
  const auto newer = w.encode(some_id(9), 2, causal::hlc_from_ms(1'000'001), {});
  a.take(before).value();
  const auto content = a.content();
  const auto refused = a.take(newer);
  CHECK(failed_with(refused, errc::unsupported));
  CHECK(refused.error().what == "a changeset with a field of kind 11");
  CHECK(refused.error().advice.find("update") != std::string::npos);
  CHECK(a.content() == content);
  CHECK(failed_with(a.take(batch{newer, before}), errc::unsupported));
  CHECK(a.e->log_size() == 1);
}
