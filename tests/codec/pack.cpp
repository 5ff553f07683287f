// The envelope: MessagePack, one document, pulled item by item.
#include <catch2/catch.hpp>

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

TEST_CASE("arrays nest eight deep and not nine") {
  const auto nested = [](std::size_t depth) {
    bytes data(depth, '\x91');
    data.back() = '\x90';
    return pack_reader{data}.ok();
  };
  CHECK(nested(8));
  CHECK_FALSE(nested(9));
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
