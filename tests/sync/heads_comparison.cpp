// Two lists of heads, compared by ranges: each side learns exactly what the other has.
#include <catch2/catch.hpp>

#include "joinery/sync/heads_comparison.hpp"
#include "joinery/testing/prng.hpp"

namespace {

using namespace joinery;
using sync::heads_comparison;
using heads = std::vector<history::head>;

replica_id some_id(testing::prng& dice) {
  bytes raw;
  for (int i = 0; i < 16; ++i) raw.push_back(static_cast<char>(dice.below(256)));
  raw[15] = static_cast<char>(raw[15] | 1);  // not none
  return *replica_id::from_bytes(raw);
}
history::head some_head(testing::prng& dice) {
  const auto id = some_id(dice);
  return {id, 1 + dice.below(1000), crypto::hasher{}.add(id.view()).finish()};
}
heads sorted(heads all) {
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.origin < b.origin; });
  return all;
}

struct meeting {
  std::size_t bytes_sent = 0;  // by one side
  int rounds = 0;
  heads learnt_by_a, learnt_by_b;
};
meeting meet(const heads& of_a, const heads& of_b) {
  heads_comparison a{of_a, of_b.size()}, b{of_b, of_a.size()};
  meeting m;
  while (!a.done() || !b.done()) {
    REQUIRE(a.done() == b.done());
    ++m.rounds;
    const auto from_a = a.round(), from_b = b.round();
    for (const auto& message : from_a) {
      CHECK(message.size() < 40'000);
      m.bytes_sent += message.size();
      const auto over = b.take(message);
      REQUIRE(over);
      CHECK(*over == (&message == &from_a.back()));
    }
    for (const auto& message : from_b) REQUIRE(a.take(message));
  }
  m.learnt_by_a = std::move(a).theirs();
  m.learnt_by_b = std::move(b).theirs();
  return m;
}

}  // namespace

TEST_CASE("each side learns exactly what the other has, whatever they have in common") {
  testing::prng dice{11};
  for (int n = 0; n < (JOINERY_SANITIZED ? 60 : 300); ++n) {
    heads a, b;
    const auto size = dice.below(400);
    for (std::uint64_t i = 0; i < size; ++i) {
      const auto h = some_head(dice);
      const auto fate = dice.below(20);
      if (fate != 0) a.push_back(h);
      if (fate != 1) b.push_back(h);
      if (fate == 2) b.back().seq += 1;
      if (fate == 3) a.back().chain = crypto::hasher{}.finish();  // a fork
    }
    const auto m = meet(a, b);
    CHECK(sorted(m.learnt_by_a) == sorted(b));
    CHECK(sorted(m.learnt_by_b) == sorted(a));
  }
}

TEST_CASE("ids that share almost all of their bits are told apart") {
  testing::prng dice{12};
  heads a, b;
  auto raw = bytes{some_id(dice).view()};
  for (int i = 0; i < 256; ++i) {
    raw[14] = static_cast<char>(i);
    a.push_back({*replica_id::from_bytes(raw), 1, {}});
    b.push_back({*replica_id::from_bytes(raw), i % 3 == 0 ? 2u : 1u, {}});
  }
  const auto m = meet(a, b);
  CHECK(sorted(m.learnt_by_a) == sorted(b));
  CHECK(sorted(m.learnt_by_b) == sorted(a));
}

TEST_CASE("10,000 origins, of which one has written more, cost some kilobytes") {
  testing::prng dice{13};
  heads a;
  for (int i = 0; i < 10'000; ++i) a.push_back(some_head(dice));
  auto b = a;
  b[777].seq += 1;
  const auto m = meet(a, b);
  CHECK(sorted(m.learnt_by_a) == sorted(b));
  CHECK(m.bytes_sent < 4000);
  CHECK(m.rounds <= 3);
}

TEST_CASE("whatever a peer says instead is refused, and changes nothing that follows") {
  testing::prng dice{14};
  heads ours, theirs;
  for (int i = 0; i < 200; ++i) ours.push_back(some_head(dice));
  for (int i = 0; i < 200; ++i) theirs.push_back(some_head(dice));
  heads_comparison other{theirs, ours.size()};
  const auto good = other.round().at(0);
  for (int n = 0; n < 2000; ++n) {
    heads_comparison c{ours, theirs.size()};
    auto bad = good;
    for (auto k = 1 + dice.below(3); k > 0; --k)
      bad[dice.below(bad.size())] = static_cast<char>(dice.below(256));
    if (dice.below(4) == 0) bad.resize(dice.below(bad.size()));
    static_cast<void>(c.take(bad));  // a value or nothing; sanitizers see the rest
    for (const auto& message : c.round()) CHECK(message.size() < 40'000);
  }
  heads_comparison c{ours, theirs.size()};
  CHECK_FALSE(c.take(""));
  CHECK_FALSE(c.take(bytes{"\x90", 1}));
}
