#include <catch2/catch.hpp>

#include "tests/sync/two_peers.hpp"

using namespace sync_tests;
using sync::session_state;

namespace {

schema::descriptor one_field(crdt::shape type) {
  return {{{"profile", schema::delete_rule::update_wins, {{"xp", type, "int"}}}}};
}

bytes framed(sync::message type, bytes_view payload) {
  bytes out;
  codec::append_frame(out, static_cast<std::uint8_t>(type), payload);
  return out;
}

/// A replica with `n` changesets, and copies of it as they are made of stores.
fake_endpoint written(int id, int n) {
  fake_endpoint e{id};
  for (int i = 0; i < n; ++i) e.commit("shared " + std::to_string(i));
  return e;
}

}  // namespace

TEST_CASE("replicas of different spaces refuse each other") {
  fake_endpoint a{1, "one"}, b{2, "two"};
  a.commit();
  connection c{a, b};
  c.run();
  CHECK(failed_with(c.a) == errc::wrong_space);
  CHECK(failed_with(c.b) == errc::wrong_space);
  CHECK(b.log().empty());
}

TEST_CASE("a protocol that is not known is refused as unsupported, whatever else the hello holds") {
  fake_endpoint a{1};
  fake_session s{a, {}, 0};
  bytes payload;
  codec::pack_writer w{payload};
  w.array(4);
  w.text("joinery");
  w.u64(9);
  w.u64(8);
  w.text("a layout of the future");
  CHECK_FALSE(s.receive(framed(sync::message::hello, payload), 0));
  CHECK(failed_with(s) == errc::unsupported);
}

TEST_CASE("a peer of the first protocol is refused as unsupported, in a frame that it can read") {
  fake_endpoint a{1};
  fake_session s{a, {}, 0};
  s.take_output();
  bytes payload;
  codec::pack_writer w{payload};
  w.array(12);
  w.text("joinery");
  w.u64(1);
  w.u64(1);
  for (int i = 0; i < 2; ++i) w.binary(bytes(16, 'x'));
  for (int i = 0; i < 5; ++i) w.u64(1 << 20);
  for (int i = 0; i < 2; ++i) w.boolean(false);
  CHECK_FALSE(s.receive(framed(sync::message::hello, payload), 0));
  CHECK(failed_with(s) == errc::unsupported);
  const auto told = s.take_output();
  REQUIRE(told.size() > codec::frame_overhead);
  CHECK(told[0] == 0);
  CHECK(told[4] == static_cast<char>(sync::message::error));
}

TEST_CASE("a newer peer that still speaks our protocol is welcome") {
  fake_endpoint a{1}, b{2};
  fake_session s{a, {}, 0};
  sync::hello m;
  m.version = 7;
  m.oldest = 1;
  m.space = b.space();
  m.replica = b.self();
  m.fingerprint = codec::fingerprint(b.descriptor());
  m.max_frame = sync::min_frame_limit;
  m.credit = 10'000;
  CHECK(s.receive(framed(sync::message::hello, encode(m)), 0));
  CHECK(s.state() == session_state::streaming);
}

TEST_CASE("a peer that speaks something else is refused at once") {
  fake_endpoint a{1};
  fake_session s{a, {}, 0};
  CHECK_FALSE(s.receive("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 0));
  CHECK(failed_with(s) == errc::too_large);
}

TEST_CASE("a peer with my own replica id is a copy") {
  fake_endpoint a{1}, b{1};
  connection c{a, b};
  c.run();
  CHECK(failed_with(c.a) == errc::fork);
  CHECK(failed_with(c.b) == errc::fork);
}

TEST_CASE("a peer that knows more of me than I do tells that my store was put back") {
  auto a = written(1, 5);
  fake_endpoint b{2};
  {
    connection c{a, b};
    c.run();
  }
  auto older = written(1, 3);
  connection c{older, b};
  c.run();
  CHECK(failed_with(c.a) == errc::fork);
  CHECK(failed_with(c.b) == errc::fork);
  CHECK(c.a.failure()->where.find("seq 5") != std::string::npos);
  CHECK(c.a.failure()->where.find(rid(1).hex()) != std::string::npos);
}

TEST_CASE("two histories of one replica are found wherever they meet, whoever is ahead") {
  for (int extra_a = 1; extra_a <= 3; ++extra_a) {
    for (int extra_b = 1; extra_b <= 3; ++extra_b) {
      auto original = written(1, 2), copy = written(1, 2);
      for (int i = 0; i < extra_a; ++i) original.commit("original");
      for (int i = 0; i < extra_b; ++i) copy.commit("copy");
      fake_endpoint b{2}, c{3};
      connection{original, b}.run();
      connection{copy, c}.run();
      REQUIRE(b.log().size() == static_cast<std::size_t>(2 + extra_a));
      REQUIRE(c.log().size() == static_cast<std::size_t>(2 + extra_b));

      // Neither of the two is the copied one: both only carry its changesets.
      connection meeting{b, c};
      meeting.run();
      CHECK(failed_with(meeting.a) == errc::fork);
      CHECK(failed_with(meeting.b) == errc::fork);
      CHECK(meeting.a.failure()->where.find(rid(1).hex()) != std::string::npos);
      CHECK(b.ingested + c.ingested == static_cast<std::size_t>(4 + extra_a + extra_b));
    }
  }
}

TEST_CASE("programs that know different fields sync, and exchange their schemas first") {
  fake_endpoint a{1}, b{2};
  a.schema_ = one_field(crdt::kind::pn_counter);
  a.commit();
  b.commit();
  connection c{a, b};
  c.run();
  CHECK(c.a.in_sync());
  CHECK(a.content() == b.content());
}

TEST_CASE("programs that give one field different kinds refuse each other before any change") {
  fake_endpoint a{1}, b{2};
  a.schema_ = one_field(crdt::kind::pn_counter);
  b.schema_ = one_field(crdt::kind::lww);
  a.commit();
  b.commit();
  connection c{a, b};
  c.run();
  CHECK(failed_with(c.a) == errc::schema_conflict);
  CHECK(failed_with(c.b) == errc::schema_conflict);
  CHECK(c.a.failure()->where == "profile.xp");
  CHECK(a.log().size() + b.log().size() == 2);
}

TEST_CASE("a peer too far behind for the log is told so") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 5; ++i) a.commit();
  a.floor = 3;
  connection c{a, b};
  c.run();
  CHECK(failed_with(c.a) == errc::gap);
  CHECK(failed_with(c.b) == errc::gap);
}

TEST_CASE("heads of many origins travel in several messages") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 2500; ++i) {
    replica_id id;
    id.data[0] = 9;
    id.data[1] = static_cast<unsigned char>(i >> 8);
    id.data[2] = static_cast<unsigned char>(i);
    codec::changeset_writer w;
    w.add("t", "k", {crdt::cell_action::create, 1, "", {}, ""});
    const auto data = w.encode(id, 1, 5, {});
    const bytes_view view{data};
    REQUIRE(a.ingest({&view, 1}));
  }
  connection c{a, b};
  c.run();
  CHECK(b.log().size() == 2500);
  CHECK(c.a.in_sync());
  connection again{a, b};
  again.run();
  CHECK(again.a.in_sync());
  CHECK(again.a.sent() + again.b.sent() == 0);
}

TEST_CASE("replicas that know thousands of others do not list them when little has changed") {
  fake_endpoint a{1}, b{2};
  const auto write = [](fake_endpoint& e, int origin, std::uint64_t seq) {
    const auto id = *replica_id::from_bytes(
        crypto::hasher{}.add(std::to_string(origin)).finish().view().substr(0, 16));
    codec::changeset_writer w;
    w.add("t", "k", {crdt::cell_action::create, 1, "", {}, ""});
    const auto data = w.encode(id, seq, 5 + seq, {});
    const bytes_view view{data};
    REQUIRE(e.ingest({&view, 1}));
  };
  for (int i = 0; i < 2000; ++i) {
    write(a, i, 1);
    write(b, i, 1);
  }
  const auto bytes_of_meeting = [&] {
    fake_session x{a, {}, 0}, y{b, {}, 0};
    std::size_t size = 0;
    for (bool quiet = false; !quiet;) {
      x.wake(0);
      y.wake(0);
      const auto there = x.take_output(), back = y.take_output();
      quiet = there.empty() && back.empty();
      size += there.size() + back.size();
      REQUIRE(y.receive(there, 0));
      REQUIRE(x.receive(back, 0));
    }
    CHECK(x.in_sync());
    CHECK(y.in_sync());
    CHECK(a.log().size() == b.log().size());
    return size;
  };
  CHECK(bytes_of_meeting() < 500);  // equal: two digests
  write(a, 7, 2);
  write(b, 1234, 2);
  CHECK(bytes_of_meeting() < 12'000);  // a whole list has 116,000, on each side
  CHECK(bytes_of_meeting() < 500);
}

TEST_CASE("the peer's error says who found it") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 5; ++i) a.commit();
  a.floor = 3;
  connection c{a, b};
  c.run();
  const auto here = next_of(c.a, sync::event_kind::failed);
  const auto there = next_of(c.b, sync::event_kind::failed);
  REQUIRE(here);
  REQUIRE(there);
  CHECK_FALSE(here->by_peer);
  CHECK(there->by_peer);
  CHECK(there->failure->what.find("the peer says: ") == 0);
}

TEST_CASE("programs that contradict each other may meet when one migrates from the other's field") {
  fake_endpoint a{1}, b{2};
  a.schema_ = one_field(crdt::kind::lww);
  b.schema_ = one_field(crdt::kind::max_of);
  b.schema_.tables[0].fields[0].formers = {{"xp", crdt::kind::lww, "int"}};
  a.commit("one");
  b.commit("two");
  connection c{a, b};
  c.run();
  CHECK_FALSE(c.a.failure());
  CHECK_FALSE(c.b.failure());
  CHECK(a.log().size() == 2);
  CHECK(b.log().size() == 2);

  b.schema_.tables[0].fields[0].formers = {{"xp", crdt::kind::lww, "text"}};
  connection d{a, b};
  d.run();
  CHECK(failed_with(d.a) == errc::schema_conflict);
  CHECK(failed_with(d.b) == errc::schema_conflict);
}
