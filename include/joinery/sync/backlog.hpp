// backlog: what a peer sent and the endpoint cannot store for now.
//
// Purpose: a full device pauses a session instead of ending it: what came is kept and tried again,
// nothing is acknowledged or granted meanwhile, and the session's own sending goes on.
// Invariants: bounded by the window (64 MiB at most) and one changeset, as they stand decompressed;
// kept in the order of arrival; tries are `stall_retry_ms` apart, and after `stall_patience_ms` the
// session ends.
// Thread-safety: none; guarded by the session.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "joinery/base/result.hpp"
#include "joinery/codec/limits.hpp"
#include "joinery/sync/options.hpp"

namespace joinery::sync {

class backlog {
 public:
  using batch = std::vector<bytes>;

  explicit backlog(const session_options& options)
      : limit_(static_cast<std::size_t>(std::min<std::uint64_t>(options.window, most_kept)) +
               codec::max_changeset),
        retry_ms_(options.stall_retry_ms),
        patience_ms_(options.stall_patience_ms) {}

  /// Whether waiting may help against `e`.
  static bool passes(const error& e) { return e.code == errc::full || e.code == errc::quarantined; }

  [[nodiscard]] bool empty() const noexcept { return batches_.empty(); }
  /// Why what is kept could not be stored.
  [[nodiscard]] const error& why() const noexcept { return *why_; }

  /// Keeps one batch. Errors: what the endpoint said, when it is too much.
  result<> keep(std::span<const bytes_view> changesets, const std::optional<error>& why = {}) {
    if (why) why_ = *why;
    for (const auto c : changesets) size_ += c.size();
    if (size_ > limit_) return *why_;
    batches_.emplace_back(changesets.begin(), changesets.end());
    return {};
  }

  /// Gives what is kept to `take(batch) -> result<>` if it is time to. Errors: those that waiting
  /// does not help against, and the endpoint's own after too long a wait.
  template <class F>
  result<> retry(std::uint64_t now, F&& take) {
    if (batches_.empty()) return {};
    if (!since_) since_ = tried_ = now;
    if (now - *tried_ < retry_ms_) return {};
    tried_ = now;
    while (!batches_.empty()) {
      const std::vector<bytes_view> views(batches_.front().begin(), batches_.front().end());
      if (auto taken = take(views); !taken) {
        if (!passes(taken.error())) return taken;
        why_ = taken.error();
        if (patience_ms_ > 0 && now - *since_ >= patience_ms_) return *why_;
        return {};
      }
      for (const auto v : views) size_ -= v.size();
      batches_.pop_front();
    }
    since_.reset();
    return {};
  }

  /// When to try again; nothing when nothing is kept.
  [[nodiscard]] std::optional<std::uint64_t> next(std::uint64_t now) const {
    if (batches_.empty()) return std::nullopt;
    return tried_ && since_ ? *tried_ + retry_ms_ : now;
  }

 private:
  static constexpr std::uint64_t most_kept = std::uint64_t{64} << 20;

  std::size_t limit_;
  std::uint64_t retry_ms_;
  std::uint64_t patience_ms_;
  std::deque<batch> batches_;
  std::size_t size_ = 0;
  std::optional<error> why_;
  std::optional<std::uint64_t> since_;
  std::optional<std::uint64_t> tried_;
};

}  // namespace joinery::sync
