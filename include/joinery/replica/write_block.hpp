// write_block: what a full device does to a space.
//
// Purpose: after a write that found no room the space takes no writes, and says why, until there is
// room again. It finds out by itself: now and then a write is tried after all, or, when nobody
// writes, a probe of about the same size.
// Invariants: tries are at least `retry_ms` apart, so that a full device is not hammered and a
// refusal costs nothing; only a write that went through lifts the block.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <algorithm>
#include <optional>

#include "joinery/history/log.hpp"

namespace joinery {

/// Why the space takes no writes at present.
struct write_block {
  error why;                                  ///< what the last write that was tried met
  std::uint64_t since_ms = 0;                 ///< by the replica's clock
  std::optional<std::uint64_t> free_bytes{};  ///< on the device, where the storage can tell
};

namespace detail {

/// Bytes that are free under `storage`; nothing where it cannot tell.
template <history::storage S>
std::optional<std::uint64_t> free_bytes_of(const S& storage) {
  if constexpr (requires { storage.free_bytes(); })
    return storage.free_bytes();
  else
    return std::nullopt;
}

/// Whether an earlier failure means that nothing `storage` says can be believed any more.
template <history::storage S>
bool is_poisoned(const S& storage) {
  if constexpr (requires { storage.poisoned(); })
    return storage.poisoned();
  else
    return false;
}

class write_gate {
 public:
  [[nodiscard]] const std::optional<write_block>& block() const noexcept { return block_; }

  /// Whether a write may be tried now. Errors: full.
  result<> admit(std::uint64_t now_ms, std::uint64_t retry_ms) {
    if (!block_ || due(now_ms, retry_ms)) return {};
    return error{errc::full, "the device is full: the space takes no writes", block_->why.where,
                 "make room; reading and sending go on, and writing goes on by itself"};
  }
  /// Whether it is time to try again.
  [[nodiscard]] bool due(std::uint64_t now_ms, std::uint64_t retry_ms) const noexcept {
    return now_ms < tried_ms_ /* the clock was set back */ || now_ms - tried_ms_ >= retry_ms;
  }

  /// A write of about `size` bytes was tried.
  void tried(const result<>& outcome, std::size_t size, std::uint64_t now_ms) {
    if (outcome) return block_.reset();
    if (outcome.error().code != errc::full) return;
    tried_ms_ = now_ms;
    size_ = size;
    if (!block_) block_ = write_block{outcome.error(), now_ms};
    block_->why = outcome.error();
  }

  /// Tries a write as large as the one that failed, if that is due. Errors: the storage's.
  template <history::storage S>
  result<> probe(S& storage, std::uint64_t now_ms, std::uint64_t retry_ms) {
    if (!block_ || !due(now_ms, retry_ms)) return {};
    constexpr std::string_view key = "room";
    const bytes ballast(std::clamp(size_, least_probe, most_probe), '\0');
    auto done = storage.write([&](auto& writer) -> result<> {
      history::put_sealed(writer, history::area::meta, key, ballast);
      return {};
    });
    if (done)
      done = storage.write([&](auto& writer) -> result<> {
        writer.erase(history::area::meta, key);
        return {};
      });
    tried(done, size_, now_ms);
    if (!done && done.error().code == errc::full) return {};  // the status tells
    return done;
  }

 private:
  static constexpr std::size_t least_probe = 4096;
  static constexpr std::size_t most_probe = std::size_t{1} << 20;

  std::optional<write_block> block_;
  std::uint64_t tried_ms_ = 0;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace joinery
