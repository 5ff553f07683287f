// Copies, stores put back, and forks, settled by sessions: a new id where one is needed, evidence
// where nothing can be mended, and every change once.
#include <catch2/catch.hpp>

#include <deque>

#include "joinery/transport/pipe.hpp"
#include "tests/replica/peer.hpp"

using namespace replica_tests;

namespace {

void add(peer& p, int amount, std::string_view key = "xp") {
  changeset_writer w;
  const auto cell = crdt::read_cell(p.e->record("table", key).value());
  const auto life = cell.incarnation + (cell.alive() ? 0 : 1);
  w.add(
      "table", key,
      {cell_action::update, life, "count", crdt::kind::pn_counter, crdt::pn_counter::add(amount)});
  p.e->commit(w).value();
}
std::int64_t sum(peer& p, std::string_view key = "xp") {
  const auto cell = crdt::read_cell(p.e->record("table", key).value());
  const auto name = p.e->names().find("count");
  if (!cell.alive() || !name) return 0;
  return crdt::detail::counter_sum(state::field_state(cell.value, {*name, crdt::kind::pn_counter}))
      .value;
}
void put_back(peer& p, const memory_storage& image) {
  p.e.reset();
  p.disk.put_back(image);
  p.open().value();
}
peer& clone_of(peer& p, std::deque<peer>& all, std::uint64_t seed) {
  auto& copy = all.emplace_back(seed);
  put_back(copy, p.disk.clone());
  return copy;
}
result<> join(peer& a, peer& b) { return transport::sync_once(*a.e, *b.e); }

/// A meeting that says what its sessions had to tell.
struct observed {
  std::optional<sync::event> a;
  std::optional<sync::event> b;
  std::optional<errc> failed_a;
  std::optional<errc> failed_b;
};
observed observe(peer& a, peer& b) {
  joinery::sync::session_options options;
  options.once = true;
  joinery::sync::session sa{*a.e, options, 0};
  joinery::sync::session sb{*b.e, options, 0};
  transport::pipe wire{sa, sb};
  wire.run(0);
  observed out;
  const auto look = [](auto& s, auto& in_sync, auto& failed) {
    while (auto e = s.next_event())
      if (e->kind == joinery::sync::event_kind::in_sync) in_sync = e;
    if (s.failure()) failed = s.failure()->code;
  };
  look(sa, out.a, out.failed_a);
  look(sb, out.b, out.failed_b);
  return out;
}

}  // namespace

TEST_CASE(
    "a store put back meets a peer that knew more: it goes on under a new id, and all agree") {
  for (const int since : {0, 1, 7}) {
    for (const int lost : {1, 2, 9}) {
      peer a{1}, b{2}, c{3};
      add(a, 1);
      add(a, 2);
      join(a, b).value();
      const auto image = a.disk.clone();
      std::int64_t expected = 3;
      for (int n = 0; n < lost; ++n) add(a, 10), expected += 10;
      join(a, b).value();
      for (int again = 0; again < 2; ++again) {  // twice in a row
        put_back(a, image);
        const auto old_id = a.id();
        for (int n = 0; n < since; ++n) add(a, 100), expected += 100;
        const auto seen = observe(a, b);
        CHECK(seen.failed_a == errc::renewed);
        CHECK(seen.failed_b == errc::renewed);
        CHECK(a.id() != old_id);
        const auto id = a.id();
        join(a, b).value();
        CHECK(a.id() == id);
        join(b, c).value();
        CAPTURE(since, lost, again);
        CHECK(sum(a) == expected);
        CHECK(sum(b) == expected);
        CHECK(sum(c) == expected);
        CHECK(a.digest() == b.digest());
        CHECK(a.digest() == c.digest());
        CHECK(a.e->status().former_ids.size() == 1);
        CHECK(a.e->status().forks.empty());
        CHECK(b.e->status().forks.empty());
      }
    }
  }
}

TEST_CASE(
    "copies that both wrote find each other, directly or through a third, and nothing is lost") {
  for (const bool direct : {true, false}) {
    for (const int by_copy : {0, 1, 3}) {
      for (const int by_first : {0, 1, 4}) {
        std::deque<peer> all;
        peer b{2};
        auto& a = all.emplace_back(1u);
        add(a, 1);
        join(a, b).value();
        auto& copy = clone_of(a, all, 7);
        for (int n = 0; n < by_first; ++n) add(a, 10);
        for (int n = 0; n < by_copy; ++n) add(copy, 1000);
        CAPTURE(direct, by_copy, by_first);
        if (direct) join(a, copy).value();
        join(a, b).value();
        join(copy, b).value();
        join(a, b).value();
        join(a, copy).value();
        const std::int64_t expected = 1 + 10 * by_first + 1000 * by_copy;
        for (auto* p : {&a, &b, &copy}) {
          CHECK(sum(*p) == expected);
          CHECK(p->digest() == a.digest());
          CHECK(p->e->status().forks.empty());
        }
        CHECK(a.id() != copy.id());
        add(a, 1);
        add(copy, 1);
        join(a, copy).value();
        CHECK(sum(a) == expected + 2);
      }
    }
  }
}

TEST_CASE("of two copies the one that gave its work away keeps its dots") {
  std::deque<peer> all;
  peer b{2};
  auto& a = all.emplace_back(1u);
  add(a, 1);
  auto& copy = clone_of(a, all, 7);
  add(a, 10);
  join(a, b).value();
  add(copy, 100);
  join(copy, a).value();
  join(a, b).value();
  CHECK(sum(b) == 111);
  CHECK(a.digest() == b.digest());
  join(copy, b).value();
  CHECK(copy.digest() == b.digest());
  CHECK(b.e->status().forks.empty());
}

TEST_CASE("a program that connects a replica to itself is told so, and no id is wasted") {
  peer a{1};
  add(a, 1);
  const auto id = a.id();
  const auto seen = observe(a, a);
  CHECK((seen.failed_a == errc::fork || seen.failed_b == errc::fork));
  CHECK(a.id() == id);
}

TEST_CASE("what fell back in an unsynced crash was shown to nobody, and is simply written again") {
  peer a{1, durability::interval}, b{2};
  a.options.sync_interval_ms = 1'000'000;
  a.reopen();
  add(a, 1);
  a.e->flush().value();
  join(a, b).value();
  add(a, 10);
  CHECK(sum(b) == 1);
  a.crash();
  CHECK(sum(a) == 1);
  const auto id = a.id();
  add(a, 100);
  join(a, b).value();
  CHECK(a.id() == id);
  CHECK(sum(b) == 101);
  CHECK(a.digest() == b.digest());
}

TEST_CASE("two branches that were both given away are a fork: reported, kept, and never mixed") {
  std::deque<peer> all;
  peer b{2}, c{3};
  auto& a = all.emplace_back(1u);
  add(a, 1);
  join(a, b).value();
  join(a, c).value();
  auto& copy = clone_of(a, all, 7);
  const auto origin = a.id();
  add(a, 10);
  add(a, 10);
  join(a, b).value();
  add(copy, 1000);
  join(copy, c).value();
  add(b, 100);     // depends on a's branch
  add(c, 10'000);  // depends on the copy's
  peer d{4};
  add(d, 100'000);
  join(d, c).value();

  const auto seen = observe(b, c);
  CHECK_FALSE(seen.failed_a);
  CHECK_FALSE(seen.failed_b);
  REQUIRE(seen.a);
  REQUIRE(seen.b);
  CHECK(seen.a->forked == 1);
  CHECK(seen.b->forked == 1);
  CHECK_FALSE(seen.a->digest);
  CHECK(sum(b) == 100'121);  // what does not depend on either branch went over
  CHECK(sum(c) == 111'001);
  for (int restart = 0; restart < 2; ++restart) {
    for (auto* p : {&b, &c}) {
      const auto forks = p->e->status().forks;
      REQUIRE(forks.size() == 1);
      CHECK(forks[0].origin == origin);
      CHECK(forks[0].seq == 2);
      CHECK(forks[0].ours != forks[0].theirs);
    }
    CHECK(b.e->status().forks[0].ours == c.e->status().forks[0].theirs);
    CHECK(c.e->status().forks[0].ours == b.e->status().forks[0].theirs);
    b.reopen();
    c.reopen();
  }
  // Life goes on beside it, in later sessions too.
  peer e{5};
  add(e, 1'000'000);
  join(e, b).value();
  CHECK(observe(b, c).b->forked == 1);
  CHECK(sum(e) == 1'100'121);
  CHECK(sum(c) == 1'111'001);
}

TEST_CASE("inquiries that prove nothing end the session and leave nothing behind") {
  const auto send = [](auto make) {
    peer a{1}, b{2};
    add(a, 1);
    join(a, b).value();
    joinery::sync::session sa{*a.e, {}, 0};
    joinery::sync::session sb{*b.e, {}, 0};
    transport::pipe{sa, sb}.run(0);
    joinery::sync::outbox out;
    make(out, a);
    CHECK_FALSE(sb.receive(out.take(), 0));
    CHECK(b.e->status().forks.empty());
    CHECK(sum(b) == 1);
    return sb.failure()->code;
  };
  using namespace joinery::sync;
  const auto say = [](outbox& out, const auto& m) { out.put(message::inquiry, encode_inquiry(m)); };
  const auto stranger = some_id(9);
  CHECK(send([&](auto& o, auto&) { o.put(message::inquiry, "nonsense"); }) == errc::malformed);
  CHECK(send([&](auto& o, auto&) { say(o, chain_answer{stranger, 1, {}}); }) == errc::protocol);
  CHECK(send([&](auto& o, auto&) { say(o, fork_notice{stranger, 1, {}}); }) == errc::not_found);
  CHECK(send([&](auto& o, auto& a) { say(o, fork_notice{a.id(), 1, {}}); }) == errc::protocol);
  CHECK(send([&](auto& o, auto&) { say(o, twin_notice{1, stranger, {}}); }) == errc::fork);
  CHECK(send([&](auto& o, auto&) {
          for (int n = 0; n < 5000; ++n) say(o, chain_question{stranger, 1});
        }) == errc::flooded);
}

TEST_CASE("evidence of a fork must be another changeset of that dot") {
  peer a{1}, b{2}, c{3};
  add(a, 1);
  join(a, b).value();
  const auto logged = b.log()[0];
  CHECK(failed_with(b.e->note_fork(a.id(), 1, logged), errc::malformed));
  CHECK(failed_with(b.e->note_fork(a.id(), 1, "nonsense"), errc::malformed));
  CHECK(failed_with(b.e->note_fork(c.id(), 1, logged), errc::not_found));
  const forged other{.origin = a.id(), .seq = 2};
  CHECK(failed_with(b.e->note_fork(a.id(), 1, other.make()), errc::malformed));
  CHECK(b.e->status().forks.empty());
}
