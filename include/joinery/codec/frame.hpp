// frames: how messages stand in a stream of bytes.
//
// Purpose: writes frames, and finds them again in chunks of any size.
// Format: 4 bytes length of the body (big-endian, so the first is 0), then the body: type, flags,
// payload, 8 bytes XXH3-64 (big-endian) of type ‖ flags ‖ payload. Flag 1: the payload is one zstd
// frame. Or short: 128 + type, 1 byte length of the payload, payload, 4 bytes XXH3-64 (its lowest)
// of what is before. docs/format-session.md.
// Invariants: a reader buffers at most one frame, and never more than it was allowed; its first
// fault is sticky.
// Thread-safety: none; one reader belongs to one stream.
#pragma once

#include <algorithm>
#include <optional>

#include "joinery/codec/checksum.hpp"
#include "joinery/codec/compress.hpp"

namespace joinery::codec {

inline constexpr std::size_t max_frame_body = 1u << 20;
inline constexpr std::size_t frame_head = 4;
inline constexpr std::size_t min_frame_body = 2 + 8;
/// What a frame adds to its payload.
inline constexpr std::size_t frame_overhead = frame_head + min_frame_body;
inline constexpr std::uint8_t frame_zstd = 1;

/// Appends one frame, compressed by `squeeze`, where there is one and it pays. Gives the bytes that
/// it takes on the wire. Precondition: `payload.size() <= max_frame_body - min_frame_body`.
inline std::size_t append_frame(bytes& out, std::uint8_t type, bytes_view payload,
                                compressor* squeeze = nullptr) {
  const auto small = squeeze != nullptr ? (*squeeze)(payload) : std::nullopt;
  if (small) payload = *small;
  const auto start = out.size();
  const auto body = payload.size() + min_frame_body;
  out.reserve(start + frame_head + body);
  byte_writer w{out};
  for (int shift = 24; shift >= 0; shift -= 8) w.u8(static_cast<std::uint8_t>(body >> shift));
  w.u8(type);
  w.u8(small ? frame_zstd : 0);
  w.raw(payload);
  w.fixed64(checksum(bytes_view{out}.substr(start + frame_head)));
  return out.size() - start;
}

/// Payloads and types that a short frame can hold, and what it adds to them.
inline constexpr std::size_t short_frame_payload = 255;
inline constexpr std::uint8_t short_frame_types = 32;
inline constexpr std::size_t short_frame_overhead = 2 + 4;

/// Appends one frame as above, or a short one where that holds it.
inline std::size_t append_short_frame(bytes& out, std::uint8_t type, bytes_view payload,
                                      compressor* squeeze = nullptr) {
  if (payload.size() > short_frame_payload || type >= short_frame_types)
    return append_frame(out, type, payload, squeeze);
  const auto start = out.size();
  byte_writer w{out};
  w.u8(static_cast<std::uint8_t>(0x80 | type));
  w.u8(static_cast<std::uint8_t>(payload.size()));
  w.raw(payload);
  const auto sum = checksum(bytes_view{out}.substr(start));
  for (int shift = 24; shift >= 0; shift -= 8) w.u8(static_cast<std::uint8_t>(sum >> shift));
  return out.size() - start;
}

struct frame {
  std::uint8_t type = 0;
  bytes_view payload;    ///< decompressed
  std::size_t wire = 0;  ///< the bytes that it took in the stream
};

class frame_reader {
 public:
  /// `max_body` bounds a frame's body, and its payload after decompression.
  explicit frame_reader(std::size_t max_body = max_frame_body)
      : max_body_(std::clamp(max_body, min_frame_body, max_frame_body)) {}

  /// Takes bytes from the front of `input` up to the end of a frame, and gives that frame; nothing
  /// when `input` ended before it did. The payload is valid until the next call, and no longer than
  /// `input`'s bytes. Errors: malformed, checksum, too_large, unsupported; the same one ever after.
  result<std::optional<frame>> next(bytes_view& input) {
    if (!fault_) {
      auto found = find(input);
      if (found) return found;
      fault_ = found.error();
    }
    return *fault_;
  }

  /// Whether the stream stands between two frames.
  [[nodiscard]] bool between_frames() const noexcept { return done_ || buffer_.empty(); }

 private:
  result<std::optional<frame>> find(bytes_view& input) {
    if (done_) buffer_.clear();
    done_ = false;
    if (!fill(1, input)) return std::optional<frame>{};
    if (static_cast<unsigned char>(buffer_[0]) >= 0x80) return find_short(input);
    if (!fill(frame_head, input)) return std::optional<frame>{};
    std::size_t body = 0;
    for (std::size_t i = 0; i < frame_head; ++i)
      body = body << 8 | static_cast<unsigned char>(buffer_[i]);
    if (body > max_body_)
      return fault(errc::too_large, "a frame of " + std::to_string(body) + " bytes",
                   "the limit is " + std::to_string(max_body_) + "; is this a joinery peer?");
    if (body < min_frame_body)
      return fault(errc::malformed, "a frame of " + std::to_string(body) + " bytes",
                   "is this a joinery peer?");
    if (!fill(frame_head + body, input)) return std::optional<frame>{};
    done_ = true;
    return open(bytes_view{buffer_}.substr(frame_head));
  }

  result<std::optional<frame>> find_short(bytes_view& input) {
    const auto type = static_cast<std::uint8_t>(buffer_[0] & 0x7F);
    if (type >= short_frame_types)
      return fault(errc::malformed, "bytes that begin no frame", "is this a joinery peer?");
    if (!fill(2, input)) return std::optional<frame>{};
    const std::size_t size = 2u + static_cast<unsigned char>(buffer_[1]);
    if (!fill(size + 4, input)) return std::optional<frame>{};
    done_ = true;
    const bytes_view whole = buffer_, content = whole.substr(0, size);
    std::uint32_t sum = 0;
    for (const char c : whole.substr(size)) sum = sum << 8 | static_cast<unsigned char>(c);
    if (sum != static_cast<std::uint32_t>(checksum(content)))
      return fault(errc::checksum, "a damaged frame", "connect again");
    return std::optional<frame>{frame{type, content.substr(2), whole.size()}};
  }

  result<std::optional<frame>> open(bytes_view body) {
    const auto content = body.substr(0, body.size() - 8);
    if (byte_reader{body.substr(content.size())}.fixed64() != checksum(content))
      return fault(errc::checksum, "a damaged frame", "connect again");
    frame f{static_cast<std::uint8_t>(content[0]), content.substr(2), buffer_.size()};
    const auto flags = static_cast<std::uint8_t>(content[1]);
    if ((flags & ~frame_zstd) != 0)
      return fault(errc::unsupported, "a frame with flags " + std::to_string(flags),
                   "update this program");
    if (flags & frame_zstd) {
      auto payload = decompressed(f.payload, max_body_);
      if (!payload) return payload.error();
      inflated_ = std::move(*payload);
      f.payload = inflated_;
    }
    return std::optional<frame>{f};
  }

  /// Moves bytes from `input` until the buffer holds `size`.
  bool fill(std::size_t size, bytes_view& input) {
    if (buffer_.size() < size) {
      const auto n = std::min(size - buffer_.size(), input.size());
      buffer_.append(input.substr(0, n));
      input.remove_prefix(n);
    }
    return buffer_.size() >= size;
  }

  static error fault(errc code, std::string what, std::string advice) {
    return {code, std::move(what), "", std::move(advice)};
  }

  std::size_t max_body_;
  bytes buffer_;
  bytes inflated_;
  bool done_ = false;  ///< the buffer holds a frame that was given out
  std::optional<error> fault_;
};

}  // namespace joinery::codec
