// Compression (zstd), bounded.
//
// Purpose: make what travels smaller where that pays, and take it apart again without trusting what
// it says.
// Invariants: nothing is allocated before the size that the data claims was checked against the
// caller's cap; data that claims no size, or another than it has, or that goes on after its end, is
// refused.
// Thread-safety: functions are pure; a compressor belongs to one thread at a time.
#pragma once

#include <zstd.h>

#include <memory>
#include <optional>

#include "joinery/base/bytes.hpp"
#include "joinery/base/result.hpp"

namespace joinery::codec {

/// Below this many bytes compression is not tried.
inline constexpr std::size_t compress_from = 256;

/// Compresses one piece after another. What it works in (some 30 KB for short pieces, up to 2 MB
/// for the longest frame) is made with the first piece and kept: to make it anew takes longer than
/// a short piece.
class compressor {
 public:
  /// `data` as one zstd frame; nothing when that would not be smaller.
  std::optional<bytes> operator()(bytes_view data) {
    if (data.size() < compress_from) return std::nullopt;
    if (!context_) context_.reset(ZSTD_createCCtx());
    if (!context_) throw std::bad_alloc();
    bytes out(data.size() - 1, '\0');
    const auto size =
        ZSTD_compressCCtx(context_.get(), out.data(), out.size(), data.data(), data.size(), 3);
    if (ZSTD_isError(size)) return std::nullopt;  // it does not fit: it is not smaller
    out.resize(size);
    return out;
  }

 private:
  struct release {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, release> context_;
};

/// What `compressed` was given, when it is at most `max_size` bytes. Errors: malformed, too_large.
inline result<bytes> decompressed(bytes_view data, std::size_t max_size) {
  const auto broken = [](const char* what) {
    return error{errc::malformed, what, "", "ask the sender to send it again"};
  };
  const auto claimed = ZSTD_getFrameContentSize(data.data(), data.size());
  if (claimed == ZSTD_CONTENTSIZE_ERROR) return broken("bytes that are no zstd frame");
  if (claimed == ZSTD_CONTENTSIZE_UNKNOWN) return broken("a zstd frame that hides its size");
  if (claimed > max_size)
    return error{errc::too_large, "compressed data of " + std::to_string(claimed) + " bytes", "",
                 "the limit is " + std::to_string(max_size)};
  const auto extent = ZSTD_findFrameCompressedSize(data.data(), data.size());
  if (ZSTD_isError(extent) || extent != data.size())
    return broken("a zstd frame that is cut short or is followed by something");
  bytes out(static_cast<std::size_t>(claimed), '\0');
  const auto size = ZSTD_decompress(out.data(), out.size(), data.data(), data.size());
  if (ZSTD_isError(size) || size != out.size()) return broken("a zstd frame that is damaged");
  return out;
}

}  // namespace joinery::codec
