#include "joinery/codec/frame.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace joinery;
using codec::append_frame;
using codec::append_short_frame;
using codec::frame_reader;

namespace {

bytes noise(std::size_t size) {
  std::mt19937 random{7};
  bytes out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}

/// The code that reading `stream` ends with; nothing when there was no fault.
std::optional<errc> fault_in(bytes_view stream, std::size_t max_body = codec::max_frame_body) {
  frame_reader reader{max_body};
  for (;;) {
    const auto f = reader.next(stream);
    if (!f) return f.error().code;
    if (!*f) return std::nullopt;
  }
}

/// `frame` with its checksum put right.
bytes resealed(bytes frame) {
  frame.resize(frame.size() - 8);
  byte_writer{frame}.fixed64(codec::checksum(bytes_view{frame}.substr(4)));
  return frame;
}

}  // namespace

TEST_CASE("a frame has the bytes that docs/format.md gives") {
  bytes out;
  CHECK(append_frame(out, 12, "\x90") == 15);
  CHECK(to_hex(out) == "0000000b0c009016a33dfc780bdbd6");
}

TEST_CASE("a short frame has the bytes that docs/format-session.md gives") {
  bytes out;
  CHECK(append_short_frame(out, 12, "\x90") == 7);
  CHECK(to_hex(out).substr(0, 6) == "8c0190");
  const auto sum = codec::checksum(bytes_view{out}.substr(0, 3));
  bytes whole;
  byte_writer{whole}.fixed64(sum);
  CHECK(out.substr(3) == whole.substr(4));
}

TEST_CASE("what no short frame holds goes as any other") {
  for (const auto& [type, size] : {std::pair{12, 256}, {32, 1}, {200, 0}}) {
    bytes any, same;
    const bytes payload(static_cast<std::size_t>(size), 'x');
    append_short_frame(any, static_cast<std::uint8_t>(type), payload);
    append_frame(same, static_cast<std::uint8_t>(type), payload);
    CHECK(any == same);
  }
}

TEST_CASE("frames come out as they went in, whatever the chunks") {
  bytes stream;
  codec::compressor squeeze;
  std::vector<bytes> payloads{"", "a", bytes(1000, 'z'), noise(70'000), bytes(900'000, 'q')};
  for (const auto size : {0u, 1u, 2u, 100u, 254u, 255u, 256u}) payloads.push_back(noise(size));
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const auto append = i < 5 ? append_frame : append_short_frame;
    append(stream, static_cast<std::uint8_t>(i), payloads[i], i % 2 == 0 ? &squeeze : nullptr);
  }
  for (const std::size_t chunk : {1u, 3u, 4096u, 1u << 24}) {
    frame_reader reader;
    std::size_t got = 0, wire = 0;
    for (std::size_t at = 0; at < stream.size(); at += chunk) {
      auto input = bytes_view{stream}.substr(at, chunk);
      for (;;) {
        const auto f = reader.next(input);
        REQUIRE(f);
        if (!*f) break;
        REQUIRE(got < payloads.size());
        CHECK((*f)->type == got);
        CHECK((*f)->payload == payloads[got]);
        wire += (*f)->wire;
        ++got;
      }
      CHECK(input.empty());
    }
    CHECK(got == payloads.size());
    CHECK(wire == stream.size());
    CHECK(reader.between_frames());
  }
}

TEST_CASE("a frame that was cut is no frame yet, and no fault") {
  bytes stream;
  const auto append = GENERATE(append_frame, append_short_frame);
  append(stream, 1, noise(100), nullptr);
  for (std::size_t n = 0; n < stream.size(); ++n) {
    frame_reader reader;
    bytes_view input = bytes_view{stream}.substr(0, n);
    const auto f = reader.next(input);
    REQUIRE(f);
    CHECK_FALSE(*f);
    CHECK(reader.between_frames() == (n == 0));
  }
}

TEST_CASE("every flipped bit of a frame is found") {
  bytes stream;
  const auto append = GENERATE(append_frame, append_short_frame);
  append(stream, 4, "some payload", nullptr);
  for (std::size_t bit = 0; bit < stream.size() * 8; ++bit) {
    auto damaged = stream;
    damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    frame_reader reader;
    bytes_view input = damaged;
    const auto f = reader.next(input);
    CHECK((!f || !*f));  // a fault, or a longer length that never comes
  }
}

TEST_CASE("frames that are too long or too short are refused by their length alone") {
  CHECK(fault_in(bytes{"\x00\x10\x00\x01", 4}) == errc::too_large);
  CHECK(fault_in(bytes{"\x7F\xFF\xFF\xFF", 4}) == errc::too_large);
  CHECK(fault_in(bytes{"\x00\x00\x00\x09", 4}) == errc::malformed);
  CHECK(fault_in(bytes{"\x00\x00\x00\x00", 4}) == errc::malformed);
  CHECK(fault_in("\xA0") == errc::malformed);
  CHECK(fault_in("\xFF\xFF\xFF\xFF") == errc::malformed);
  bytes stream;
  append_frame(stream, 1, bytes(200, 'x'));
  CHECK(fault_in(stream, 200) == errc::too_large);
  CHECK_FALSE(fault_in(stream, 210));
}

TEST_CASE("flags that are not known are refused, and a fault stays") {
  bytes stream;
  append_frame(stream, 1, "x");
  stream[5] = 2;
  stream = resealed(stream);
  frame_reader reader;
  bytes_view input = stream;
  CHECK(reader.next(input).error().code == errc::unsupported);
  bytes good;
  append_frame(good, 1, "x");
  input = good;
  CHECK(reader.next(input).error().code == errc::unsupported);
}

TEST_CASE("what does not get smaller is not compressed") {
  CHECK_FALSE(codec::compressor{}(bytes(255, 'a')));
  CHECK_FALSE(codec::compressor{}(noise(5000)));
  const auto small = codec::compressor{}(bytes(5000, 'a'));
  REQUIRE(small);
  CHECK(small->size() < 100);
  CHECK(*codec::decompressed(*small, 5000) == bytes(5000, 'a'));
}

TEST_CASE("a compressed bomb is refused by what it claims, before anything is allocated") {
  bytes stream;
  append_frame(stream, 4, *codec::compressor{}(bytes(64u << 20, '\0')));
  stream[5] = 1;
  CHECK(stream.size() < 10'000);
  CHECK(fault_in(resealed(stream)) == errc::too_large);
}

TEST_CASE("compressed data must say its size, and say it truly") {
  const auto code = [](bytes_view data) {
    const auto d = codec::decompressed(data, 1 << 20);
    return d ? std::nullopt : std::optional{d.error().code};
  };
  const auto good = *codec::compressor{}(bytes(5000, 'a'));
  CHECK_FALSE(code(good));
  CHECK(code("") == errc::malformed);
  CHECK(code("no zstd") == errc::malformed);
  CHECK(code(good + "x") == errc::malformed);
  CHECK(code(good + good) == errc::malformed);
  for (std::size_t n = 0; n < good.size(); ++n) CHECK(code(good.substr(0, n)) == errc::malformed);

  // The size of 5000 stands in two bytes from offset 5 on, less 256.
  REQUIRE(good.substr(5, 2) == bytes{"\x88\x12", 2});
  auto more = good, less = good;
  more[6] = '\x13';
  less[6] = '\x11';
  CHECK(code(more) == errc::malformed);
  CHECK(code(less) == errc::malformed);

  // A stream without a size: the same content, the size flag and field taken out, a window given
  // instead.
  auto hidden = good;
  hidden.replace(4, 3, bytes{"\x00\x38", 2});
  CHECK(code(hidden) == errc::malformed);
  CHECK(codec::decompressed(hidden, 1 << 20).error().what.find("hides") != std::string::npos);
}

TEST_CASE("mutated frames with good checksums never do harm") {
  std::mt19937 random{42};
  bytes stream;
  codec::compressor squeeze;
  append_frame(stream, 4, bytes(3000, 'a') + noise(200), &squeeze);
  REQUIRE(stream[5] == 1);
  for (int round = 0; round < 20'000; ++round) {
    auto changed = stream;
    for (auto n = 1 + random() % 4; n > 0; --n)
      changed[5 + random() % (changed.size() - 13)] = static_cast<char>(random());
    frame_reader reader;
    const auto sealed = resealed(changed);
    bytes_view input = sealed;
    const auto f = reader.next(input);
    if (f && *f) CHECK((*f)->payload.size() <= codec::max_frame_body);
  }
}
