#include <catch2/catch.hpp>

#include "tests/sync/two_peers.hpp"

using namespace sync_tests;
using sync::session_state;

namespace {

struct seen_frame {
  sync::message type;
  std::size_t wire;
};

/// Takes the output of one session apart, and hands it on to the other.
std::vector<seen_frame> pass(fake_session& from, fake_session& to) {
  const auto output = from.take_output();
  std::vector<seen_frame> out;
  codec::frame_reader reader;
  bytes_view left = output;
  for (;;) {
    const auto f = reader.next(left);
    REQUIRE(f);
    if (!*f) break;
    const auto type = static_cast<sync::message>((*f)->type);
    out.push_back({type, (*f)->wire});
  }
  CHECK(to.receive(output, 0));
  return out;
}

}  // namespace

TEST_CASE("many changesets share a frame, and frames stay within the batch size") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 2000; ++i) a.commit(noise(100, static_cast<std::uint64_t>(i)));
  sync::session_options o;
  o.batch = 16 << 10;
  fake_session sa{a, o, 0}, sb{b, o, 0};
  std::size_t frames = 0, most = 0;
  for (int turn = 0; turn < 200; ++turn) {
    for (const auto& f : pass(sa, sb)) {
      if (f.type != sync::message::changes) continue;
      ++frames;
      most = std::max(most, f.wire);
    }
    pass(sb, sa);
  }
  CHECK(sa.in_sync());
  CHECK(a.content() == b.content());
  CHECK(most <= o.batch);
  CHECK(frames < 40);
  CHECK(b.batches == frames);  // each frame is one transaction there
}

TEST_CASE("what compresses travels compressed") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 200; ++i) a.commit(bytes(500, 'a'));
  connection c{a, b};
  c.run();
  CHECK(c.b.in_sync());
  CHECK(c.wire.carried() < 20'000);
}

TEST_CASE("a changeset larger than a frame is sent in pieces") {
  const auto size = GENERATE(1u << 20, 3u << 20, 7u << 20);
  fake_endpoint a{1}, b{2};
  a.commit("before");
  a.commit(noise(size));
  a.commit("after");
  sync::session_options o;
  o.max_frame = sync::min_frame_limit;
  connection c{a, b, o};
  c.run();
  CHECK(c.a.in_sync());
  CHECK(a.content() == b.content());
}

TEST_CASE("a window smaller than a changeset is no obstacle") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 20; ++i) a.commit(noise(static_cast<std::size_t>(i) * 300, 7));
  sync::session_options o;
  o.window = GENERATE(std::uint64_t{1024}, 1500u, 4096u, 10'000u);
  transport::pipe_options chunks;
  chunks.chunk = 100;
  connection c{a, b, o, chunks};
  c.run();
  CHECK(c.a.in_sync());
  CHECK(a.content() == b.content());
  CHECK(b.duplicates == 0);
}

TEST_CASE("a sender never exceeds its credit, and waits without producing") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 300; ++i) a.commit(noise(1000, static_cast<std::uint64_t>(i)));
  sync::session_options o;
  o.window = 50'000;
  o.batch = 8'000;
  o.low_water = 1 << 20;
  fake_session sa{a, o, 0}, sb{b, o, 0};
  CHECK(sa.receive(sb.take_output(), 0));
  const auto hello = sa.take_output();  // with what the window allows
  std::size_t data = 0;
  codec::frame_reader reader;
  for (bytes_view left = hello;;) {
    const auto f = reader.next(left);
    REQUIRE(f);
    if (!*f) break;
    if ((*f)->type == static_cast<std::uint8_t>(sync::message::changes)) data += (*f)->wire;
  }
  CHECK(data > 25'000);
  CHECK(data <= 50'000);
  sa.wake(1);
  CHECK(sa.take_output().empty());  // b has not answered
  CHECK(sb.receive(hello, 1));
  CHECK(sa.receive(sb.take_output(), 1));
  CHECK(sa.pending_output() > 0);  // it granted more
}

TEST_CASE("output is produced as it is taken, not all at once") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 3000; ++i) a.commit(noise(1000, static_cast<std::uint64_t>(i)));
  sync::session_options o;
  o.low_water = 64 << 10;
  o.batch = 32 << 10;
  fake_session sa{a, o, 0}, sb{b, o, 0};
  CHECK(sa.receive(sb.take_output(), 0));
  std::size_t most = 0, turns = 0;
  while (sa.pending_output() > 0) {
    most = std::max(most, sa.pending_output());
    CHECK(sb.receive(sa.take_output(), 0));
    CHECK(sa.receive(sb.take_output(), 0));
    ++turns;
  }
  CHECK(most <= o.low_water + o.batch);
  CHECK(turns > 20);
  CHECK(a.content() == b.content());
}

TEST_CASE("a stalled peer keeps nobody else waiting, and little is held for it") {
  fake_endpoint a{1}, b{2}, c{3};
  connection stalled{a, b}, good{a, c};
  stalled.run();
  good.run();
  stalled.wire.stall_to_b(true);
  std::size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    a.commit(noise(50'000, static_cast<std::uint64_t>(i)));
    c.commit();
    stalled.run();
    good.run();
    most = std::max(most, stalled.a.pending_output());
    CHECK(good.a.in_sync());
  }
  CHECK(c.content() == a.content());
  CHECK(most < 1 << 20);
  stalled.wire.stall_to_b(false);
  stalled.run();
  CHECK(stalled.a.in_sync());
  CHECK(b.content() == a.content());
}

TEST_CASE("a peer that reads nothing is granted nothing, so that nothing piles up for it") {
  fake_endpoint a{1}, b{2};
  for (int i = 0; i < 2000; ++i) a.commit(noise(5'000, static_cast<std::uint64_t>(i)));
  sync::session_options o;
  o.window = 100'000;
  connection c{a, b, o};
  c.wire.run(0);
  CHECK(c.b.in_sync());
  for (int i = 0; i < 2000; ++i) a.commit(noise(5'000, static_cast<std::uint64_t>(i)));
  c.wire.stall_to_a(true);
  c.run();
  const auto stopped_at = b.log().size();
  CHECK(stopped_at < 2000 + 100);
  c.wire.stall_to_a(false);
  c.run();
  CHECK(b.content() == a.content());
}

TEST_CASE("a long stretch that the peer has is skipped without starving others") {
  fake_endpoint a{1}, b{2}, x{3};
  x.commit();
  connection{x, a}.run();  // position 1: what b will lack
  fake_endpoint copy{4};
  for (int i = 0; i < 40'000; ++i) copy.commit();
  connection{copy, b}.run();
  connection{copy, a}.run();
  fake_session sa{a, {}, 0}, sb{b, {}, 0};
  CHECK(sa.receive(sb.take_output(), 0));
  CHECK(sa.next_wake() == 0);  // it paused: at most so many entries at a time
  transport::pipe wire{sa, sb};
  CHECK(sb.receive(sa.take_output(), 0));
  wire.run(0);
  CHECK(sa.in_sync());
  CHECK(sa.sent() == 1);
}
