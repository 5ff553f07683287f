// The transit form of changesets: what comes out is what went in, whatever it was; what is damaged
// gives a typed error; and it is small.
#include <catch2/catch.hpp>

#include "joinery/codec/changeset.hpp"
#include "joinery/codec/transit/decoder.hpp"
#include "joinery/codec/transit/encoder.hpp"
#include "tests/codec/random_changesets.hpp"

using namespace codec_tests;
using codec::transit::decoder;
using codec::transit::encoder;

namespace {

constexpr std::size_t most = 1u << 20;

bytes frame_of(encoder& e, const std::vector<bytes>& changesets) {
  for (const auto& c : changesets) e.add(c);
  const auto bound = e.bound();
  bytes out;
  e.finish(out);
  CHECK(out.size() <= bound);
  return out;
}

/// Both ends of a stream.
struct stream {
  encoder e;
  decoder d;
  std::size_t carried = 0;

  explicit stream(std::uint64_t memory = 1u << 20) : e(memory), d(memory) {}
  /// Whether one frame brings over exactly these.
  bool carries(const std::vector<bytes>& changesets) {
    const auto frame = frame_of(e, changesets);
    carried += frame.size();
    const auto got = d.decode(frame, most);
    return got && std::equal(got->begin(), got->end(), changesets.begin(), changesets.end());
  }
};

}  // namespace

TEST_CASE("changesets come out as they went in") {
  const auto memory = GENERATE(as<std::uint64_t>{}, codec::transit::min_memory, 1u << 20);
  const auto seed = GENERATE(range(1u, 13u));
  changeset_source source{seed};
  stream s{memory};
  std::size_t plain = 0;
  for (int n = 0; n < 150; ++n) {
    std::vector<bytes> batch(1 + source.below(n % 10 == 0 ? 40 : 3));
    for (auto& c : batch) plain += (c = source.next()).size();
    REQUIRE(s.carries(batch));
  }
  CHECK(s.carried < plain / 4 * 3);
}

TEST_CASE("bytes that are no changeset, or one in another form, come out as they went in") {
  const auto seed = GENERATE(range(1u, 9u));
  changeset_source source{seed};
  stream s;
  for (int n = 0; n < 2000; ++n) {
    std::vector<bytes> batch;
    for (auto k = 1 + source.below(3); k > 0; --k) {
      batch.push_back(source.next());
      source.disturb(batch.back());
    }
    REQUIRE(s.carries(batch));
  }
}

TEST_CASE("every one-byte change of a changeset comes out as it went in") {
  changeset_source source{3};
  const auto good = source.next_of(3);
  stream s;
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const int to : {0, 1, 0x7F, 0x80, 0x91, 0xCC, 0xD9, 0xFF}) {
      auto changed = good;
      changed[at] = static_cast<char>(to);
      REQUIRE(s.carries({changed, good}));
    }
  for (std::size_t n = 0; n < good.size(); ++n) REQUIRE(s.carries({good.substr(0, n), good + "x"}));
}

TEST_CASE("numbers of every size come out as they went in") {
  codec::transit::model_writer writer;
  codec::transit::model_reader reader;
  codec::transit::bit_writer out;
  std::vector<std::uint64_t> all;
  for (unsigned bit = 0; bit < 64; ++bit)
    for (const std::uint64_t near : {0u, 1u, 2u, 3u})
      for (const auto n : {(std::uint64_t{1} << bit) + near, (std::uint64_t{1} << bit) - near})
        all.push_back(n);
  for (int i = 0; i < 20'000; ++i) all.push_back(static_cast<std::uint64_t>(i % 7));
  for (const auto n : all) put_number(writer, out, n);
  codec::transit::bit_reader in{out.view()};
  for (const auto n : all) REQUIRE(get_number(reader, in) == n);
  CHECK(in.finished());
  CHECK(out.size() < 12 * 64 * 40 + 20'000 * 3);
}

TEST_CASE("codes are complete and within their limit, for any counts") {
  std::mt19937 random{5};
  for (int round = 0; round < 2000; ++round) {
    codec::transit::symbol_counts counts;
    const auto used = 2 + random() % 256;
    for (std::size_t i = 0; i < used; ++i) {
      const auto symbol = random() % codec::transit::symbol_count;
      if (counts[symbol] == 0)
        counts.add(symbol, static_cast<std::uint16_t>(1 + (random() >> (random() % 32)) % 60'000));
    }
    std::size_t symbols = 0, room = 0;
    for (std::size_t s = 0; s < codec::transit::symbol_count; ++s) symbols += counts[s] > 0 ? 1 : 0;
    std::vector<bool> taken(1u << codec::transit::longest_code);
    codec::transit::assign_codes(counts, [&](const codec::transit::coded_symbol& c) {
      REQUIRE(c.length >= 1);
      REQUIRE(c.length <= codec::transit::longest_code);
      for (std::size_t at = c.code; at < taken.size(); at += std::size_t{1} << c.length) {
        REQUIRE_FALSE(taken[at]);
        taken[at] = true;
        ++room;
      }
      --symbols;
    });
    CHECK(symbols == 0);
    if (used > 2) CHECK((room == taken.size() || room == taken.size() / 2));
  }
}

TEST_CASE("what both sides know does not travel again") {
  std::vector<bytes> keys;
  changeset_source source{1};
  for (int i = 0; i < 1000; ++i) keys.push_back(source.noise(16));
  const auto changeset = [&](std::uint64_t seq) {
    codec::changeset_writer w;
    for (std::uint64_t k = 0; k < 10; ++k)
      w.add("workouts", keys[(seq * 10 + k) % keys.size()],
            {crdt::cell_action::update, 1, "likes", crdt::kind::pn_counter,
             crdt::pn_counter::add(1)});
    return w.encode(source.origin(1), seq, seq << 16, {});
  };
  stream s;
  std::uint64_t seq = 0;
  for (int i = 0; i < 100; ++i) REQUIRE(s.carries({changeset(++seq)}));
  CHECK(s.carried > 16'000);  // every key once
  s.carried = 0;
  for (int i = 0; i < 100; ++i) REQUIRE(s.carries({changeset(++seq)}));
  CHECK(s.carried < 1000 * 2);
}

TEST_CASE("a text that comes again and again travels once") {
  stream s;
  changeset_source source{2};
  const auto prose = source.prose(400);
  std::uint64_t seq = 0;
  const auto next = [&] {
    codec::changeset_writer w;
    w.add("posts", source.noise(16),
          {crdt::cell_action::update, 1, "text", crdt::kind::lww,
           crdt::lww<std::string>::set(prose)});
    ++seq;
    return w.encode(source.origin(1), seq, seq << 16, {});
  };
  for (int i = 0; i < 10; ++i) REQUIRE(s.carries({next()}));
  s.carried = 0;
  for (int i = 0; i < 64; ++i) REQUIRE(s.carries({next()}));
  CHECK(s.carried < 64 * 70);
}

TEST_CASE("no changeset makes a frame longer than was said") {
  changeset_source source{9};
  encoder e{codec::transit::min_memory};
  for (int n = 0; n < 20'000; ++n) {
    auto c = source.next();
    if (n % 3 == 0) source.disturb(c);
    const auto before = e.bound();
    e.add(c);
    REQUIRE(e.bound() <= before + codec::transit::most_added(c.size()));
    if (n % 16 == 0) {
      const auto bound = e.bound();
      bytes out;
      e.finish(out);
      REQUIRE(out.size() <= bound);
    }
  }
}

TEST_CASE("a frame of more than the reader takes is refused as too large, and stays so") {
  encoder e{1u << 20};
  changeset_source source{4};
  std::vector<bytes> batch;
  std::size_t size = 0;
  for (int i = 0; i < 50; ++i) size += batch.emplace_back(source.next()).size();
  const auto frame = frame_of(e, batch);
  CHECK(decoder{1u << 20}.decode(frame, size));
  for (const auto less : {std::size_t{0}, size / 2, size - 1}) {
    decoder d{1u << 20};
    const auto got = d.decode(frame, less);
    REQUIRE_FALSE(got);
    CHECK((got.error().code == errc::too_large || got.error().code == errc::malformed));
    CHECK_FALSE(d.decode(frame, most));
  }
}

TEST_CASE("a small frame that claims to be a huge one takes no memory for it") {
  // As many changesets as fit, each nothing but what the one before it was.
  encoder e{1u << 20};
  codec::changeset_writer w;
  for (int i = 0; i < 2000; ++i)
    w.add("t", std::to_string(i), {crdt::cell_action::create, 1, {}, {}, {}});
  const auto c = w.encode(changeset_source{1}.origin(1), 1, 1, {});
  std::vector<bytes> batch(200, c);
  const auto frame = frame_of(e, batch);
  CHECK(frame.size() < batch.size() * c.size() / 8);
  const auto got = decoder{1u << 20}.decode(frame, 64u << 10);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == errc::too_large);
}

TEST_CASE("damaged frames give changesets or a typed error") {
  const auto seed = GENERATE(range(1u, 5u));
  changeset_source source{seed};
  std::mt19937 random{seed};
  constexpr std::size_t rounds = JOINERY_SANITIZED ? 300 : 1500;
  std::size_t refused = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    encoder e{codec::transit::min_memory};
    decoder d{codec::transit::min_memory};
    for (int n = 0; n < 4; ++n) {
      std::vector<bytes> batch(1 + source.below(4));
      for (auto& c : batch) c = source.next();
      auto frame = frame_of(e, batch);
      for (auto k = random() % 4; k > 0 && n > 0; --k) {
        if (frame.empty()) break;
        if (random() % 8 == 0)
          frame.resize(random() % frame.size());
        else
          frame[random() % frame.size()] = static_cast<char>(random());
        if (frame.empty()) break;
      }
      const auto got = d.decode(frame, 64u << 10);
      if (got) {
        std::size_t size = 0;
        for (const auto c : *got) size += c.size();
        REQUIRE(size <= 64u << 10);
      } else {
        const auto code = got.error().code;
        REQUIRE((code == errc::malformed || code == errc::too_large));
        ++refused;
      }
    }
  }
  CHECK(refused > rounds / 3);
}

TEST_CASE("random bytes are no frame, or a frame of something") {
  std::mt19937 random{11};
  for (int round = 0; round < (JOINERY_SANITIZED ? 4'000 : 20'000); ++round) {
    bytes junk(random() % 300, '\0');
    for (auto& c : junk) c = static_cast<char>(random());
    decoder d{codec::transit::min_memory};
    const auto got = d.decode(junk, 64u << 10);
    if (!got) REQUIRE((got.error().code == errc::malformed || got.error().code == errc::too_large));
  }
}

TEST_CASE("records go by number where both ends know them, and nowhere else") {
  changeset_source source{5};
  std::map<std::pair<bytes, bytes>, std::uint32_t> numbers;
  std::vector<bytes> keys{{}};
  encoder by_key{1u << 20}, by_number{1u << 20};
  decoder knows{1u << 20}, lacks_one{1u << 20}, knows_none{1u << 20};
  std::size_t with_keys = 0, with_numbers = 0;
  for (int n = 0; n < 200; ++n) {
    const auto c = source.next_of(1 + source.below(12));
    const auto parsed = codec::decode_changeset(c);
    if (!parsed) continue;
    std::vector<std::uint32_t> here;
    for (const auto& r : parsed->records) {
      here.push_back(0);
      if (source.below(4) == 0) continue;  // not numbered yet
      const std::pair name{bytes{parsed->names[r.table]}, bytes{r.key}};
      const auto [at, fresh] = numbers.emplace(name, static_cast<std::uint32_t>(keys.size()));
      if (fresh) keys.push_back(name.second);
      here.back() = at->second;
    }
    bytes frame;
    by_number.add(c, here);
    by_number.finish(frame);
    with_numbers += frame.size();
    with_keys += frame_of(by_key, {c}).size();
    const auto key_of = [&](std::uint32_t of) {
      return of < keys.size() ? std::optional{bytes_view{keys[of]}} : std::nullopt;
    };
    const auto got = knows.decode(frame, most, key_of);
    REQUIRE(got);
    REQUIRE(got->size() == 1);
    REQUIRE(got->front() == c);
    const auto bad = lacks_one.decode(
        frame, most, [&](std::uint32_t of) { return of == 9 ? std::nullopt : key_of(of); });
    if (!bad) CHECK(bad.error().code == errc::malformed);
    static_cast<void>(knows_none.decode(frame, most));
  }
  CHECK(with_numbers < with_keys);
  bytes frame;
  by_number.add(source.next_of(1));
  by_number.finish(frame);
  CHECK_FALSE(lacks_one.decode(frame, most));
  CHECK_FALSE(knows_none.decode(frame, most));
}

TEST_CASE("records with one number, as in a forged store, are named in full") {
  codec::changeset_writer w;
  for (const auto key : {"a", "b", "c", "d", "e", "f"})
    w.add("table", key, {crdt::cell_action::create, 1, {}, {}, {}});
  const auto c = w.encode(replica_id{{1}}, 1, 1000, {});
  encoder e{codec::transit::min_memory};
  decoder d{codec::transit::min_memory};
  const std::uint32_t numbers[] = {7, 5, 7, 8, 0, 7};
  bytes frame;
  e.add(c, numbers);
  e.finish(frame);
  const auto got = d.decode(frame, most, [](std::uint32_t of) {
    return of == 5   ? std::optional<bytes_view>{"b"}
           : of == 8 ? std::optional<bytes_view>{"d"}
                     : std::nullopt;
  });
  REQUIRE(got);
  CHECK(got->front() == c);
}
