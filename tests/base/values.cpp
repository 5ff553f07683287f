// result, error, ids, hexadecimal digits and the injected clock.
#include <catch2/catch.hpp>

#include <memory>
#include <unordered_set>

#include "joinery/base/clock.hpp"
#include "joinery/base/id128.hpp"
#include "joinery/base/result.hpp"
#include "joinery/base/shared_bytes.hpp"
#include "joinery/base/short_bytes.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/testing/prng.hpp"

namespace {

using joinery::errc;
using joinery::error;
using joinery::failure;
using joinery::result;
using id = joinery::id128<struct a_tag>;

const error full{errc::full, "no space left", "data.mdb", "free some"};

TEST_CASE("a result holds its value") {
  result<std::string> r = std::string("seven");
  REQUIRE(r);
  CHECK(*r == "seven");
  CHECK(r->size() == 5);
  CHECK(r.value() == "seven");
  r.value() += "teen";
  CHECK(std::move(r).value() == "seventeen");
}

TEST_CASE("a result without a value says why, and throws it where the value is asked for") {
  const result<int> r = full;
  CHECK_FALSE(r);
  CHECK_FALSE(r.has_value());
  CHECK(r.error().code == errc::full);
  try {
    (void)r.value();
    FAIL("there was a value");
  } catch (const failure& f) {
    CHECK(f.error().where == "data.mdb");
    CHECK(std::string(f.what()) == full.text());
  }
}

TEST_CASE("a result of nothing is good or an error") {
  const result<> good;
  CHECK(good);
  CHECK_NOTHROW(good.value());
  const result<> bad = full;
  CHECK_FALSE(bad);
  CHECK(bad.error().what == "no space left");
  CHECK_THROWS_AS(bad.value(), failure);
}

TEST_CASE("a result carries what can only be moved") {
  result<std::unique_ptr<int>> r = std::make_unique<int>(7);
  const auto taken = std::move(r).value();
  CHECK(*taken == 7);
}

TEST_CASE("an error reads as one line: code, what, where, advice") {
  CHECK(full.text() == "full: no space left (data.mdb); free some");
  CHECK(error{errc::gap, "missing", "", ""}.text() == "gap: missing");
}

TEST_CASE("every error code has a name of its own") {
  std::unordered_set<std::string_view> names;
  int codes = 0;
  for (int c = 0; c < 100; ++c) {
    const auto name = name_of(static_cast<errc>(c));
    if (name == "unknown") continue;
    ++codes;
    names.insert(name);
  }
  CHECK(codes >= 23);
  CHECK(static_cast<int>(names.size()) == codes);
}

TEST_CASE("ids are ordered as unsigned bytes, and read back from exactly sixteen") {
  id low, high;
  low.data[0] = 0x7F;
  high.data[0] = 0x80;
  CHECK(low < high);
  CHECK(id::from_bytes(low.view()) == low);
  CHECK_FALSE(id::from_bytes(low.view().substr(1)).has_value());
  CHECK_FALSE(id::from_bytes(low.hex()).has_value());
  CHECK(high.hex() == "80000000000000000000000000000000");
  CHECK(id{}.is_none());
  CHECK_FALSE(high.is_none());
  CHECK(std::unordered_set<id>{low, high, low}.size() == 2);
}

TEST_CASE("a new replica id is never none, even of a random source that begins with zeros") {
  struct late final : joinery::random_source {
    int calls = 0;
    void fill(std::span<unsigned char> out) override {
      for (auto& byte : out) byte = calls == 0 ? 0 : 9;
      ++calls;
    }
  } random;
  CHECK_FALSE(joinery::new_replica_id(random).is_none());
  CHECK(random.calls == 2);
}

TEST_CASE("an id is read back from its digits, and from nothing else") {
  const auto one = joinery::replica_id::from_hex("0123456789abcdefABCDEF0000000001");
  REQUIRE(one);
  CHECK(one->hex() == "0123456789abcdefabcdef0000000001");
  CHECK(joinery::replica_id::from_hex(one->hex()) == one);
  for (const auto* bad : {"", "01", "0123456789abcdefABCDEF00000000g1"})
    CHECK_FALSE(joinery::replica_id::from_hex(bad));
}

TEST_CASE("bytes are shown as two digits each") {
  CHECK(joinery::to_hex(joinery::bytes_view{"\0\x0F\xF0\xFF", 4}) == "000ff0ff");
  CHECK(joinery::to_hex("").empty());
}

TEST_CASE("a manual clock stands still; the system's is past 2020") {
  joinery::manual_clock still(7);
  CHECK(still.now_ms() == 7);
  CHECK(still.now_ms() == 7);
  still.now = 5;
  CHECK(still.now_ms() == 5);
  CHECK(joinery::system_clock{}.now_ms() > 1'577'836'800'000);
}

TEST_CASE("a seed gives the same numbers everywhere") {
  joinery::testing::prng random(0);
  CHECK(random.next() == 0xE220A8397B1DCDAF);  // SplitMix64's published first outputs for 0
  CHECK(random.next() == 0x6E789E6AA1B965F4);
  CHECK(random.next() == 0x06C45D188009454F);
  CHECK(random.below(1) == 0);
}

TEST_CASE("edits made together are those made one by one from the last to the first") {
  using namespace joinery;
  testing::prng random(9);
  const auto some = [&](std::uint64_t most) {
    return bytes(random.below(most), static_cast<char>('a' + random.below(26)));
  };
  shared_bytes shared;
  bytes expected;
  shared_bytes kept;
  for (int round = 0; round < 3000; ++round) {
    if (random.below(3) == 0) kept = shared;  // another owner: what it has must not change
    const bytes had{kept.view()};
    byte_edit all[3];
    bytes inserted[3];
    std::size_t count = 0, at = 0;
    for (; count < 3 && random.below(4) > 0; ++count) {
      at += random.below(expected.size() - at + 1);
      const auto removed = random.below(std::min<std::size_t>(expected.size() - at, 40) + 1);
      inserted[count] = some(random.below(2) == 0 ? 5 : 60);
      all[count] = {at, removed, inserted[count]};
      at += removed;
    }
    for (auto i = count; i > 0; --i)
      expected.replace(all[i - 1].at, all[i - 1].removed, inserted[i - 1]);
    make_edits(shared, {all, count});
    REQUIRE(shared.view() == expected);
    REQUIRE(kept.view() == had);
    if (random.below(40) == 0) shared = shared_bytes{expected = some(300)};
  }
}

TEST_CASE("a short string moves and is copied, wherever it stands") {
  using joinery::short_bytes;
  for (const std::size_t size : {0u, 5u, 20u, 21u, 400u}) {
    const std::string owned(size, 'k');
    const joinery::bytes_view content{owned};
    short_bytes a{content}, b{joinery::bytes_view{"other, and longer than fits in place"}};
    b = a;
    CHECK(b == content);
    short_bytes moved{std::move(a)};
    CHECK(moved == content);
    CHECK(a.empty());
    b = std::move(moved);
    CHECK(b == content);
    a = b;
    CHECK(a == b);
  }
}

}  // namespace
