#include <catch2/catch.hpp>

#include "tests/sync/two_peers.hpp"

using namespace sync_tests;

namespace {

struct pair_of_stores {
  fake_endpoint a{1}, b{2};
  pair_of_stores() {
    fake_endpoint third{3};
    third.commit("third");
    connection{third, a}.run();
    a.commit(noise(900));
    a.commit("small");
    b.commit("other");
  }
};

sync::session_options small_frames() {
  sync::session_options o;
  o.once = true;
  o.batch = 512;  // so that one changeset goes in pieces
  return o;
}

}  // namespace

TEST_CASE("a session may be cut at any byte; the next one goes on without loss or duplicates") {
  std::uint64_t whole = 0;
  {
    pair_of_stores s;
    connection c{s.a, s.b, small_frames()};
    c.run();
    REQUIRE(c.a.in_sync());
    whole = c.wire.carried();
  }
  REQUIRE(whole > 1500);
  const auto chunk = GENERATE(as<std::size_t>{}, 1, 7, 100'000);
  for (std::uint64_t n = 0; n <= whole; n += JOINERY_SANITIZED ? 5 : 1) {
    pair_of_stores s;
    transport::pipe_options cut;
    cut.chunk = chunk;
    cut.cut_after = n;
    connection first{s.a, s.b, small_frames(), cut};
    first.run();
    REQUIRE(first.a.ended());
    REQUIRE(first.b.ended());
    connection second{s.a, s.b, small_frames()};
    second.run();
    REQUIRE(second.a.state() == sync::session_state::finished);
    REQUIRE(second.b.state() == sync::session_state::finished);
    REQUIRE(s.a.content() == s.b.content());
    REQUIRE(s.a.log().size() == 4);
    // Nothing is sent again that was stored.
    REQUIRE(s.a.duplicates + s.b.duplicates == 0);
  }
}

TEST_CASE("sessions that are cut again and again get there in the end") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 200; ++i) a.commit(noise(200, static_cast<std::uint64_t>(i)));
  for (int i = 0; i < 100; ++i) b.commit(noise(300, static_cast<std::uint64_t>(i)));
  sync::session_options o;
  o.once = true;
  o.batch = 1000;
  int sessions = 0;
  for (bool done = false; !done; ++sessions) {
    REQUIRE(sessions < 100);
    transport::pipe_options cut;
    cut.cut_after = 5000 + static_cast<unsigned>(sessions) * 37;
    cut.chunk = 64;
    connection c{a, b, o, cut};
    c.run();
    done = c.a.state() == sync::session_state::finished;
  }
  CHECK(sessions > 5);
  CHECK(a.content() == b.content());
  CHECK(a.duplicates + b.duplicates == 0);
}

TEST_CASE("chunks of any size make no difference") {
  for (const std::size_t chunk : {1u, 2u, 3u, 5u, 64u, 4096u}) {
    pair_of_stores s;
    transport::pipe_options options;
    options.chunk = chunk;
    connection c{s.a, s.b, small_frames(), options};
    c.run();
    CHECK(c.a.in_sync());
    CHECK(s.a.content() == s.b.content());
  }
}
