// Selecting tables: never a gap, nothing that depends on what is held back, and all of it later.
#include <catch2/catch.hpp>

#include "joinery/transport/pipe.hpp"
#include "tests/replica/peer.hpp"

using replica_tests::changeset_writer;
using replica_tests::peer;
using namespace joinery;
using sync::event_kind;
using sync::table_selection;

namespace {

using engine_session = sync::session<engine<history::memory_storage>>;

/// One changeset that touches `tables`.
void write(peer& p, const std::vector<std::string_view>& tables, std::string_view key = "k") {
  changeset_writer w;
  for (const auto table : tables)
    w.add(table, key,
          {crdt::cell_action::update, 1, "n", crdt::kind::pn_counter, crdt::pn_counter::add(1)});
  p.e->commit(w).value();
}
int count(peer& p, std::string_view table, std::string_view key = "k") {
  const auto packed = p.e->record(table, key).value();
  const auto name = p.e->names().find("n");
  if (!name || packed.empty()) return 0;
  return static_cast<int>(crdt::counter<crdt::kind::pn_counter, bytes_view>{
      state::field_state(crdt::read_cell(packed).value, {*name, crdt::kind::pn_counter})}
                              .get()
                              .value);
}

struct outcome {
  std::optional<sync::event> a, b;
  bool finished = false;
};
/// One exchange in which `a` selects; what each was told of being in sync.
outcome meet(peer& a, peer& b, std::optional<table_selection> tables,
             std::optional<table_selection> theirs = {}) {
  sync::session_options for_a, for_b;
  for_a.once = for_b.once = true;
  for_a.tables = std::move(tables);
  for_b.tables = std::move(theirs);
  engine_session sa{*a.e, for_a, 0}, sb{*b.e, for_b, 0};
  transport::pipe wire{sa, sb};
  for (std::uint64_t now = 0; now <= 20'000; now += 1000) wire.run(now);
  outcome out;
  out.finished =
      sa.state() == sync::session_state::finished && sb.state() == sync::session_state::finished;
  while (auto e = sa.next_event())
    if (e->kind == event_kind::in_sync) out.a = e;
  while (auto e = sb.next_event())
    if (e->kind == event_kind::in_sync) out.b = e;
  return out;
}

/// What `from` may send to a replica that has nothing, by the definition: whatever touches only
/// selected tables and depends on nothing else.
std::size_t sendable(peer& from, const table_selection& tables) {
  std::set<std::pair<replica_id, std::uint64_t>> kept;
  std::map<replica_id, std::map<replica_id, std::uint64_t>> seen;
  std::size_t good = 0;
  for (const auto& data : from.log()) {
    const auto c = codec::decode_changeset(data).value();
    auto& v = seen[c.origin];
    for (const auto& s : c.seen) v[s.replica] += s.increase;
    v[c.origin] = c.seq;
    bool ok = true;
    for (const auto& r : c.records) ok = ok && tables.selects(c.names[r.table]);
    for (const auto& [origin, seq] : kept) ok = ok && !(v[origin] >= seq);
    if (ok)
      ++good;
    else
      kept.emplace(c.origin, c.seq);
  }
  return good;
}

}  // namespace

TEST_CASE("a session sends the selected tables and says what it holds back") {
  peer a{1}, b{2};
  write(a, {"public"});
  write(a, {"public"});
  write(a, {"public", "private"});
  write(a, {"public"});
  const auto met = meet(a, b, table_selection::only({"public"}));
  REQUIRE(met.finished);
  CHECK(b.e->log_size() == 2);
  CHECK(count(b, "public") == 2);
  CHECK(count(b, "private") == 0);
  REQUIRE((met.a && met.b));
  CHECK(met.a->held_back == 2);
  CHECK(met.b->held_back_there == 2);
  CHECK_FALSE(met.a->digest);
  CHECK_FALSE(met.b->digest);

  const auto wider = meet(a, b, table_selection::only({"public", "private"}));
  REQUIRE(wider.finished);
  CHECK(wider.a->held_back == 0);
  CHECK(wider.a->digest);
  CHECK(wider.b->digest);
  CHECK(b.e->log_size() == 4);
  CHECK(a.digest() == b.digest());
}

TEST_CASE("what depends on something held back is held back as well, through any replica") {
  peer a{1}, b{2}, c{3}, d{4};
  write(a, {"private"});
  write(b, {"public"}, "of b");  // depends on nothing
  transport::sync_once(*a.e, *b.e).value();
  write(b, {"public"}, "after a");  // has seen the private one
  transport::sync_once(*b.e, *c.e).value();
  write(c, {"public"}, "after b");  // by way of b
  const auto met = meet(c, d, table_selection::all_but({"private"}));
  REQUIRE(met.finished);
  CHECK(d.e->log_size() == 1);
  CHECK(count(d, "public", "of b") == 1);
  CHECK(met.a->held_back == 3);
  CHECK(d.e->status().held == 0);

  // Who has the private one already gets the rest.
  peer e{5};
  transport::sync_once(*a.e, *e.e).value();
  const auto known = e.e->log_size();
  REQUIRE(meet(c, e, table_selection::all_but({"private"})).finished);
  CHECK(known == 2);
  CHECK(e.e->log_size() == 4);
  CHECK(e.digest() == c.digest());
}

TEST_CASE("selected or not, the engine's own tables go along; a live session goes on selecting") {
  CHECK(table_selection::only({}).selects("joinery.members"));
  CHECK_FALSE(table_selection::only({}).selects("joinery"));
  CHECK(table_selection::all_but({"a"}).selects("b"));
  peer a{1}, b{2};
  write(a, {"public"});
  sync::session_options o;
  o.tables = table_selection::only({"public"});
  engine_session sa{*a.e, o, 0}, sb{*b.e, {}, 0};
  transport::pipe wire{sa, sb};
  wire.run(0);
  write(a, {"public"});
  sa.wake(10);
  wire.run(10);
  CHECK(b.e->log_size() == 2);
  write(b, {"private"});  // the other way everything is sent
  sb.wake(20);
  wire.run(20);
  CHECK(a.e->log_size() == 3);
  write(a, {"public"});  // b has what it depends on
  sa.wake(30);
  wire.run(30);
  CHECK(b.e->log_size() == 4);
  write(a, {"private"});
  write(a, {"public"});
  sa.wake(40);
  wire.run(40);
  CHECK(b.e->log_size() == 4);
  CHECK_FALSE(sa.ended());
}

TEST_CASE("random histories: what arrives is what may, never a gap, and the rest comes later") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    testing::prng dice{seed};
    std::vector<std::unique_ptr<peer>> peers;
    for (std::uint64_t n = 0; n < 3; ++n) peers.push_back(std::make_unique<peer>(10 * seed + n));
    for (int step = 0; step < 25; ++step) {
      auto& p = *dice.pick(peers);
      auto& q = *dice.pick(peers);
      if (dice.chance(65))
        write(p, {dice.chance(25) ? "private" : "public"}, dice.chance(50) ? "k" : "l");
      else if (&p != &q)
        transport::sync_once(*p.e, *q.e).value();
    }
    CAPTURE(seed);
    auto& from = *dice.pick(peers);
    const auto only = table_selection::only({"public"});
    peer fresh{1000 + seed};
    const auto met = meet(from, fresh, only);
    REQUIRE(met.finished);
    CHECK(fresh.e->log_size() == sendable(from, only));
    CHECK(fresh.e->status().held == 0);
    CHECK(count(fresh, "private") == 0);
    if (met.a) CHECK(met.a->held_back == from.e->log_size() - fresh.e->log_size());
    // By way of others it gets more, and in the end all.
    for (const auto& p : peers)
      if (dice.chance(50)) REQUIRE(meet(*p, fresh, only, only).finished);
    for (int round = 0; round < 2; ++round)
      for (const auto& p : peers) transport::sync_once(*p->e, *fresh.e).value();
    for (const auto& p : peers) CHECK(p->digest() == fresh.digest());
  }
}
