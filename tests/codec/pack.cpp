// The envelope: MessagePack, one document, pulled item by item.
#include <algorithm>
#include <catch2/catch.hpp>
#include <msgpack/null_visitor.hpp>
#include <msgpack/parse.hpp>
#include <msgpack/unpack.hpp>
#include <random>

#include "joinery/codec/checksum.hpp"
#include "joinery/codec/pack.hpp"

using namespace joinery;
using codec::pack_reader;
using codec::pack_writer;

TEST_CASE("a document gives back what was written, item by item") {
  const bytes large(70'000, 'x');
  bytes data;
  pack_writer w{data};
  w.array(6);
  w.u64(0);
  w.u64(~std::uint64_t{0});
  w.boolean(true);
  w.text("");
  w.binary(large);
  w.array(2);
  w.text("text");
  w.binary(bytes_view{"\0\xFF", 2});
  pack_reader in{data};
  CHECK(in.array() == 6);
  CHECK(in.u64() == 0);
  CHECK(in.u64() == ~std::uint64_t{0});
  CHECK(in.boolean());
  CHECK(in.text().empty());
  CHECK(in.binary() == large);
  CHECK(in.array() == 2);
  CHECK(in.text() == "text");
  CHECK_FALSE(in.finished());
  CHECK(in.binary() == bytes_view{"\0\xFF", 2});
  CHECK(in.finished());
  CHECK(in.u64() == 0);
  CHECK_FALSE(in.ok());
}

TEST_CASE("an empty text at the very end is read like any other") {
  bytes data;
  pack_writer w{data};
  w.array(2);
  w.binary("");
  w.text("");
  pack_reader in{data};
  in.array_of(2);
  CHECK(in.binary().empty());
  CHECK(in.text().empty());
  CHECK(in.finished());
}

TEST_CASE("the first fault of a reader stays") {
  bytes data;
  pack_writer w{data};
  w.array(3);
  w.u64(5);
  w.text("x");
  w.u64(7);
  pack_reader in{data};
  in.array();
  CHECK(in.u64_up_to(4) == 0);
  CHECK_FALSE(in.ok());
  CHECK(in.text().empty());
  CHECK(in.u64() == 0);
  CHECK_FALSE(in.finished());
  pack_reader other{data};
  other.array_of(2);
  CHECK_FALSE(other.ok());
  pack_reader third{data};
  third.array();
  CHECK(third.binary().empty());
  CHECK_FALSE(third.ok());
}

namespace {

// Asks a reader for whatever MessagePack's own library comes upon next.
struct asker : msgpack::null_visitor {
  pack_reader& in;
  bool ours = true;  // nothing else so far than what joinery writes
  explicit asker(pack_reader& reader) : in(reader) {}

  bool agrees(bool same) {
    if (ours) CHECK((same && in.ok()));
    return true;
  }
  bool foreign() {
    ours = false;
    return true;
  }
  bool visit_nil() { return foreign(); }
  bool visit_boolean(bool v) { return agrees(ours && in.boolean() == v); }
  bool visit_positive_integer(std::uint64_t v) { return agrees(ours && in.u64() == v); }
  bool visit_negative_integer(std::int64_t) { return foreign(); }
  bool visit_float32(float) { return foreign(); }
  bool visit_float64(double) { return foreign(); }
  bool visit_str(const char* v, std::uint32_t n) {
    return agrees(ours && in.text() == std::string_view{v, n});
  }
  bool visit_bin(const char* v, std::uint32_t n) {
    return agrees(ours && in.binary() == bytes_view{v, n});
  }
  bool visit_ext(const char*, std::uint32_t) { return foreign(); }
  bool start_array(std::uint32_t n) {
    // An array that claims more than there is ends the reader before its items do.
    if (ours && in.array() != n) cut = true, ours = false;
    return true;
  }
  bool start_map(std::uint32_t) { return foreign(); }
  void parse_error(std::size_t, std::size_t) {}
  void insufficient_bytes(std::size_t, std::size_t) {}
  bool cut = false;
};

}  // namespace

TEST_CASE("documents are read as MessagePack's own library reads them, bad ones included") {
  std::mt19937 random{7};
  const auto below = [&](std::uint32_t n) { return random() % n; };
  std::size_t whole = 0, broken = 0, foreign = 0;
  for (int round = 0; round < 60'000; ++round) {
    bytes data;
    pack_writer w{data};
    const auto items = below(20);
    w.array(items);
    for (std::uint32_t i = 0; i < items; ++i) {
      const bytes content(below(4) == 0 ? below(70'000) >> below(17) : below(40), 'c');
      switch (below(5)) {
        case 0: w.u64(std::uint64_t{random()} << 32 >> below(64)); break;
        case 1: w.boolean(below(2) == 0); break;
        case 2: w.text(content); break;
        case 3: w.binary(content); break;
        default: w.array(0);
      }
    }
    for (auto n = below(3); n > 0; --n)
      data[below(8) > 0 ? below(std::min(40u, static_cast<std::uint32_t>(data.size()))) : 0] =
          static_cast<char>(random());
    if (below(8) == 0) data.resize(1 + below(static_cast<std::uint32_t>(data.size())));
    pack_reader in{data};
    asker each{in};
    std::size_t end = 0;
    if (!msgpack::parse(data.data(), data.size(), end, each)) {
      ++broken;
      in.u64();  // where it stands something is missing, or wrong
      CHECK_FALSE(in.ok());
    } else if (each.ours) {
      ++whole;
      CHECK(in.finished() == (end == data.size()));
    } else {
      ++foreign;
      CHECK_FALSE(each.cut);
    }
  }
  CHECK(whole > 10'000);
  CHECK(broken > 5'000);
  CHECK(foreign > 2'000);
}

TEST_CASE("an array that says more items than there are bytes is none") {
  for (const bytes_view data : {bytes_view{"\x93\x01\x02"}, bytes_view{"\xDC\x00\x01", 3},
                                bytes_view{"\xDD\xFF\xFF\xFF\xFF\x01", 6}}) {
    pack_reader in{data};
    CHECK(in.array() == 0);
    CHECK_FALSE(in.ok());
  }
}

TEST_CASE(
    "a sealed value opens under its own key in its own place only, and with every bit right") {
  const auto value = codec::sealed(3, "key", "content");
  CHECK(codec::unsealed(3, "key", value) == bytes_view{"content"});
  CHECK_FALSE(codec::unsealed(4, "key", value));
  CHECK_FALSE(codec::unsealed(3, "other", value));
  CHECK_FALSE(codec::unsealed(3, "key", ""));
  for (std::size_t size = 0; size < value.size(); ++size)
    CHECK_FALSE(codec::unsealed(3, "key", bytes_view{value}.substr(0, size)));
  for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
    auto damaged = value;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    CHECK_FALSE(codec::unsealed(3, "key", damaged));
  }
  CHECK(codec::unsealed(3, "", codec::sealed(3, "", "")) == bytes_view{});
}
