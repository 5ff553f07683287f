// Fuzzer of frames, checksums and compression.
//
// Strategy: the first byte chooses the largest body that is taken and the sizes of the chunks, the
// rest is a stream of bytes. After a mutation the lengths and checksums of nearly all frames are
// set right again, and now and then a payload is compressed, so that what lies behind them is
// reached.
// Invariants: the frames and the fault do not depend on how the stream is cut; no payload is larger
// than was allowed, nor allocated before that is known; a frame that is written again is read as
// the same; a fault is one of four and stays. Memory is bounded by the largest body.
#include "joinery/codec/frame.hpp"
#include "fuzz/support/input.hpp"

namespace fuzz::of_frames {

using namespace joinery;

struct heard {
  std::vector<std::pair<std::uint8_t, bytes>> frames;
  std::optional<errc> fault;
  bool whole = false;  // it ended between two frames
  friend bool operator==(const heard&, const heard&) = default;
};

heard listen(bytes_view stream, std::size_t most, std::size_t chunk) {
  heard out;
  codec::frame_reader reader{most};
  while (!stream.empty() && !out.fault) {
    auto piece = stream.substr(0, chunk);
    stream.remove_prefix(piece.size());
    for (;;) {
      const auto f = reader.next(piece);
      if (!f) out.fault = f.error().code;
      if (!f || !*f) break;
      demand((*f)->payload.size() <= std::max(most, codec::min_frame_body), "a payload too large");
      out.frames.emplace_back((*f)->type, (*f)->payload);
    }
    demand(out.fault || piece.empty(), "bytes that were left over");
  }
  if (out.fault) {
    bytes_view more = "more";
    const auto again = reader.next(more);
    demand(!again && again.error().code == *out.fault, "a fault that does not stay");
  }
  out.whole = !out.fault && reader.between_frames();
  return out;
}

std::size_t most_of(std::uint8_t choice) {
  constexpr std::size_t sizes[] = {0, 64, 1000, 4096, 64u << 10};
  return sizes[choice % std::size(sizes)];
}

void run(bytes_view data) {
  input in{data};
  const auto choice = in.u8();
  const auto most = most_of(choice);
  const auto stream = in.rest();
  const auto at_once = listen(stream, most, stream.size());
  demand(listen(stream, most, 1 + choice % 7) == at_once, "chunks make a difference");
  if (at_once.fault) {
    const auto code = *at_once.fault;
    demand(code == errc::malformed || code == errc::checksum || code == errc::too_large ||
               code == errc::unsupported,
           "an error of another kind");
  }
  bytes again;
  codec::compressor squeeze;
  for (const auto& [type, payload] : at_once.frames) {
    const auto append = choice % 3 == 0 ? codec::append_frame : codec::append_short_frame;
    append(again, type, payload, choice % 2 == 0 ? &squeeze : nullptr);
  }
  const auto second = listen(again, codec::max_frame_body, again.size() + 1);
  demand(second.frames == at_once.frames && !second.fault && (second.whole || again.empty()),
         "frames that are written again are read differently");
}

/// Nearly all frames of a stream get the length and the checksum that they should have.
bytes mend(bytes_view mutated, prng& dice) {
  bytes out{mutated.substr(0, 1)};
  codec::compressor squeeze;
  auto left = mutated.substr(out.size());
  while (left.size() >= codec::frame_head + codec::min_frame_body) {
    if (static_cast<unsigned char>(left[0]) >= 0x80) {
      const auto size = std::min<std::size_t>(static_cast<unsigned char>(left[1]), left.size() - 6);
      codec::append_short_frame(out, left[0] & 31, left.substr(2, size));
      left.remove_prefix(size + codec::short_frame_overhead);
      continue;
    }
    std::size_t body = 0;
    for (std::size_t i = 0; i < codec::frame_head; ++i)
      body = body << 8 | static_cast<unsigned char>(left[i]);
    const auto whole = left.size() - codec::frame_head;
    body = std::clamp(body, codec::min_frame_body, whole);
    const auto content = left.substr(codec::frame_head, body - 8);
    const auto payload = content.substr(2);
    if (dice.chance(85)) {
      bytes kept{content};
      if (dice.chance(10) && (content[1] & codec::frame_zstd) == 0)
        if (const auto small = squeeze(payload)) {
          kept.resize(1);
          kept.push_back('\1');
          kept += *small;
        }
      byte_writer w{out};
      const auto size = kept.size() + 8;
      for (int shift = 24; shift >= 0; shift -= 8) w.u8(static_cast<std::uint8_t>(size >> shift));
      w.raw(kept);
      w.fixed64(codec::checksum(kept));
    } else {
      out += left.substr(0, codec::frame_head + body);
    }
    left.remove_prefix(codec::frame_head + body);
  }
  return out += left;
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  codec::compressor squeeze;
  for (const char choice : {'\3', '\4', '\2'}) {
    bytes stream(1, choice);
    codec::append_short_frame(stream, 12, "\x90");
    codec::append_frame(stream, 12, "\x90");
    codec::append_frame(stream, 4, "a payload of some length");
    codec::append_frame(stream, 15, bytes(300, 'x'), &squeeze);
    codec::append_frame(stream, 3, bytes{});
    out.push_back(stream);
  }
  // It claims far more than it is.
  bytes bomb(1, '\3');
  codec::append_frame(bomb, 4, bytes(60'000, '\0'), &squeeze);
  out.push_back(bomb);
  return out;
}

// Both readers hold a frame of up to 64 KiB and its content, and all frames are kept and compared;
// of each byte zstd can make some thousands.
const registration here{{"frame", run, seeds, {64, 24u << 20, 200}, mend}};

}  // namespace fuzz::of_frames
