// Snapshots when storages fail and peers lie.
#include <catch2/catch.hpp>

#include "tests/sync/meeting.hpp"

using namespace sync_tests;
using joinery::detail::begin_chunk;
using joinery::detail::chunk_kind;
using joinery::detail::chunk_of;
using replica_tests::durability;
using replica_tests::failed_with;
using replica_tests::memory_operation;
using sync::session_state;

namespace {

// A server whose log begins at 31, and the state that a peer of it must come to, together with
// three changes of its own.
struct world {
  peer a{1};
  std::string expected;
  bytes own;

  world() {
    for (int n = 0; n < 30; ++n) a.set("k" + std::to_string(n % 12), n).value();
    a.erase("k3").value();
    forget_log(a);
    a.set("later", 1).value();
  }
};

void work_alone(peer& b) {
  b.set("k1", 100).value();
  b.set("k3", 300).value();
  b.set("mine", 1).value();
}

std::string run_to_end(peer& a, peer& b) {
  meeting m{a, b, small_once()};
  m.run();
  return m.outcome();
}

}  // namespace

TEST_CASE("a crash at any operation of a storage leaves a peer that the next session completes") {
  std::string expected;
  for (const auto operation :
       {memory_operation::put, memory_operation::erase, memory_operation::commit,
        memory_operation::sync, memory_operation::read}) {
    for (const bool interval : {false, true}) {
      for (std::uint64_t nth = 1;; nth += nth > 40 ? 7 : 1) {
        CAPTURE(static_cast<int>(operation), interval, nth);
        world w;
        peer b{2, interval ? durability::interval : durability::commit};
        b.options.snapshot_step_records = 2;
        b.reopen();
        work_alone(b);
        b.e->flush().value();
        b.disk.fail_nth(operation, nth, errc::io, nth % 2 == 0);
        run_to_end(w.a, b);
        for (int n = 0; n < 20; ++n) static_cast<void>(b.e->tend());
        const bool reached = !b.e->flush() || !b.e->tend();
        b.crash(nth % 3);
        const auto outcome = run_to_end(w.a, b);
        INFO(outcome);
        REQUIRE(outcome == "finished / finished");
        REQUIRE(w.a.digest() == b.digest());
        if (expected.empty()) expected = std::to_string(b.get("k1")) + std::to_string(b.get("k3"));
        REQUIRE(expected == std::to_string(b.get("k1")) + std::to_string(b.get("k3")));
        b.crash();
        for (int n = 0; n < 20; ++n) b.e->tend().value();
        REQUIRE(w.a.digest() == b.digest());
        if (!reached) break;  // so many operations there are not
      }
    }
  }
}

TEST_CASE("a device that fills up while a snapshot comes in costs only the session") {
  world w;
  peer b{2};
  work_alone(b);
  const auto before = b.digest();
  b.disk.fail_nth(memory_operation::put, 9, errc::full);
  run_to_end(w.a, b);
  CHECK(b.e->status().blocked);
  CHECK(b.digest() == before);
  b.disk.clear_faults();
  CHECK(run_to_end(w.a, b) == "finished / finished");
  CHECK(w.a.digest() == b.digest());
}

TEST_CASE("a snapshot above what may be staged is refused and dropped") {
  world w;
  peer b{2};
  b.options.max_staged_bytes = 300;
  b.reopen();
  const auto before = b.digest();
  meeting m{w.a, b, small_once()};
  m.run();
  REQUIRE(m.b.failure());
  CHECK(m.b.failure()->code == errc::too_large);
  CHECK(b.digest() == before);
  b.e->tend().value();
  b.options.max_staged_bytes = 1u << 20;
  b.reopen();
  CHECK(run_to_end(w.a, b) == "finished / finished");
}

TEST_CASE(
    "chunks that are damaged anywhere give an error, and never more than a dropped snapshot") {
  world w;
  w.a.e->checkpoint().value();
  const auto request = joinery::detail::write_request({});
  auto serving = w.a.e->serve_snapshot(request, 400).value();
  std::vector<bytes> chunks;
  while (auto next = w.a.e->next_chunk(serving, 400).value()) chunks.push_back(std::move(*next));
  chunks.push_back(chunk_of(chunk_kind::end));
  REQUIRE(chunks.size() > 5);

  peer b{2};
  work_alone(b);
  const auto before = b.digest();
  const auto session = std::make_shared<int>();
  // Undamaged up to a chunk, that one damaged, and the rest.
  const auto attempt = [&](std::size_t damaged, const bytes& instead) {
    const auto image = b.disk.clone();
    REQUIRE(b.e->request_snapshot(session).value());
    bool refused = false;
    for (std::size_t n = 0; n < chunks.size() && !refused; ++n)
      refused = !b.e->take_chunk(n == damaged ? instead : chunks[n]);
    if (refused) {
      REQUIRE(b.digest() == before);
      REQUIRE(b.get("mine") == 1);
    }
    b.e.reset();
    b.disk.put_back(image);
    b.open().value();
    return refused;
  };
  REQUIRE_FALSE(attempt(chunks.size(), {}));
  testing::prng dice{5};
  int refused = 0;
  for (std::size_t n = 0; n < chunks.size(); ++n) {
    CAPTURE(n);
    CHECK(attempt(n, {}));
    for (std::size_t cut = 0; cut < chunks[n].size(); cut += 1 + chunks[n].size() / 12)
      refused += attempt(n, chunks[n].substr(0, cut)) ? 1 : 0;
    for (int k = 0; k < 25; ++k) {
      auto bad = chunks[n];
      bad[dice.below(bad.size())] = static_cast<char>(dice.below(256));
      refused += attempt(n, bad) ? 1 : 0;
    }
  }
  CHECK(refused > 50);
  // In another order, or twice.
  for (std::size_t n = 1; n + 1 < chunks.size(); ++n) {
    std::swap(chunks[n], chunks[n + 1]);
    attempt(chunks.size(), {});
    std::swap(chunks[n], chunks[n + 1]);
  }
  CHECK(run_to_end(w.a, b) == "finished / finished");
  CHECK(w.a.digest() == b.digest());
}

TEST_CASE("what was not offered or asked for is refused") {
  peer a{1}, b{2};
  a.set("k", 1).value();
  CHECK_FALSE(b.e->take_chunk(chunk_of(chunk_kind::end)));
  CHECK_FALSE(b.e->take_chunk(begin_chunk(true)));
  CHECK_FALSE(b.e->take_chunk({}));
  const bytes no_changeset{"nothing"};
  const bytes_view view{no_changeset};
  CHECK(failed_with(b.e->take_tail({&view, 1}), errc::malformed));
  CHECK(failed_with(a.e->serve_snapshot("\xFF\xFF", 1000), errc::malformed));
  for (const auto type : {sync::message::snapshot_request, sync::message::snapshot_chunk}) {
    meeting m{a, b};
    m.run();
    bytes frame;
    codec::append_frame(frame, static_cast<std::uint8_t>(type),
                        sync::encode(sync::part{1, 0, bytes_view{"x"}}));
    CHECK(failed_with(m.a.receive(frame, 0), errc::protocol));
  }
}

TEST_CASE("a snapshot that knows more of its receiver than that itself is a fork") {
  world w;
  peer b{2};
  work_alone(b);
  const auto image = b.disk.clone();
  b.set("k2", 5).value();
  w.a.take(b.log()).value();
  forget_log(w.a);
  b.e.reset();
  b.disk.put_back(image);
  b.open().value();
  auto serving = w.a.e->serve_snapshot(joinery::detail::write_request({}), 400).value();
  REQUIRE(b.e->request_snapshot(std::make_shared<int>()).value());
  std::optional<error> refusal;
  while (!refusal) {
    auto next = w.a.e->next_chunk(serving, 400).value();
    REQUIRE(next);
    if (auto taken = b.e->take_chunk(*next); !taken) refusal = taken.error();
  }
  CHECK(refusal->code == errc::fork);
  CHECK(b.e->joins() == 0);
}

TEST_CASE("one snapshot at a time: another session waits, and is told to connect again") {
  world w;
  peer other{5}, b{2};
  meeting{w.a, other, small_once()}.run();
  forget_log(other);
  auto o = small_once();
  transport::pipe_options slow;
  slow.chunk = 20;
  meeting first{w.a, b, o, slow};
  first.a.wake(0);
  first.b.wake(0);
  // Until that is receiving one.
  while (b.e->request_snapshot(std::make_shared<int>()).value()) REQUIRE(first.wire.step(0));
  meeting second{other, b, o};
  second.run();
  CHECK(second.b.state() == session_state::streaming);
  first.wire.run(0);
  CHECK(first.outcome() == "finished / finished");
  CHECK(b.digest() == w.a.digest());
  second.run(2000);
  REQUIRE(second.b.failure());
  CHECK(second.b.failure()->code == errc::gap);
  CHECK(run_to_end(other, b) == "finished / finished");
}

TEST_CASE("a live session whose peer is passed by the floor is ended, and the next one serves it") {
  peer a{1}, b{2};
  a.options.retain_log_bytes = 0;
  a.reopen();
  a.set("k", 1).value();
  meeting m{a, b};
  m.run();
  REQUIRE(m.a.in_sync());
  m.wire.stall_to_b(true);
  for (int n = 0; n < 10; ++n) a.set("k", n).value();
  a.e->acknowledged(a.e->heads());
  a.e->checkpoint().value();
  REQUIRE(a.e->log_floor().position == 11);
  m.a.wake(1);
  REQUIRE(m.a.failure());
  CHECK(m.a.failure()->code == errc::gap);
  CHECK(run_to_end(a, b) == "finished / finished");
  CHECK(a.digest() == b.digest());
}

namespace {

/// What an honest server sends: chunks, and the tail after them.
struct transfer {
  world w;
  peer other{7};
  std::vector<bytes> chunks;  // up to the tail
  std::vector<bytes> tail;

  transfer() {
    w.a.e->checkpoint().value();
    const auto from = w.a.e->log_end();
    auto serving = w.a.e->serve_snapshot(joinery::detail::write_request({}), 400).value();
    while (auto next = w.a.e->next_chunk(serving, 400).value()) chunks.push_back(std::move(*next));
    // Meanwhile something is written by one that the base knows, and by one that it does not.
    w.a.set("k1", 1000).value();
    other.set("of another", 2000).value();
    w.a.take(other.log()).value();
    w.a.set("k2", 3000).value();
    tail = w.a.log(from);
  }
  [[nodiscard]] std::size_t first(chunk_kind kind) const {
    for (std::size_t n = 0; n < chunks.size(); ++n)
      if (chunks[n][0] == static_cast<char>(kind)) return n;
    FAIL("no such chunk");
    return 0;
  }
  /// The origins of the base.
  [[nodiscard]] std::size_t origins() const {
    std::size_t out = 0;
    const auto chunk = bytes_view{chunks[first(chunk_kind::origins)]}.substr(1);
    for (byte_reader in{chunk}; !in.at_end(); ++out) joinery::detail::read_base_origin(in);
    return out;
  }
};

result<> take_all(peer& b, const std::vector<bytes>& changesets) {
  const std::vector<bytes_view> views(changesets.begin(), changesets.end());
  return b.e->take_tail(views);
}

}  // namespace

TEST_CASE("a tail that cannot be stored leaves what was staged as it was, and is taken again") {
  const transfer t;
  const auto expected = transfer{}.w.a.digest();
  for (const auto what :
       {memory_operation::put, memory_operation::commit, memory_operation::read}) {
    for (std::uint64_t nth = 1, failed = 1; failed == 1; ++nth) {
      CAPTURE(static_cast<int>(what), nth);
      peer b{2};
      const auto before = b.digest();
      REQUIRE(b.e->request_snapshot(std::make_shared<int>()).value());
      for (const auto& c : t.chunks) b.e->take_chunk(c).value();
      b.disk.fail_nth(what, nth, errc::full);
      const auto taken = take_all(b, t.tail);
      failed = taken ? 0 : 1;
      b.disk.clear_faults();
      if (!taken) {
        REQUIRE(taken.error().code == errc::full);
        REQUIRE(b.e->joins() == 0);
        REQUIRE(b.digest() == before);
        take_all(b, t.tail).value();
      }
      b.e->take_chunk(chunk_of(chunk_kind::end)).value();
      REQUIRE(b.digest() == expected);
      b.crash();
      REQUIRE(b.digest() == expected);
    }
  }
}

TEST_CASE(
    "a snapshot that contradicts itself or its receiver is refused, and nothing of it stays") {
  const transfer t;
  const auto places = t.origins();
  peer b{2};
  work_alone(b);
  const auto before = b.digest();
  const auto up_to = [&](std::size_t end, bytes lie) {
    std::vector<bytes> out(t.chunks.begin(), t.chunks.begin() + static_cast<std::ptrdiff_t>(end));
    out.push_back(std::move(lie));
    return out;
  };
  const auto made = [](chunk_kind kind, auto&& write) {
    auto out = chunk_of(kind);
    byte_writer w{out};
    write(w);
    return out;
  };
  const auto records = t.first(chunk_kind::records), tail = t.first(chunk_kind::tail);
  // The first records, with other ids and another version before them.
  const auto above = [&](const std::vector<replica_id>& ids,
                         const std::vector<joinery::detail::place_seq>& at) {
    byte_reader in{bytes_view{t.chunks[records]}.substr(1)};
    REQUIRE(in.varint() == 0);
    joinery::detail::read_places(in, places);
    return made(chunk_kind::records, [&](byte_writer& w) {
      w.varint(ids.size());
      for (const auto& id : ids) w.raw(id.view());
      joinery::detail::write_places(w, at);
      w.raw(in.rest());
    });
  };
  const auto refused = [&](errc code, const char* why, const std::vector<bytes>& chunks,
                           const std::vector<bytes>& changesets = {}) {
    CAPTURE(why);
    REQUIRE(b.e->request_snapshot(std::make_shared<int>()).value());
    std::optional<error> said;
    for (std::size_t n = 0; n < chunks.size(); ++n) {
      if (auto taken = b.e->take_chunk(chunks[n]); !taken) {
        CHECK(n + 1 == chunks.size());
        said = taken.error();
      }
    }
    if (!changesets.empty())
      if (auto taken = take_all(b, changesets); !taken) said = taken.error();
    REQUIRE(said);
    CAPTURE(said->text());
    CHECK(said->code == code);
    CHECK(said->what.find(why) != std::string::npos);
    CHECK(b.digest() == before);
    CHECK(b.e->joins() == 0);
    b.reopen();
    CHECK(b.digest() == before);
  };
  const auto malformed = errc::malformed;
  refused(malformed, "cannot be read", up_to(t.first(chunk_kind::origins), "\1\1"));
  refused(malformed, "named twice",
          up_to(t.first(chunk_kind::origins) + 1, t.chunks[t.first(chunk_kind::origins)]));
  refused(malformed, "beyond its base",
          up_to(records, made(chunk_kind::versions, [](byte_writer& w) {
                  w.varint(0);
                  joinery::detail::write_places(w, {{0, 1'000'000}});
                })));
  refused(malformed, "versions that cannot be read",
          up_to(records, made(chunk_kind::versions, [](byte_writer& w) { w.varint(70'000); })));
  refused(malformed, "in the wrong place", up_to(records + 1, t.chunks[records - 1]));
  refused(malformed, "out of order", up_to(records + 1, t.chunks[records]));
  refused(malformed, "named twice", up_to(records, above({t.w.a.id()}, {})));
  refused(malformed, "below its base", up_to(records, above({}, {{0, 1}})));
  refused(errc::fork, "more of this replica", up_to(records, above({b.id()}, {{places, 1000}})));
  refused(malformed, "a tail in the wrong place", {chunk_of(chunk_kind::tail)});
  refused(malformed, "a tail in the wrong place", up_to(tail, chunk_of(chunk_kind::tail) + "x"));
  refused(malformed, "before all of it", up_to(tail, chunk_of(chunk_kind::end)));
  refused(malformed, "before all of it", up_to(tail + 1, chunk_of(chunk_kind::end) + "x"));
  {
    // Records that have seen more than the tail brings.
    auto early = up_to(records, above({}, {{0, 1000}}));
    early.push_back(chunk_of(chunk_kind::tail));
    early.push_back(chunk_of(chunk_kind::end));
    refused(malformed, "before all of it", early);
  }
  refused(malformed, "unknown kind", up_to(records, bytes(1, '\x09')));

  using replica_tests::forged;
  using replica_tests::some_id;
  const auto by = [&](const forged& f) { return std::vector<bytes>{f.make()}; };
  refused(malformed, "a hole", t.chunks, by({.origin = some_id(5), .seq = 2}));
  refused(malformed, "before what it has seen", t.chunks,
          by({.origin = some_id(5), .seen = {{some_id(6), 1}}}));
  refused(malformed, "before what it has seen", t.chunks,
          by({.origin = some_id(5), .seen = {{t.w.a.id(), 1000}}}));
  refused(malformed, "not above its origin's", t.chunks,
          by({.origin = t.w.a.id(), .seq = t.w.a.e->log_size() - 2, .time = 1}));
  refused(errc::clock_drift, "far in the future", t.chunks,
          by({.origin = some_id(5), .time = causal::hlc_from_ms(1ull << 46)}));
  auto own = b.log();
  own.push_back(forged{.origin = b.id(), .seq = 4, .time = causal::hlc_from_ms(1'000'001)}.make());
  refused(errc::fork, "more of this replica", t.chunks, own);

  transfer honest;
  CHECK(run_to_end(honest.w.a, b) == "finished / finished");
  CHECK(honest.w.a.digest() == b.digest());
  CHECK(b.get("mine") == 1);
}
