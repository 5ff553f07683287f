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
    std::vector<history::head> first;
    std::vector<later_head> later;
    for (const auto& h : e.heads()) {
      const auto owed = owed_.find(h.origin);
      if (owed == owed_.end()) continue;
      const auto [told, fresh] = told_.try_emplace(h.origin, acked{told_.size(), 0});
      if (h.seq > told->second.seq) {
        if (auto same = chains.reached(e, h); !same) return same;
        told->second.seq = h.seq;
        if (fresh)
          first.push_back(h);
        else
          later.push_back(brief(told->second.number, h));
      }
      if (h.seq >= owed->second) owed_.erase(owed);
    }
    if (owed_.empty()) held_ = 0;
    if (!news && first.empty() && later.empty()) return {};
    told_received_ = received_;
    std::span<const history::head> heads{first};
    std::span<const later_head> rest{later};
    do {
      const auto some = heads.first(std::min(heads.size(), heads_per_message));
      const auto more = rest.first(std::min(rest.size(), heads_per_message - some.size()));
      out.put(
          message::ack,
          encode(ack{received_, held_, {some.begin(), some.end()}, {more.begin(), more.end()}}));
      heads = heads.subspan(some.size());
      rest = rest.subspan(more.size());
    } while (!heads.empty() || !rest.empty());
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
  struct acked {
    std::uint64_t number = 0;  ///< under which the peer knows the origin
    std::uint64_t seq = 0;
  };
  static later_head brief(std::uint64_t number, const history::head& h) {
    later_head out{number, h.seq, {}};
    std::copy_n(h.chain.view().begin(), out.chain.size(), out.chain.begin());
    return out;
  }

  std::unordered_map<replica_id, std::uint64_t> owed_;  ///< received, not acknowledged
  std::unordered_map<replica_id, acked> told_;          ///< acknowledged
  std::uint64_t received_ = 0;
  std::uint64_t told_received_ = 0;
  std::uint64_t held_ = 0;
  std::uint64_t patience_ms_;
  std::uint64_t waiting_since_ = 0;
  std::uint64_t looked_at_ = 0;  ///< the log's end when heads were last compared
};

}  // namespace joinery::sync
