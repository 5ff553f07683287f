// strings: the texts, keys and opaque bytes of a frame.
//
// Purpose: each frame carries them apart from the numbers, in whichever form is the shortest: as
// they are, in the codes of an adaptive model, or through one zstd stream that lives as long as
// the session and finds again what went through it before.
// Invariants: a reader takes no more memory than the caller allowed before it has seen the data.
// Thread-safety: none; each belongs to one direction of one session.
#pragma once

#include <zstd.h>

#include <cmath>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "joinery/base/byte_buffer.hpp"
#include "joinery/codec/transit/model.hpp"

namespace joinery::codec::transit {

enum class string_form : std::uint8_t { none = 0, plain = 1, coded = 2, streamed = 3 };

/// How far back the stream looks, as a power of 2: part of the format.
inline constexpr int stream_window_log = 17;
/// How many bytes of strings a model learns from when they go another way.
inline constexpr std::size_t learnt_sample = 256;

/// The writer's side of the zstd stream; takes some 600 KB once it is used.
class stream_writer {
 public:
  /// Appends what `data` comes to; nothing of it stays behind.
  void add(bytes_view data, bytes& out) {
    if (!context_) begin();
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    for (std::size_t left = 1; left > 0;) {
      const auto start = out.size();
      out.resize(start + ZSTD_compressBound(data.size() - in.pos) + 64);
      ZSTD_outBuffer to{out.data() + start, out.size() - start, 0};
      left = ZSTD_compressStream2(context_.get(), &to, &in, ZSTD_e_flush);
      out.resize(start + to.pos);
      if (ZSTD_isError(left)) throw std::bad_alloc();  // nothing else can be wrong
    }
  }

 private:
  struct release {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  void begin() {
    context_.reset(ZSTD_createCCtx());
    if (!context_) throw std::bad_alloc();
    for (const auto& [parameter, value] : {std::pair{ZSTD_c_compressionLevel, 3},
                                           {ZSTD_c_windowLog, stream_window_log},
                                           {ZSTD_c_hashLog, 14},
                                           {ZSTD_c_chainLog, 14},
                                           {ZSTD_c_contentSizeFlag, 0}})
      if (ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), parameter, value)))
        throw std::bad_alloc();
  }
  std::unique_ptr<ZSTD_CCtx, release> context_;
};

/// The reader's side.
class stream_reader {
 public:
  /// Fills `out` with what `data` says; false when it says less, more, or nothing sensible.
  bool take(bytes_view data, bytes& out) {
    if (!context_) begin();
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    while (in.pos < in.size) {
      const auto before = std::pair{in.pos, to.pos};
      const auto left = ZSTD_decompressStream(context_.get(), &to, &in);
      if (ZSTD_isError(left) || left == 0) return false;  // the stream never ends
      if (before == std::pair{in.pos, to.pos}) return false;
    }
    // It may have kept what did not fit into its last step; behind the end there is nothing.
    char more = 0;
    ZSTD_outBuffer behind{&more, 1, 0};
    for (auto* rest : {&to, &behind}) {
      if (rest->pos == rest->size) continue;
      const auto left = ZSTD_decompressStream(context_.get(), rest, &in);
      if (ZSTD_isError(left) || left == 0) return false;
    }
    return to.pos == to.size && behind.pos == 0;
  }

 private:
  struct release {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  void begin() {
    context_.reset(ZSTD_createDCtx());
    if (!context_) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, stream_window_log);
  }
  std::unique_ptr<ZSTD_DCtx, release> context_;
};

/// Collects the strings of one frame.
class string_writer {
 public:
  void add(bytes_view data) { pending_.append(data); }
  [[nodiscard]] std::size_t size() const noexcept { return pending_.size(); }

  /// Puts them into the frame: bytes to `body`, bits to `bits`. Gives the form. `ends`: nothing
  /// comes after this frame, so that nothing is learnt for it.
  string_form close(stream_writer& stream, bytes& body, bit_writer& bits, bool ends) {
    if (pending_.empty()) return string_form::none;
    const auto coded = estimate();
    auto form = coded < pending_.size() ? string_form::coded : string_form::plain;
    if (stream_due()) {
      form = string_form::streamed;
      const auto start = body.size();
      stream.add(pending_, body);
      stream_was(body.size() - start, std::min(coded, pending_.size()));
    } else if (form == string_form::plain || !put_coded(bits)) {
      form = string_form::plain;
      body += pending_.view();
    }
    if (form != string_form::coded && !ends) model_.learn(pending_.view().substr(0, learnt_sample));
    pending_.clear();
    if (pending_.capacity() > kept) pending_ = byte_buffer{};
    return form;
  }

 private:
  static constexpr std::size_t kept = 16u << 10;
  static constexpr std::size_t short_for_stream = 24;

  /// What the model's codes come to, in bytes: those of now, or those that it will have learnt.
  [[nodiscard]] std::size_t estimate() const {
    std::size_t now = 0;
    if (pending_.size() < learnt_sample) {
      for (const char c : pending_.view()) now += model_.cost(static_cast<std::uint8_t>(c));
      return now / 8 + 1;
    }
    std::array<std::uint32_t, 256> counts{};
    for (const char c : pending_.view()) ++counts[static_cast<std::uint8_t>(c)];
    for (std::size_t s = 0; s < counts.size(); ++s)
      now += counts[s] * std::size_t{model_.cost(static_cast<std::uint8_t>(s))};
    if (now / 8 < pending_.size() - pending_.size() / 8) return now / 8 + 1;
    double later = 0;
    const auto all = static_cast<double>(pending_.size());
    for (const auto n : counts)
      if (n > 0) later += n * (std::log2(all / n) + 0.1) + 24;
    return std::min(now, static_cast<std::size_t>(later)) / 8 + 1;
  }

  /// False, with nothing changed, when the codes take more than the bytes.
  bool put_coded(bit_writer& bits) {
    const auto before = model_;
    const auto start = bits.here();
    const auto most = bits.size() + 8 * pending_.size();
    model_.put(bits, pending_);
    if (bits.size() <= most) return true;
    model_ = before;
    bits.back_to(start);
    return false;
  }

  // The stream has a price (some bytes for each frame) and a prize (what was there before): it is
  // tried now and then, and kept on as long as it pays.
  bool stream_due() {
    if (pending_.size() < short_for_stream) return false;
    if (pause_ > 0) return --pause_, false;
    return true;
  }
  void stream_was(std::size_t size, std::size_t otherwise) {
    pauses_ = size < otherwise ? 0 : std::min(2 * pauses_ + 1, 31u);
    pause_ = pauses_;
  }

  byte_buffer pending_;
  model_writer model_;
  unsigned pause_ = 0;   ///< so many frames without it
  unsigned pauses_ = 0;  ///< as many as the last time
};

/// Hands out the strings of one frame.
class string_reader {
 public:
  /// `size` bytes in this form, from `body` or `bits`. False when they cannot be read.
  bool open(string_form form, std::size_t size, bytes_view body, stream_reader& stream,
            bit_reader& bits) {
    at_ = 0;
    data_.resize(size);
    if (data_.capacity() > kept && size <= kept) data_.shrink_to_fit();
    switch (form) {
      case string_form::none: return size == 0;
      case string_form::plain: data_ = body; break;
      case string_form::coded: model_.get(bits, data_); return !bits.overrun();
      case string_form::streamed:
        if (!stream.take(body, data_)) return false;
        break;
    }
    model_.learn(bytes_view{data_}.substr(0, learnt_sample));
    return true;
  }

  /// The next `size` bytes; nothing when there are not so many. Valid until the next `open`.
  std::optional<bytes_view> take(std::uint64_t size) noexcept {
    if (size > data_.size() - at_) return std::nullopt;
    const auto out = bytes_view{data_}.substr(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
    return out;
  }
  [[nodiscard]] bool finished() const noexcept { return at_ == data_.size(); }

 private:
  static constexpr std::size_t kept = 16u << 10;

  bytes data_;
  std::size_t at_ = 0;
  model_reader model_;
};

}  // namespace joinery::codec::transit
