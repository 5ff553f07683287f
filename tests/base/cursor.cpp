// Cursors: what is written is read, and nothing else is.
#include <catch2/catch.hpp>

#include <vector>

#include "joinery/base/cursor.hpp"
#include "joinery/testing/prng.hpp"

namespace {

using joinery::byte_reader;
using joinery::byte_writer;
using joinery::bytes;
using joinery::bytes_view;

bytes varint(std::uint64_t v) {
  bytes out;
  byte_writer{out}.varint(v);
  return out;
}

/// Numbers around every power of two.
std::vector<std::uint64_t> numbers() {
  std::vector<std::uint64_t> out{0, ~std::uint64_t{0}};
  for (int bit = 0; bit < 64; ++bit)
    for (int delta = -1; delta <= 1; ++delta)
      out.push_back((std::uint64_t{1} << bit) + static_cast<std::uint64_t>(delta));
  return out;
}

TEST_CASE("a varint is read back, and is as long as varint_size says") {
  for (const auto v : numbers()) {
    const auto data = varint(v);
    byte_reader in{data};
    CHECK(in.varint() == v);
    CHECK(in.finished());
    CHECK(data.size() == joinery::varint_size(v));
  }
  CHECK(varint(~std::uint64_t{0}).size() == 10);
}

TEST_CASE("a varint has one form: longer ones and those above 64 bits are refused") {
  for (const bytes_view data : {bytes_view{"\x80\0", 2}, bytes_view{"\xFF\x80\0", 3},
                                bytes_view{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\0", 10},
                                bytes_view{"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\2", 10},
                                bytes_view{"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x81\0", 11}}) {
    byte_reader in{data};
    CHECK(in.varint() == 0);
    CHECK_FALSE(in.ok());
  }
  joinery::testing::prng random(1);
  for (int i = 0; i < 20'000; ++i) {
    bytes data;
    for (auto n = 1 + random.below(11); n > 0; --n)
      data.push_back(static_cast<char>(random.chance(80) ? random.next() | 0x80 : random.next()));
    byte_reader in{data};
    const auto v = in.varint();
    if (in.ok()) CHECK(data.substr(0, in.position()) == varint(v));
  }
}

TEST_CASE("varint_up_to takes its limit and refuses what is above") {
  const auto data = varint(300);
  byte_reader fits{data}, above{data};
  CHECK(fits.varint_up_to(300) == 300);
  CHECK(fits.ok());
  CHECK(above.varint_up_to(299) == 0);
  CHECK_FALSE(above.ok());
}

TEST_CASE("zigzag keeps every signed number, small ones short") {
  for (const auto u : numbers())
    for (const auto v : {static_cast<std::int64_t>(u), -static_cast<std::int64_t>(u >> 1)}) {
      bytes data;
      byte_writer{data}.zigzag(v);
      byte_reader in{data};
      CHECK(in.zigzag() == v);
      CHECK(in.finished());
      if (v >= -64 && v < 64) CHECK(data.size() == 1);
    }
}

TEST_CASE("fixed64 is big-endian: the order of bytes is the order of numbers") {
  bytes data;
  byte_writer{data}.fixed64(0x0102030405060708);
  CHECK(joinery::to_hex(data) == "0102030405060708");
  byte_reader in{data};
  CHECK(in.fixed64() == 0x0102030405060708);
}

TEST_CASE("what is written in a row is read in a row") {
  bytes data;
  byte_writer out{data};
  out.u8(0xFF);
  out.block("block");
  out.raw("raw");
  out.block("");
  byte_reader in{data};
  CHECK(in.u8() == 0xFF);
  CHECK(in.block() == "block");
  CHECK(in.position() == 7);
  CHECK(in.left() == 4);
  CHECK(in.take(3) == "raw");
  CHECK(in.rest().size() == 1);
  CHECK(in.block().empty());
  CHECK(in.finished());
}

TEST_CASE("a length beyond the end is refused, however large") {
  for (const auto length : {std::uint64_t{5}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    const auto data = varint(length) + "four";
    byte_reader in{data};
    CHECK(in.block().empty());
    CHECK_FALSE(in.ok());
  }
}

TEST_CASE("the first fault is sticky: nothing is read after it and loops end") {
  const bytes_view data{"\1\2\3\4\5\6\7", 7};
  byte_reader in{data};
  CHECK(in.u8() == 1);
  CHECK(in.fixed64() == 0);
  CHECK_FALSE(in.ok());
  CHECK(in.at_end());
  CHECK_FALSE(in.finished());
  CHECK(in.left() == 0);
  CHECK(in.rest().empty());
  CHECK(in.u8() == 0);
  CHECK(in.varint() == 0);
  CHECK(in.zigzag() == 0);
  CHECK(in.block().empty());
  CHECK(in.take(0).empty());
  CHECK_FALSE(in.ok());
}

TEST_CASE("no reading leaves the bytes") {
  joinery::testing::prng random(2);
  for (int i = 0; i < 5'000; ++i) {
    bytes data;
    for (auto n = random.below(12); n > 0; --n) data.push_back(static_cast<char>(random.next()));
    byte_reader in{data};
    while (!in.at_end()) {
      const auto before = in.position();
      switch (random.below(5)) {
        case 0: in.u8(); break;
        case 1: in.varint(); break;
        case 2: in.fixed64(); break;
        case 3: in.take(random.below(20)); break;
        default: in.block();
      }
      if (in.ok()) CHECK(in.position() >= before);
      CHECK(in.position() + in.left() == data.size());
    }
  }
}

}  // namespace
