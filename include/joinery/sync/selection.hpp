// selection: which tables a session sends, without breaking causality.
//
// Purpose: a changeset that touches a table which is not selected is held back, and with it
// everything that depends on it: its origin's later ones, and whatever had seen it. The rest is
// sent, so that the receiver's version stays contiguous.
// Invariants: what is sent has all its predecessors sent, or known to the peer; changesets are sent
// whole or not at all. Errs only towards holding back, and only where the log's beginning is gone.
// Thread-safety: none; guarded by the session.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "joinery/codec/changeset.hpp"

namespace joinery::sync {

/// Tables by name. Those of the engine itself are always sent.
class table_selection {
 public:
  static table_selection only(std::set<std::string, std::less<>> names) {
    return {std::move(names), true};
  }
  static table_selection all_but(std::set<std::string, std::less<>> names) {
    return {std::move(names), false};
  }
  [[nodiscard]] bool selects(std::string_view table) const {
    return table.starts_with("joinery.") || names_.contains(table) == listed_;
  }

 private:
  table_selection(std::set<std::string, std::less<>> names, bool listed)
      : names_(std::move(names)), listed_(listed) {}
  std::set<std::string, std::less<>> names_;
  bool listed_;
};

/// Decides, for one peer, over a log that it is shown from its beginning and in order.
class withholding {
 public:
  explicit withholding(table_selection selection) : selection_(std::move(selection)) {}

  /// Whether a changeset is held back from a peer that has `known` of its origin's.
  bool holds_back(std::uint64_t position, const replica_id& origin, std::uint64_t seq,
                  std::uint64_t known, bytes_view data) {
    if (position == judged_) return verdict_;
    judged_ = position;
    const auto parsed = codec::decode_changeset(data);
    verdict_ = !parsed || judge(origin, seq, known, *parsed);
    if (verdict_) first_.try_emplace(origin, seq);
    count_ += verdict_ ? 1 : 0;
    return verdict_;
  }
  /// How many were held back.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

 private:
  using seqs = std::unordered_map<replica_id, std::uint64_t>;

  bool judge(const replica_id& origin, std::uint64_t seq, std::uint64_t known,
             const codec::changeset& c) {
    const auto [begin, fresh] = begins_.try_emplace(origin, seq);
    auto& seen = seen_[origin];
    bool depends = false;
    for (const auto& s : c.seen) {
      const auto [at, first] = seen.try_emplace(s.replica, 0);
      // What an origin had seen before the log begins is not known: at most all that was there.
      if (first && begin->second > 1)
        if (const auto other = begins_.find(s.replica); other != begins_.end())
          at->second = other->second - 1;
      at->second += s.increase;
      const auto held = first_.find(s.replica);
      depends = depends || (held != first_.end() && at->second >= held->second);
    }
    if (seq <= known) return false;
    if (depends || first_.contains(origin)) return true;
    for (const auto& r : c.records)
      if (!selection_.selects(c.names[r.table])) return true;
    return false;
  }

  table_selection selection_;
  std::unordered_map<replica_id, seqs> seen_;  // each origin's version, as far as the log tells
  seqs begins_;                                // each origin's first seq in the log
  seqs first_;                                 // each origin's first that is held back
  std::uint64_t judged_ = 0;
  bool verdict_ = false;
  std::uint64_t count_ = 0;
};

}  // namespace joinery::sync
