#include <catch2/catch.hpp>
#include <random>

#include "tests/sync/two_peers.hpp"

using namespace sync_tests;
using sync::message;
using sync::session_state;

namespace {

bytes framed(message type, bytes_view payload) {
  bytes out;
  codec::append_frame(out, static_cast<std::uint8_t>(type), payload);
  return out;
}

/// The first message of changesets of a session.
bytes packed(const std::vector<bytes>& items) {
  codec::transit::encoder encoder{sync::session_options{}.memory};
  for (const auto& item : items) encoder.add(item);
  bytes out;
  encoder.finish(out);
  return out;
}
bytes packed(const bytes& item) { return packed(std::vector<bytes>{item}); }

/// A session that has been greeted by a peer of our making.
struct victim {
  fake_endpoint e{1};
  fake_session s;

  explicit victim(const sync::session_options& o = {}, std::uint64_t head_count = 0)
      : s((e.commit(), e), o, 0) {
    sync::hello m;
    m.space = e.space();
    m.replica = rid(2);
    m.fingerprint = codec::fingerprint(e.descriptor());
    m.head_count = head_count;
    m.max_frame = codec::max_frame_body;
    m.credit = 1 << 20;
    m.memory = sync::session_options{}.memory;
    REQUIRE(s.receive(framed(message::hello, encode(m)), 0));
  }
  errc send(message type, bytes_view payload) {
    const auto done = s.receive(framed(type, payload), 0);
    REQUIRE_FALSE(done);
    REQUIRE(s.state() == session_state::failed);
    // The peer is told, with the same code.
    const auto out = s.take_output();
    bytes_view left = out;
    codec::frame_reader reader;
    std::optional<errc> told;
    for (;;) {
      const auto f = reader.next(left);
      REQUIRE(f);
      if (!*f) break;
      if ((*f)->type == 10) told = sync::read_refusal((*f)->payload).code;
    }
    CHECK(told == done.error().code);
    return done.error().code;
  }
};

/// A changeset of `origin`, as its first.
bytes changeset(int origin, std::uint64_t seq = 1, bytes_view key = "k") {
  codec::changeset_writer w;
  w.add("t", key, {crdt::cell_action::create, 1, "", {}, ""});
  return w.encode(rid(origin), seq, 7, {});
}

}  // namespace

TEST_CASE("messages that the state does not allow are refused as protocol errors") {
  CHECK(victim{}.send(message::hello, "\x90") == errc::protocol);
  CHECK(victim{}.send(message::heads, "\x90") == errc::protocol);
  CHECK(victim{}.send(message::schema, "\x90") == errc::protocol);
  CHECK(victim{}.send(static_cast<message>(77), "\x90") == errc::protocol);
  victim greeting{{}, 3};
  CHECK(greeting.send(message::ping, "\x90") == errc::protocol);
  victim twice;
  CHECK(twice.s.receive(framed(message::caught_up, "\x90"), 0));
  CHECK(twice.send(message::caught_up, "\x90") == errc::protocol);
}

TEST_CASE("payloads that are no such message are refused as malformed") {
  const auto type = GENERATE(message::changes, message::part, message::ack, message::credit,
                             message::caught_up, message::digest, message::bye, message::ping);
  const bytes payload = GENERATE(bytes{}, bytes{"\xC0"}, bytes{"\x91\xC0"}, bytes{"\x93\x01\x02"},
                                 bytes{"\xDD\xFF\xFF\xFF\xFF"}, bytes{"junk"}, bytes{"\x91\xA0"},
                                 bytes{"\x91\xC4\x00", 3}, bytes(1000, '\x91'));
  CHECK(victim{}.send(type, payload) == errc::malformed);
}

TEST_CASE("empty texts do no harm, wherever they stand") {
  fake_endpoint e{1};
  for (const auto* payload : {"\x91\xA0", "\x94\xA0\xA0\xA0\xA0", "\x9B\xA0"}) {
    fake_session s{e, {}, 0};
    CHECK_FALSE(s.receive(framed(message::hello, payload), 0));
    CHECK(failed_with(s) == errc::malformed);
  }
}

TEST_CASE("a hello that promises nonsense is refused") {
  fake_endpoint e{1};
  sync::hello good;
  good.space = e.space();
  good.replica = rid(2);
  good.fingerprint = codec::fingerprint(e.descriptor());
  good.max_frame = codec::max_frame_body;
  good.credit = 1 << 20;
  const auto refused = [&](auto change) {
    auto m = good;
    change(m);
    fake_session s{e, {}, 0};
    const auto done = s.receive(framed(message::hello, encode(m)), 0);
    return done ? std::nullopt : std::optional{done.error().code};
  };
  CHECK_FALSE(refused([](auto&) {}));
  CHECK(refused([](auto& m) { m.max_frame = 100; }) == errc::malformed);
  CHECK(refused([](auto& m) { m.credit = 0; }) == errc::malformed);
  CHECK(refused([](auto& m) { m.credit = ~0ull; }) == errc::malformed);
  CHECK(refused([](auto& m) { m.head_count = ~0ull; }) == errc::malformed);
  CHECK(refused([](auto& m) { m.replica = {}; }) == errc::malformed);
  CHECK(refused([](auto& m) { m.oldest = 5; }) == errc::malformed);
}

TEST_CASE("heads that name an origin twice, or nobody, are refused") {
  const std::vector<history::head> twice{{rid(5), 1, {}}, {rid(5), 2, {}}};
  CHECK(victim{{}, 2}.send(message::heads, sync::encode_heads(twice)) == errc::malformed);
  const std::vector<history::head> nobody{{replica_id{}, 1, {}}};
  CHECK(victim{{}, 1}.send(message::heads, sync::encode_heads(nobody)) == errc::malformed);
  const std::vector<history::head> more{{rid(5), 1, {}}, {rid(6), 2, {}}};
  CHECK(victim{{}, 1}.send(message::heads, sync::encode_heads(more)) == errc::malformed);
  // In two messages as well.
  victim v{{}, 2};
  const std::vector<history::head> first{{rid(5), 1, {}}};
  CHECK(v.s.receive(framed(message::heads, sync::encode_heads(first)), 0));
  CHECK(v.send(message::heads, sync::encode_heads(first)) == errc::malformed);
}

TEST_CASE("more data than was granted is refused as a flood") {
  sync::session_options o;
  o.window = 2000;
  victim v{o};
  CHECK(v.send(message::changes, packed(noise(3000))) == errc::flooded);
  CHECK(v.e.batches == 0);
}

TEST_CASE("grants beyond the window are refused") {
  CHECK(victim{}.send(message::credit, sync::encode_credit(1 << 20)) == errc::protocol);
  CHECK(victim{}.send(message::credit, sync::encode_credit(0)) == errc::malformed);
}

TEST_CASE("pieces that do not follow each other, or promise too much, are refused") {
  using sync::part;
  CHECK(victim{}.send(message::part, encode(part{100, 5, "x"})) == errc::protocol);
  CHECK(victim{}.send(message::part, encode(part{3, 0, "four"})) == errc::protocol);
  CHECK(victim{}.send(message::part, encode(part{codec::max_changeset + 1, 0, "x"})) ==
        errc::too_large);
  CHECK(victim{}.send(message::part, encode(part{100, 0, ""})) == errc::malformed);
  victim other_total;
  CHECK(other_total.s.receive(framed(message::part, encode(part{100, 0, "x"})), 0));
  CHECK(other_total.send(message::part, encode(part{101, 1, "x"})) == errc::protocol);
  victim between;
  CHECK(between.s.receive(framed(message::part, encode(part{100, 0, "x"})), 0));
  CHECK(between.send(message::changes, packed(changeset(2))) == errc::protocol);
}

TEST_CASE("acknowledgements of what was not sent, or with another chain, are refused") {
  CHECK(victim{}.send(message::ack, encode(sync::ack{2, 0, {}})) == errc::protocol);
  CHECK(victim{}.send(message::ack, encode(sync::ack{1, 2, {}})) == errc::protocol);
  // The victim has sent its one changeset; the peer claims to have stored another under that dot.
  CHECK(victim{}.send(message::ack, encode(sync::ack{1, 0, {{rid(1), 1, {}}}})) == errc::fork);
  // The same in brief, after it was right the first time.
  victim twice;
  twice.s.take_output();
  const auto right = twice.e.heads().front();
  CHECK(twice.s.receive(framed(message::ack, encode(sync::ack{1, 0, {right}})), 0));
  sync::later_head later{0, 1, {}};
  std::copy_n(right.chain.view().begin(), later.chain.size(), later.chain.begin());
  CHECK(twice.s.receive(framed(message::ack, encode(sync::ack{1, 0, {}, {later}})), 0));
  later.chain[7] ^= 1;
  CHECK(twice.send(message::ack, encode(sync::ack{1, 0, {}, {later}})) == errc::fork);
  CHECK(victim{}.send(message::ack, encode(sync::ack{1, 0, {}, {later}})) == errc::protocol);
  // It even claims one that the victim never wrote.
  CHECK(victim{}.send(message::ack, encode(sync::ack{1, 0, {{rid(1), 2, {}}}})) == errc::fork);
}

TEST_CASE("a peer cannot make a session remember endless origins") {
  victim v;
  std::optional<errc> code;
  for (std::uint32_t i = 0; i < 200 && !code; ++i) {
    sync::ack m;
    for (std::uint32_t k = 0; k < 1000; ++k) {
      replica_id id = rid(7);
      const auto n = i * 1000 + k;
      std::memcpy(id.data.data(), &n, sizeof n);
      m.heads.push_back({id, 1, {}});
    }
    if (auto done = v.s.receive(framed(message::ack, encode(m)), 0); !done)
      code = done.error().code;
  }
  CHECK(code == errc::flooded);
}

TEST_CASE("changesets that are damaged, early, or forged in this replica's name are refused") {
  CHECK(victim{}.send(message::changes, packed("no changeset")) == errc::malformed);
  auto damaged = changeset(2);
  damaged.back() = '\xC1';
  CHECK(victim{}.send(message::changes, packed(damaged)) == errc::malformed);
  CHECK(victim{}.send(message::changes, packed(changeset(2, 5))) == errc::gap);
  CHECK(victim{}.send(message::changes, packed(changeset(1, 2))) == errc::fork);
  CHECK(victim{}.send(message::changes, packed(changeset(1, 1))) == errc::fork);  // other bytes
}

TEST_CASE("a batch with one bad changeset changes nothing") {
  victim v;
  CHECK(v.send(message::changes, packed({changeset(2), changeset(3, 9)})) == errc::gap);
  CHECK(v.e.log().size() == 1);
}

TEST_CASE("a peer that says it sent all, and kept some back, is found out") {
  victim v{{}, 1};
  const std::vector<history::head> promise{{rid(5), 3, {}}};
  CHECK(v.s.receive(framed(message::heads, sync::encode_heads(promise)), 0));
  CHECK(v.send(message::caught_up, "\x90") == errc::protocol);
}

TEST_CASE("a peer whose changesets do not lead to the head that it named is found out") {
  victim v{{}, 1};
  const std::vector<history::head> other{{rid(5), 1, {}}};
  CHECK(v.s.receive(framed(message::heads, sync::encode_heads(other)), 0));
  CHECK(v.send(message::changes, packed(changeset(5))) == errc::fork);
}

TEST_CASE("an endpoint that cannot store says why, and the peer is told") {
  victim v;
  v.e.refuse_ingest = error{errc::io, "the device is gone", "", ""};
  CHECK(v.send(message::changes, packed(changeset(2))) == errc::io);
}

TEST_CASE("an error message is taken as it is meant, and shown harmlessly") {
  victim v;
  error e{errc::wrong_space, "odd\x1B[31m text\n", bytes(5000, 'x'), ""};
  CHECK_FALSE(v.s.receive(framed(message::error, sync::encode(e)), 0));
  CHECK(failed_with(v.s) == errc::wrong_space);
  CHECK(v.s.failure()->what == "the peer says: odd?[31m text?");
  CHECK(v.s.failure()->where.size() == 500);
  victim unknown;
  CHECK_FALSE(
      unknown.s.receive(framed(message::error, sync::encode(error{errc{999}, "", "", ""})), 0));
  CHECK(failed_with(unknown.s) == errc::protocol);
  victim junk;
  CHECK_FALSE(junk.s.receive(framed(message::error, "junk"), 0));
  CHECK(failed_with(junk.s) == errc::protocol);
}

TEST_CASE("a session that failed stays failed, and one that finished ignores what follows") {
  victim v;
  v.send(message::ping, "junk");
  CHECK_FALSE(v.s.receive(framed(message::ping, "\x90"), 0));
  victim done;
  CHECK(done.s.receive(framed(message::bye, "\x90"), 0));
  CHECK(done.s.state() == session_state::finished);
  CHECK(done.s.receive("anything at all, even garbage", 0));
}

TEST_CASE("mutated conversations, with checksums that fit, end in a typed error or go on") {
  // Records what b says in a whole conversation; then says it to a fresh a with random changes.
  fake_endpoint template_a{1}, b{2};
  template_a.commit("one");
  for (int i = 0; i < 4; ++i) b.commit(noise(400, static_cast<std::uint64_t>(i)));
  b.schema_ = {{{"t", schema::delete_rule::update_wins, {{"f", crdt::kind::lww, "text"}}}}};
  struct message_sent {
    std::uint8_t type;
    bytes payload;
  };
  std::vector<message_sent> said;
  {
    auto a = template_a;
    auto source = b;
    sync::session_options o;
    o.batch = 600;
    fake_session sa{a, o, 0}, sb{source, o, 0};
    codec::frame_reader reader;
    for (int turn = 0; turn < 20; ++turn) {
      const auto out = sb.take_output();
      for (bytes_view left = out;;) {
        const auto f = reader.next(left);
        REQUIRE(f);
        if (!*f) break;
        said.push_back({(*f)->type, bytes{(*f)->payload}});
      }
      REQUIRE(sa.receive(out, 0));
      REQUIRE(sb.receive(sa.take_output(), 0));
    }
    REQUIRE(sb.in_sync());
  }
  std::mt19937 random{12345};
  const auto below = [&](std::size_t n) { return random() % std::max<std::size_t>(n, 1); };
  std::size_t failed = 0;
  constexpr std::size_t rounds = JOINERY_SANITIZED ? 600 : 4000;
  for (std::size_t round = 0; round < rounds; ++round) {
    auto script = said;
    for (auto changes = 1 + below(3); changes > 0; --changes) {
      auto& m = script[below(script.size())];
      switch (below(8)) {
        case 0: m.type = static_cast<std::uint8_t>(below(16)); break;
        case 1: m.payload.resize(below(m.payload.size())); break;
        case 2: m.payload += static_cast<char>(random()); break;
        case 3: std::swap(m, script[below(script.size())]); break;
        case 4: script.push_back(m); break;
        case 5:
          m.payload.insert(below(m.payload.size()), 1 + below(6), static_cast<char>(random()));
          break;
        default:
          if (!m.payload.empty())
            m.payload[below(m.payload.size())] ^= static_cast<char>(1 << below(8));
      }
    }
    auto a = template_a;
    fake_session s{a, {}, 0};
    codec::compressor squeeze;
    for (const auto& m : script) {
      bytes frame;
      codec::append_frame(frame, m.type, m.payload, below(2) == 0 ? &squeeze : nullptr);
      static_cast<void>(s.receive(frame, 0).has_value());
      s.take_output();
    }
    failed += s.state() == session_state::failed ? 1 : 0;
    // Whatever was said, only b's own changesets can have come in.
    for (const auto& e : a.log())
      if (e.origin == rid(2) && e.seq <= 4) REQUIRE(codec::decode_changeset(e.data));
  }
  CHECK(failed > rounds / 2);
}

TEST_CASE("random bytes after a good greeting never do harm") {
  std::mt19937 random{99};
  for (int round = 0; round < 2000; ++round) {
    victim v;
    bytes junk(1 + random() % 200, '\0');
    for (auto& c : junk) c = static_cast<char>(random());
    const auto type = static_cast<std::uint8_t>(1 + random() % 13);
    bytes frame;
    codec::append_frame(frame, type, junk);
    static_cast<void>(v.s.receive(frame, 0).has_value());
    static_cast<void>(v.s.receive(junk, 0).has_value());
    CHECK(v.e.log().size() == 1);
  }
}
