// Snapshots, the log's floor and damage: what is missing is never taken for absent.
#include <catch2/catch.hpp>

#include "joinery/transport/pipe.hpp"
#include "tests/replica/circle.hpp"
#include "tests/replica/stored.hpp"
#include "tests/sync/meeting.hpp"

using namespace sync_tests;
using replica_tests::area;
using replica_tests::failed_with;
using replica_tests::flip;
using replica_tests::joining;
using transport::sync_once;

namespace {

/// Damages a stored record, and has that found.
void spoil(peer& p, std::string_view table, const std::string& key) {
  p.e->checkpoint().value();
  p.options.cache_bytes = 0;
  p.reopen();
  flip(p.disk, area::records, history::record_key(*p.e->names().find(table), key));
  CHECK(failed_with(p.e->record(table, key), errc::quarantined));
}

/// `b` joins a snapshot of `a` while one of its own records is missing.
void join_without_k3(peer& a, peer& b) {
  for (int n = 0; n < 30; ++n) a.set("k" + std::to_string(n), n + 1).value();
  b.take(a.log()).value();
  forget_log(b);
  a.set("k3", 100).value();
  a.set("k4", 100).value();
  spoil(b, "table", "k3");
  const std::shared_ptr<const void> session = std::make_shared<char>();
  const auto request = b.e->request_snapshot(session).value().value();
  auto serving = a.e->serve_snapshot(request, 400).value();
  while (const auto chunk = a.e->next_chunk(serving, 400).value()) b.e->take_chunk(*chunk).value();
  b.e->take_chunk(joinery::detail::chunk_of(joinery::detail::chunk_kind::end)).value();
  REQUIRE(b.e->joins() == 1);
}

}  // namespace

TEST_CASE("who lacks a record serves no snapshot without it") {
  peer a{1}, c{3};
  for (int n = 0; n < 30; ++n) a.set("k" + std::to_string(n), n + 1).value();
  forget_log(a);
  spoil(a, "table", "k3");
  CHECK(failed_with(sync_once(*a.e, *c.e), errc::quarantined));
  CHECK(c.e->seen().total() == 0);
}

TEST_CASE("a record that was missing before a join ends it no less, and comes whole from a peer") {
  peer a{1}, b{2};
  join_without_k3(a, b);
  SECTION("after the join has ended") {
    for (int n = 0; n < 100 && joining(b.disk); ++n) b.e->tend().value();
    CHECK_FALSE(joining(b.disk));
    sync_once(*a.e, *b.e).value();
    CHECK(b.get("k3") == 100);
  }
  SECTION("before it has, changed meanwhile: nothing old comes back") {
    const auto before = a.e->log_size();
    a.erase("k3").value();
    b.take(a.log(before + 1)).value();
    const auto wanted = b.e->list_wanted().value();
    REQUIRE(wanted.size() == 1);
    CHECK(b.e->take_back(wanted[0], a.e->give(wanted[0]).value().value()).value());
    for (int n = 0; n < 100 && joining(b.disk); ++n) b.e->tend().value();
    CHECK_FALSE(joining(b.disk));
    CHECK(b.get("k3") == 0);
  }
  CHECK(a.digest() == b.digest());
}

TEST_CASE("a record that is damaged while its snapshot comes in keeps the half that came") {
  peer a{1}, b{2};
  for (int n = 0; n < 30; ++n) b.set("k" + std::to_string(n), n + 1).value();
  a.take(b.log()).value();
  a.set("k3", 100, "other").value();
  for (int n = 0; n < 20; ++n) a.set("k" + std::to_string(n), 200 + n).value();
  forget_log(a);
  const std::shared_ptr<const void> session = std::make_shared<char>();
  b.options.cache_bytes = 0;
  b.reopen();
  b.e->checkpoint().value();
  const auto request = b.e->request_snapshot(session).value().value();
  auto serving = a.e->serve_snapshot(request, 400).value();
  std::vector<bytes> chunks;
  while (auto chunk = a.e->next_chunk(serving, 400).value()) chunks.push_back(std::move(*chunk));
  for (const auto& chunk : chunks) b.e->take_chunk(chunk).value();
  flip(b.disk, area::records, history::record_key(*b.e->names().find("table"), "k3"));
  CHECK(b.get("k3") == 4);  // made anew from the log
  b.e->take_chunk(joinery::detail::chunk_of(joinery::detail::chunk_kind::end)).value();
  CHECK(b.get("k3", "other") == 100);
  CHECK(a.digest() == b.digest());
}

TEST_CASE("a peer that knows other changesets of ours acknowledges none of those that are here") {
  peer a{1}, b{2};
  for (int n = 0; n < 5; ++n) b.set("k" + std::to_string(n), n + 1).value();
  sync_once(*a.e, *b.e).value();
  const auto image = b.disk.clone();
  for (int n = 0; n < 5; ++n) b.set("lost" + std::to_string(n), n + 1).value();
  sync_once(*a.e, *b.e).value();
  b.e.reset();
  b.disk.put_back(image);
  b.open().value();
  b.set("only here", 7).value();
  b.e->acknowledged(a.e->heads());
  b.e->acknowledged({{{b.id(), codec::max_seq, {}}}});
  b.e->checkpoint().value();
  b.time.now += 2 * b.options.retain_log_ms;
  b.set("later", 1).value();
  b.e->checkpoint().value();
  CHECK(b.e->log_floor().version.at(*b.e->replicas().find(b.id())) <= 5);
  b.time.now = a.time.now;
  for (int n = 0; n < 2; ++n) static_cast<void>(sync_once(*a.e, *b.e));
  CHECK(a.e->seen().total() >= 10);
}

TEST_CASE("what was written under a former id stays until somebody has it") {
  peer b{2};
  for (int n = 0; n < 5; ++n) b.set("k" + std::to_string(n), n + 1).value();
  const auto former = b.e->heads();
  b.e->renew(~std::uint64_t{0}).value();
  b.e->checkpoint().value();
  b.time.now += 2 * b.options.retain_log_ms;
  b.set("later", 1).value();
  b.e->checkpoint().value();
  CHECK(b.e->log_floor().position == 0);
  b.e->acknowledged(former);
  b.e->checkpoint().value();
  CHECK(b.e->log_floor().position == 5);
}

TEST_CASE("while a member's record is damaged nothing is cleaned, and the member is heard") {
  peer a{1}, b{2}, c{3};
  const auto pass_time = [](const std::vector<peer*>& those) {
    for (auto* p : those) {
      p->time.now += p->options.acknowledge_after_ms;
      for (int n = 0; n < 8; ++n) p->e->tend().value();
    }
  };
  for (auto* p : {&a, &b, &c}) p->set("of " + p->id().hex(), 1).value();
  for (auto* p : {&b, &c, &b}) sync_once(*a.e, *p->e).value();
  a.e->close_membership().value();
  for (int n = 0; n < 6; ++n) {
    pass_time({&a, &b, &c});
    for (auto* p : {&b, &c}) sync_once(*a.e, *p->e).value();
  }
  a.set("x", 1).value();
  for (auto* p : {&b, &c}) sync_once(*a.e, *p->e).value();
  forget_log(a);
  REQUIRE(a.e->status().membership.members == 3);
  spoil(a, joinery::detail::members_table, std::string{c.id().view()});
  a.reopen();
  a.erase("x").value();
  for (int n = 0; n < 6; ++n) {
    pass_time({&b, &a});
    b.take(replica_tests::lacking(a, b)).value();
    a.take(replica_tests::lacking(b, a)).value();
  }
  CHECK(replica_tests::dead_bytes(a) > 0);
  c.set("x", 9, "other").value();
  sync_once(*a.e, *c.e).value();
  CHECK(a.e->status().membership.members == 3);
  CHECK(a.get("x") == 1);
  CHECK(a.get("x", "other") == 9);
  CHECK(a.digest() == c.digest());
}

TEST_CASE("all that a snapshot stages counts, also what it says of versions") {
  using namespace joinery::detail;
  peer b{2};
  const auto origins = [](int count) {
    auto out = chunk_of(chunk_kind::origins);
    byte_writer w{out};
    for (int n = 0; n < count; ++n) {
      replica_id id = replica_tests::some_id(7);
      id.data[0] = static_cast<unsigned char>(n);
      id.data[1] = static_cast<unsigned char>(n >> 8);
      write_base_origin(w, {id, 1, causal::hlc_from_ms(1000), crypto::digest{}});
    }
    return out;
  };
  b.options.max_staged_bytes = 200'000;
  b.reopen();
  REQUIRE(b.e->request_snapshot(std::make_shared<char>()).value());
  b.e->take_chunk(begin_chunk(false)).value();
  CHECK(failed_with(b.e->take_chunk(origins(5000)), errc::too_large));

  b.e->take_chunk(begin_chunk(false)).value();
  b.e->take_chunk(origins(400)).value();
  peer a{1};
  a.set("k", 1).value();
  const crdt::reindexing same{{0}};
  const auto record = state::portable_record(a.e->record("table", "k").value(), same, a.e->names());
  result<> taken;
  int chunks = 0;
  for (; taken && chunks < 1000; ++chunks) {
    auto chunk = chunk_of(chunk_kind::records);
    byte_writer w{chunk};
    w.varint(0);
    write_places(w, {{399, static_cast<std::uint64_t>(chunks + 2)}});
    w.block("t");
    w.block(std::to_string(10000 + chunks));
    w.block(record);
    if (auto done = b.e->take_chunk(chunk); !done) taken = done.error();
  }
  CHECK(failed_with(taken, errc::too_large));
  CHECK(chunks < 500);
  // More origins than versions of them fit into memory.
  b.options.max_staged_bytes = std::uint64_t{1} << 40;
  b.reopen();
  REQUIRE(b.e->request_snapshot(std::make_shared<char>()).value());
  b.e->take_chunk(begin_chunk(false)).value();
  CHECK(failed_with(b.e->take_chunk(origins(30000)), errc::too_large));
}
