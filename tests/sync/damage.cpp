// Sessions that mend a damaged store on the way, and what a peer can make of that.
#include <catch2/catch.hpp>

#include "joinery/transport/pipe.hpp"
#include "tests/replica/peer.hpp"
#include "tests/replica/stored.hpp"

using replica_tests::flip;
using replica_tests::peer;
using namespace joinery;
using history::area;

namespace {

using engine_session = sync::session<engine<history::memory_storage>>;
using sync::message;

void flip_log(peer& p, std::uint64_t position) {
  flip(p.disk, area::log, history::position_key(position));
}
void flip_record(peer& p, std::string_view key) {
  flip(p.disk, area::records, history::record_key(*p.e->names().find("table"), key));
}
/// Two replicas with the same content, the first without a cache, all of it in its snapshot.
struct pair_of_peers {
  peer a{1}, b{2};
  pair_of_peers() {
    a.options.cache_bytes = 0;
    a.reopen();
    for (int n = 0; n < 10; ++n) a.set("key " + std::to_string(n % 5), n + 1).value();
    b.set("of b", 1).value();
    transport::sync_once(*a.e, *b.e).value();
    a.e->checkpoint().value();
    a.reopen();
  }
};
std::optional<crypto::digest> certificate(engine_session& s) {
  while (auto e = s.next_event())
    if (e->kind == sync::event_kind::in_sync) return e->digest;
  return std::nullopt;
}

}  // namespace

TEST_CASE("one session brings back a changeset and a record, and certifies the state") {
  pair_of_peers p;
  flip_log(p.a, 4);
  flip_record(p.a, "key 3");
  CHECK_FALSE(p.a.e->record("table", "key 3"));
  CHECK(p.a.e->status().damaged == 1);  // the log's is not known yet
  const bool writes_on = GENERATE(false, true);
  if (writes_on) {
    p.b.set("key 3", 77).value();
    p.a.set("key 4", 78).value();
  }
  sync::session_options once;
  once.once = true;
  engine_session sa{*p.a.e, once, 0}, sb{*p.b.e, once, 0};
  transport::pipe wire{sa, sb};
  for (std::uint64_t now = 0; now < 20'000; now += 50) wire.run(now);
  CHECK(sa.state() == sync::session_state::finished);
  // The record needs the log when it changed meanwhile, and the log was met by its rebuilding.
  while (!p.a.e->scrub(100).value()) {}
  transport::sync_once(*p.a.e, *p.b.e).value();
  CHECK(p.a.e->status().damaged == 0);
  CHECK(p.a.get("key 3") == (writes_on ? 77 : 9));
  CHECK(p.a.digest() == p.b.digest());
  engine_session ta{*p.a.e, once, 0}, tb{*p.b.e, once, 0};
  transport::pipe again{ta, tb};
  again.run(0);
  CHECK(certificate(ta));
}

TEST_CASE("a replica that stopped at a damaged changeset goes on within the session") {
  peer a{1}, b{2};
  for (int n = 0; n < 10; ++n) a.set("key", n + 1).value();
  transport::sync_once(*a.e, *b.e).value();
  b.set("of b", 5).value();
  flip_log(a, 6);
  a.crash();
  REQUIRE(a.e->status().stopped_at == 6u);
  CHECK(a.get("key") == 5);
  engine_session sa{*a.e, {}, 0}, sb{*b.e, {}, 0};
  transport::pipe wire{sa, sb};
  for (std::uint64_t now = 0; now < 3000; now += 100) wire.run(now);
  CHECK_FALSE(a.e->status().stopped_at);
  CHECK(a.get("key") == 10);
  CHECK(a.get("of b") == 5);  // what came too soon was kept, and stored once that was possible
  CHECK(sa.in_sync());
  CHECK(a.digest() == b.digest());
}

TEST_CASE("a peer that needs a damaged changeset is told, and the next one brings it") {
  pair_of_peers p;
  peer fresh{3};
  flip_log(p.a, 2);
  const auto refused = transport::sync_once(*p.a.e, *fresh.e);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::gap);
  CHECK(fresh.e->log_size() <= 1);
  transport::sync_once(*p.a.e, *p.b.e).value();
  CHECK(p.a.e->status().damaged == 0);
  transport::sync_once(*p.a.e, *fresh.e).value();
  CHECK(fresh.digest() == p.a.digest());
}

TEST_CASE("a large changeset comes back in pieces") {
  peer a{1}, b{2};
  replica_tests::changeset_writer w;
  std::string text(700'000, 'x');
  for (std::size_t n = 0; n < text.size(); ++n) text[n] = static_cast<char>('a' + n * n % 23);
  w.add("table", "large",
        {crdt::cell_action::update, 1, "text", crdt::kind::lww, crdt::lww<std::string>::set(text)});
  a.e->commit(w).value();
  a.e->checkpoint().value();
  transport::sync_once(*a.e, *b.e).value();
  flip_log(a, 1);
  CHECK_FALSE(a.e->read_log(1, [](auto...) { return true; }));
  sync::session_options small;
  small.batch = 4096;
  small.low_water = 1;
  transport::sync_once(*a.e, *b.e, small).value();
  CHECK(a.e->status().damaged == 0);
  CHECK(a.log() == b.log());
}

TEST_CASE("a session in which nobody can help ends as it should, and asks once") {
  pair_of_peers p;
  peer other{3};
  for (const auto& changeset : p.b.log()) other.take(changeset).value();
  flip_log(p.a, 4);
  flip_log(other, 5);  // the same changeset: its log begins with the one of b
  CHECK_FALSE(p.a.e->read_log(1, [](auto...) { return true; }));
  CHECK_FALSE(other.e->read_log(1, [](auto...) { return true; }));
  transport::sync_once(*p.a.e, *other.e).value();
  CHECK(p.a.e->status().damaged == 1);
  transport::sync_once(*p.a.e, *p.b.e).value();
  transport::sync_once(*p.a.e, *other.e).value();
  CHECK(p.a.e->status().damaged + other.e->status().damaged == 0);
}

TEST_CASE("questions and answers that do not belong there end the session") {
  const wanted record{{}, 0, "table", "key"};
  CHECK(sync::read_refetch(sync::encode_refetch(record)) == record);
  const wanted changeset{replica_tests::some_id(4), 7};
  CHECK(sync::read_refetch(sync::encode_refetch(changeset)) == changeset);
  testing::prng dice{1};
  for (int n = 0; n < 2000; ++n) {
    auto data = sync::encode_refetch(dice.chance(50) ? record : changeset);
    data[dice.below(data.size())] = static_cast<char>(dice.below(256));
    const auto read = sync::read_refetch(data);
    if (read) CHECK(sync::read_refetch(sync::encode_refetch(*read)) == *read);
  }

  const auto end_of = [](message type, const bytes& payload, int times) {
    peer a{1}, b{2};
    engine_session victim{*a.e, {}, 0}, other{*b.e, {}, 0};
    transport::pipe wire{victim, other};
    wire.run(0);
    bytes frames;
    for (int n = 0; n < times; ++n)
      codec::append_frame(frames, static_cast<std::uint8_t>(type), payload);
    const auto taken = victim.receive(frames, 0);
    return taken ? errc{} : taken.error().code;
  };
  const auto question = sync::encode_refetch(changeset);
  CHECK(end_of(message::refetch, question, 1) == errc{});
  CHECK(end_of(message::refetch, question, 2) == errc::protocol);
  CHECK(end_of(message::refetch, "\x90", 1) == errc::malformed);
  CHECK(end_of(message::refetched, encode(sync::part{1, 0, "x"}), 1) == errc::protocol);
  CHECK(end_of(message::refetched, encode(sync::part{0, 0, ""}), 1) == errc::protocol);
}
