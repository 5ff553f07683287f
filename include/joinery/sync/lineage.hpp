// lineage: do both sides mean the same changesets by the same dots?
//
// Purpose: compares the chain digests that a peer states with ours. One for a dot that we do not
// have yet is remembered, and compared when we get there; what its hello named and it never sent
// was withheld. What does not fit is an error, or, where the endpoint can settle it, a suspicion
// that the inquiry looks into.
// Invariants: holds at most `max_origins` claims; the newest of an origin covers its older ones.
// Thread-safety: none; guarded by the session.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "joinery/sync/endpoint.hpp"
#include "joinery/sync/options.hpp"

namespace joinery::sync {

inline std::string text_of(const replica_id& origin, std::uint64_t seq) {
  return "origin " + origin.hex() + " seq " + std::to_string(seq);
}

template <endpoint E>
class lineage {
 public:
  /// What the peer states of one origin. Errors: fork, flooded; those of the endpoint.
  result<> check(E& e, const history::head& theirs) {
    if (parted_.contains(theirs.origin)) return {};
    const auto ours = e.chain_at(theirs.origin, theirs.seq);
    if (!ours) return ours.error();
    if (*ours) return compare(theirs, **ours);
    if (theirs.origin == e.self() && theirs.seq > own_seq(e))
      return doubt(theirs, outlived(theirs));
    if (claims_.size() >= max_origins && !claims_.contains(theirs.origin))
      return error{errc::flooded,
                   "a peer names more than " + std::to_string(max_origins) + " origins", "",
                   "the peer is at fault"};
    auto& claim = claims_[theirs.origin];
    if (theirs.seq > claim.seq) claim = theirs;
    return {};
  }

  /// We now have `ours` of that origin: compares what was remembered. Errors: as `check`.
  result<> reached(E& e, const history::head& ours) {
    const auto at = claims_.find(ours.origin);
    if (at == claims_.end() || at->second.seq > ours.seq) return {};
    const auto claim = at->second;
    claims_.erase(at);
    if (parted_.contains(claim.origin)) return {};
    const auto chain = e.chain_at(claim.origin, claim.seq);
    if (!chain) return chain.error();
    if (!*chain) return {};
    return compare(claim, **chain);
  }

  /// The greeting is over: what was remembered is what the peer owes us.
  void promised() {
    for (const auto& [origin, claim] : claims_) promises_.emplace_back(origin, claim.seq);
  }

  /// How many changesets the peer named that are not here: it holds them back.
  std::uint64_t missing(E& e) {
    std::unordered_map<replica_id, std::uint64_t> ours;
    if (!claims_.empty())
      for (const auto& h : e.heads()) ours[h.origin] = h.seq;
    std::uint64_t sum = 0;
    for (const auto& [origin, claim] : claims_)
      sum += claim.seq - std::min(claim.seq, ours[origin]);
    return sum;
  }

  /// The peer says that it has sent all: have we got what it promised, from whomever? Errors:
  /// protocol.
  result<> kept(E& e) {
    if (promises_.empty()) return {};
    std::unordered_map<replica_id, std::uint64_t> ours;
    for (const auto& h : e.heads()) ours[h.origin] = h.seq;
    for (const auto& [origin, seq] : std::exchange(promises_, {}))
      if (ours[origin] < seq)
        return error{errc::protocol, "the peer has changesets that it did not send",
                     text_of(origin, seq), "the peer is at fault, or withholds them"};
    return {};
  }

  /// Looks at all claims again: the log may have moved for another peer's sake.
  result<> reached_all(E& e) {
    if (claims_.empty() || std::exchange(looked_at_, e.log_end()) == e.log_end()) return {};
    for (const auto& h : e.heads())
      if (auto same = reached(e, h); !same) return same;
    return {};
  }

  /// Origins whose history may part, each with the peer's seq at which that was found.
  using doubts = std::unordered_map<replica_id, std::uint64_t>;
  /// Remembers a doubt, or, when the endpoint cannot settle it, gives `why`.
  result<> doubt(const history::head& theirs, error why) {
    if constexpr (settling_endpoint<E>) {
      auto& seq = doubts_[theirs.origin];
      seq = std::max(seq, theirs.seq);
      return {};
    } else {
      return why;
    }
  }
  [[nodiscard]] bool doubtful() const noexcept { return !doubts_.empty(); }
  [[nodiscard]] doubts take_doubts() { return std::exchange(doubts_, {}); }
  /// It does part: it is not compared any more, and what was promised may never come.
  void part(const replica_id& origin) {
    parted_.insert(origin);
    promises_.clear();
  }

  /// The error of a peer that knows `theirs` of us, which we do not.
  static error outlived(const history::head& theirs) {
    return {errc::fork, "a peer knows more of this replica than it does itself",
            text_of(theirs.origin, theirs.seq),
            "this store was put back from an older image, or copied: it needs a new replica id"};
  }

  static std::uint64_t own_seq(E& e) {
    for (const auto& h : e.heads())
      if (h.origin == e.self()) return h.seq;
    return 0;
  }

 private:
  result<> compare(const history::head& theirs, const crypto::digest& ours) {
    if (theirs.chain == ours) return {};
    return doubt(
        theirs,
        error{errc::fork, "two histories of one replica: the changesets differ",
              "at or before " + text_of(theirs.origin, theirs.seq),
              "a store was copied or put back and written to: one of the copies needs a new id"});
  }

  std::unordered_map<replica_id, history::head> claims_;
  std::vector<std::pair<replica_id, std::uint64_t>> promises_;
  doubts doubts_;
  std::unordered_set<replica_id> parted_;
  std::uint64_t looked_at_ = 0;  ///< the log's end when all claims were looked at
};

}  // namespace joinery::sync
