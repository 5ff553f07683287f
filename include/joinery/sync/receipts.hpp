// receipts: what is owed to the peer for the changesets that it sent.
//
// Purpose: an acknowledgement names an origin's head only once that is durable here, and its chain,
// so that the peer finds out when the two do not mean the same.
// Invariants: nothing is acknowledged that `heads()` does not show.
// Thread-safety: none; guarded by the session.
#pragma once

#include "joinery/sync/lineage.hpp"
#include "joinery/sync/outbox.hpp"

namespace joinery::sync {

template <endpoint E>
class receipts {
 public:
  explicit receipts(const session_options& options) : patience_ms_(options.durable_patience_ms) {}

  void note(const replica_id& origin, std::uint64_t seq) {
    auto& owed = owed_[origin];
    owed = std::max(owed, seq);
    ++received_;
  }
  /// One that was dropped: dealt with, and nothing is owed for it.
  void note_dropped() { ++received_; }
  /// A head that came with a snapshot: it counts as no changeset.
  void owe(const replica_id& origin, std::uint64_t seq) {
    auto& owed = owed_[origin];
    owed = std::max(owed, seq);
    looked_at_ = 0;
  }
  void note(const ingest_report& report) { held_ += report.held; }

  /// Acknowledges what can be. Errors: fork; those of the endpoint.
  result<> send(E& e, lineage<E>& chains, std::uint64_t now, outbox& out) {
    const auto end = e.log_end();
    bool news = received_ != told_received_;
    if (news || end != looked_at_) waiting_since_ = now;
    if (waiting() && now - waiting_since_ >= patience_ms_) {
      held_ = owed_.size();
      news = true;
    }
    if (!news && (owed_.empty() || end == looked_at_)) return {};
    looked_at_ = end;
    std::vector<history::head> tell;
    for (const auto& h : e.heads()) {
      const auto owed = owed_.find(h.origin);
      if (owed == owed_.end()) continue;
      auto& told = told_[h.origin];
      if (h.seq > told) {
        if (auto same = chains.reached(e, h); !same) return same;
        told = h.seq;
        tell.push_back(h);
      }
      if (h.seq >= owed->second) owed_.erase(owed);
    }
    if (owed_.empty()) held_ = 0;
    if (!news && tell.empty()) return {};
    told_received_ = received_;
    std::span<const history::head> left{tell};
    do {
      const auto some = left.first(std::min(left.size(), heads_per_message));
      out.put(message::ack, encode(ack{received_, held_, {some.begin(), some.end()}}));
      left = left.subspan(some.size());
    } while (!left.empty());
    return {};
  }

  /// Whether all that came is durable or held, and the peer was told.
  [[nodiscard]] bool settled() const {
    return told_received_ == received_ && (owed_.empty() || held_ > 0);
  }
  /// Whether something is still to become durable soon.
  [[nodiscard]] bool waiting() const { return !owed_.empty() && held_ == 0; }
  [[nodiscard]] std::uint64_t held() const noexcept { return held_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

 private:
  std::unordered_map<replica_id, std::uint64_t> owed_;  ///< received, not acknowledged
  std::unordered_map<replica_id, std::uint64_t> told_;  ///< acknowledged
  std::uint64_t received_ = 0;
  std::uint64_t told_received_ = 0;
  std::uint64_t held_ = 0;
  std::uint64_t patience_ms_;
  std::uint64_t waiting_since_ = 0;
  std::uint64_t looked_at_ = 0;  ///< the log's end when heads were last compared
};

}  // namespace joinery::sync
