// verifier: are equal versions equal states?
//
// Purpose: when a session is in sync, both sides state the digest of their canonical state and of
// their heads. Equal heads with different states are a divergence, and equal ones a certificate.
// Invariants: the endpoint's digest is worked out at most once per version, whatever the peer asks.
// Thread-safety: none; guarded by the session.
#pragma once

#include "joinery/sync/endpoint.hpp"
#include "joinery/sync/heads_comparison.hpp"
#include "joinery/sync/outbox.hpp"

namespace joinery::sync {

/// The digest of every head, whatever their order.
inline crypto::digest heads_digest(std::vector<history::head> heads) {
  std::erase_if(heads, [](const auto& h) { return h.seq == 0; });
  std::sort(heads.begin(), heads.end(),
            [](const auto& a, const auto& b) { return a.origin < b.origin; });
  return heads_comparison::digest_of(heads);
}

template <endpoint E>
class verifier {
 public:
  explicit verifier(const session_options& options)
      : wanted_(options.verify), every_ms_(options.verify_every_ms) {}

  void want() noexcept { wanted_ = true; }
  [[nodiscard]] bool wanted() const noexcept { return wanted_; }
  [[nodiscard]] bool certified_once() const noexcept { return certified_.has_value(); }

  /// What the peer states.
  void claim(const state_digest& theirs) { theirs_ = theirs; }

  /// States and compares what is due. Gives the digest when both turned out equal.
  /// Errors: diverged; those of the endpoint.
  result<std::optional<crypto::digest>> step(E& e, bool settled, std::uint64_t now, outbox& out) {
    using certificate = std::optional<crypto::digest>;
    const bool proposes = settled && wanted_ && !(said_at_ && now < *said_at_ + pause());
    if (!theirs_ && !proposes) return certificate{};
    if (auto stated = state(e, proposes, now, out); !stated) return stated.error();
    if (!theirs_ || !ours_ || theirs_->heads != ours_->heads) return certificate{};
    const bool equal = theirs_->state == ours_->state;
    theirs_.reset();
    if (!equal)
      return error{errc::diverged, "the same changesets gave two different states",
                   "ours has digest " + ours_->state.hex(),
                   "check both stores; this is a fault of joinery or of a disk"};
    if (certified_ == ours_->heads) return certificate{};
    certified_ = ours_->heads;
    return certificate{ours_->state};
  }

  /// When to propose again; nothing when there is no need.
  [[nodiscard]] std::optional<std::uint64_t> next(E& e) const {
    if (!wanted_ || !said_at_) return std::nullopt;
    const bool stated = ours_->heads == heads_;  // then it is the peer's turn
    if (e.log_end() == heads_end_ && (stated || certified_ == heads_)) return std::nullopt;
    return *said_at_ + pause();
  }

 private:
  static constexpr std::uint64_t retry_ms = 1000;

  [[nodiscard]] std::uint64_t pause() const { return certified_ ? every_ms_ : retry_ms; }

  crypto::digest heads(E& e) {
    if (const auto end = e.log_end(); !heads_ || end != heads_end_) {
      heads_ = heads_digest(e.heads());
      heads_end_ = end;
    }
    return *heads_;
  }

  result<> state(E& e, bool proposes, std::uint64_t now, outbox& out) {
    const auto at = heads(e);
    if (ours_ && ours_->heads == at) return {};  // stated already
    if (!proposes && theirs_->heads != at) return {};
    const auto digest = e.digest();
    if (!digest && digest.error().code == errc::quarantined) return {};  // not comparable now
    if (!digest) return digest.error();
    ours_ = state_digest{heads(e), *digest};
    said_at_ = now;
    out.put(message::digest, encode(*ours_));
    return {};
  }

  bool wanted_;
  std::uint64_t every_ms_;
  std::optional<state_digest> ours_;         ///< what was stated last
  std::optional<state_digest> theirs_;       ///< what the peer stated last, until it is compared
  std::optional<crypto::digest> certified_;  ///< the heads at which both were equal
  std::optional<crypto::digest> heads_;      ///< of the log that ends at `heads_end_`
  std::uint64_t heads_end_ = 0;
  std::optional<std::uint64_t> said_at_;
};

}  // namespace joinery::sync
