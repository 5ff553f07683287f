// incoming: how much a peer may send, and changesets that come in pieces.
//
// Purpose: holds the peer to the credit that it was granted, takes changesets out of their transit
// form, and puts large ones together again.
// Invariants: holds at most one unfinished changeset, never above the limit of one, and never more
// than has come. Every frame of changesets is decoded, whatever becomes of them: the next one
// builds on it.
// Thread-safety: none; guarded by the session.
#pragma once

#include <memory>
#include <utility>

#include "joinery/base/result.hpp"
#include "joinery/codec/transit/decoder.hpp"
#include "joinery/sync/hello.hpp"
#include "joinery/sync/messages.hpp"

namespace joinery::sync {

/// Puts pieces together again.
class assembler {
 public:
  /// `what` it is, for errors, and how large it may be.
  assembler(std::string_view what, std::uint64_t limit) : what_(what), limit_(limit) {}

  /// Adds a piece; gives the whole once it is complete. Errors: protocol, too_large.
  result<std::optional<bytes>> add(const part& p) {
    if (p.total > limit_)
      return error{errc::too_large,
                   std::string{what_} + " of " + std::to_string(p.total) + " bytes", "",
                   "the limit is " + std::to_string(limit_)};
    if (buffer_.empty()) total_ = p.total;
    if (p.offset != buffer_.size() || p.total != total_ || p.data.size() > total_ - buffer_.size())
      return error{errc::protocol,
                   "a piece of " + std::string{what_} + " that does not follow the one before",
                   "offset " + std::to_string(p.offset), "the peer is at fault"};
    buffer_.append(p.data);
    if (buffer_.size() < total_) return std::optional<bytes>{};
    return std::optional<bytes>{std::exchange(buffer_, {})};
  }
  void forget() { buffer_.clear(); }
  [[nodiscard]] bool busy() const noexcept { return !buffer_.empty(); }

 private:
  std::string_view what_;
  std::uint64_t limit_;
  bytes buffer_;
  std::uint64_t total_ = 0;
};

class incoming {
 public:
  explicit incoming(const session_options& options)
      : window_(options.window),
        granted_(options.window),
        most_(options.max_frame),
        memory_(options.memory) {}

  /// The peer's changesets come with so much memory.
  void begin(const hello& peer) { memory_ = std::min(memory_, peer.memory); }

  /// The changesets of a frame, valid until the next call. Errors: malformed, too_large.
  result<std::span<const bytes_view>> changesets(bytes_view payload) {
    if (!decoder_) decoder_ = std::make_unique<codec::transit::decoder>(memory_);
    return decoder_->decode(payload, most_);
  }

  /// A frame of data came in that took `wire` bytes. Errors: flooded.
  result<> charge(std::size_t wire) {
    if (wire > granted_)
      return error{errc::flooded,
                   "a frame of " + std::to_string(wire) + " bytes, above the " +
                       std::to_string(granted_) + " granted",
                   "", "the peer is at fault"};
    granted_ -= wire;
    return {};
  }

  /// What to grant anew: nothing until half of the window is used, so that grants stay few.
  [[nodiscard]] std::uint64_t grant() {
    const auto used = window_ - granted_;
    if (used < window_ - window_ / 2) return 0;
    granted_ = window_;
    return used;
  }

  /// Adds a piece; gives the whole changeset once it is complete. Errors: protocol, too_large.
  result<std::optional<bytes>> add(const part& p) { return changeset_.add(p); }
  /// The peer begins again.
  void forget_pieces() {
    changeset_.forget();
    ++rounds_;
  }
  /// How often it did.
  [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_; }
  [[nodiscard]] bool assembling() const noexcept { return changeset_.busy(); }

 private:
  std::uint64_t window_;
  std::uint64_t granted_;
  std::size_t most_;
  std::uint64_t memory_;
  std::unique_ptr<codec::transit::decoder> decoder_;  ///< once something came
  std::uint64_t rounds_ = 0;
  assembler changeset_{"a changeset", codec::max_changeset};
};

}  // namespace joinery::sync
