// inquiry: where do two histories of one origin part, and what comes of it?
//
// Purpose: settles the doubts of the lineage within the session. The last common changeset is
// searched for by asking for chains. When it is our own history that parts, this replica takes a
// new id and the session ends; when it is the peer's, it is left to the peer; any other origin is
// forked: both sides keep the evidence, and go on without what depends on either branch.
// Invariants: from a doubt until both have begun again, data that comes in is dropped and none goes
// out, so that nothing of one branch is ever integrated on top of the other.
// Thread-safety: none; guarded by the session.
#pragma once

#include <deque>

#include "joinery/sync/fork_messages.hpp"
#include "joinery/sync/incoming.hpp"
#include "joinery/sync/outgoing.hpp"

namespace joinery::sync {

inline error renewed_error(std::string what) {
  return {errc::renewed, std::move(what), "", "connect again: nothing is lost"};
}

template <endpoint E>
class inquiry {
 public:
  explicit inquiry(E&) {}
  void begin(E&, const hello&, const std::vector<history::head>&, lineage<E>&) {}
  result<> has_compared(E&, bool) const { return {}; }
  result<> take(E&, bytes_view, lineage<E>&, outgoing<E>&, incoming&) {
    return error{errc::protocol, "an inquiry that this endpoint cannot answer", "", ""};
  }
  result<> step(E&, lineage<E>&, outgoing<E>&, outbox&) { return {}; }
  [[nodiscard]] bool busy(const lineage<E>&) const noexcept { return false; }
  [[nodiscard]] bool bars(const replica_id&, std::uint64_t) const noexcept { return false; }
  [[nodiscard]] std::uint64_t forked() const noexcept { return 0; }
};

template <settling_endpoint E>
class inquiry<E> {
 public:
  explicit inquiry(E& e) : self_(e.self()) {}

  void begin(E& e, const hello& peer, const std::vector<history::head>& heads, lineage<E>& chains) {
    peer_ = peer.replica;
    for (const auto& h : e.heads()) stated_[h.origin] = h.seq;
    auto ours = stated_;
    const auto forks = e.forks();
    for (const auto& h : heads) {
      // More of an origin that is frozen here goes only to and from who has the same branch.
      const bool frozen = std::any_of(forks.begin(), forks.end(),
                                      [&](const auto& f) { return f.origin == h.origin; });
      if (frozen && ours[h.origin] > 0 && h.seq != ours[h.origin])
        static_cast<void>(chains.doubt(h, {}));
    }
    if (twin()) {
      const auto theirs = std::find_if(heads.begin(), heads.end(),
                                       [&](const auto& h) { return h.origin == self_; });
      const auto last = theirs == heads.end() ? 0 : theirs->seq;
      searches_[self_].high = std::min(ours[self_], last) + 1;
    }
  }

  /// Whether the peer has compared all that is here by now, of origins that are known to have
  /// forked, or of `all` others: what was not durable at the greeting, or came from elsewhere
  /// since, may be another branch than a snapshot's. Errors: gap.
  result<> has_compared(E& e, bool all) const {
    if constexpr (bootstrapping<E>) {
      const auto forks = e.forks();
      for (causal::replica_index r = 0; r < e.seen().size(); ++r) {
        const auto& id = e.replicas()[r];
        const bool counts = all || std::any_of(forks.begin(), forks.end(),
                                               [&](const auto& f) { return f.origin == id; });
        const auto at = stated_.find(id);
        if (!counts || id == self_ || e.seen().at(r) == (at != stated_.end() ? at->second : 0))
          continue;
        return error{errc::gap, "more came in than this session has compared",
                     text_of(id, e.seen().at(r)), "connect again: it goes on from there"};
      }
    }
    return {};
  }

  /// Takes a message of the peer's.
  result<> take(E& e, bytes_view payload, lineage<E>& chains, outgoing<E>& out, incoming& in) {
    const auto m = read_inquiry(payload);
    if (!m)
      return error{errc::malformed, "an inquiry that cannot be read", "", "the peer is at fault"};
    if (const auto* question = std::get_if<chain_question>(&*m)) {
      if (questions_.size() >= most_questions)
        return error{errc::flooded, "too many questions", "", "the peer is at fault"};
      questions_.push_back(*question);
      return {};
    }
    if (const auto* answer = std::get_if<chain_answer>(&*m)) return heard(e, *answer);
    if (const auto* notice = std::get_if<fork_notice>(&*m)) return told(e, *notice, chains, out);
    if (const auto* twin = std::get_if<twin_notice>(&*m)) return met_twin(e, *twin);
    const auto& start = std::get<fresh_start>(*m);
    in.forget_pieces();
    if (start.notices == told_) awaiting_ = false;
    restart_ = restart_ || start.again;
    if (start.again) left_to_peer_ = false;  // it looked: its own history is the one that we have
    return {};
  }

  /// Says what is to be said, and acts on what was found out. Errors: renewed and fork, which end
  /// the session; those of the endpoint.
  result<> step(E& e, lineage<E>& chains, outgoing<E>& outgoing, outbox& out) {
    if (e.self() != self_) return renewed_error("this replica has taken a new id");
    if (twin() && !std::exchange(introduced_, true)) introduce(e, out);
    look_into(e, chains.take_doubts());
    for (; !questions_.empty(); questions_.pop_front()) {
      const auto& q = questions_.front();
      const auto chain = e.chain_at(q.origin, q.seq);
      if (!chain) return chain.error();
      out.put(message::inquiry, encode_inquiry(chain_answer{q.origin, q.seq, *chain}));
    }
    for (; !replies_.empty(); replies_.pop_front())
      if (auto said = say(e, replies_.front(), true, out); !said) return said;
    ask(out);
    if (!searches_.empty()) return finished() ? conclude(e, chains, outgoing, out) : result<>{};
    if (!std::exchange(restart_, false)) return {};
    if (auto again = outgoing.rewind(e); !again) return again;
    out.put(message::inquiry, encode_inquiry(fresh_start{taken_, false}));
    return {};
  }

  /// Whether data must neither come in nor go out.
  [[nodiscard]] bool busy(const lineage<E>& chains) const noexcept {
    return !searches_.empty() || awaiting_ || left_to_peer_ || restart_ || chains.doubtful();
  }
  /// Whether a changeset belongs to the peer's branch of a fork.
  [[nodiscard]] bool bars(const replica_id& origin, std::uint64_t seq) const {
    const auto at = common_.find(origin);
    return at != common_.end() && seq > at->second;
  }
  /// How many origins the two have different histories of.
  [[nodiscard]] std::uint64_t forked() const noexcept { return common_.size(); }

 private:
  static constexpr std::size_t most_questions = 1024;
  static constexpr std::size_t most_asked = 64;
  static constexpr std::size_t most_evidence = min_frame_limit - 256;

  /// The chains do not agree at `high`, or nobody knows; they agree at `proven` (0 always). Between
  /// that and `low` one side has forgotten its chains: it was there first, or joined a snapshot.
  struct search {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::uint64_t proven = 0;
    std::optional<std::uint64_t> asked{};
    bool probed = false;
    bool differs = false;
    bool beyond = false;  ///< the peer knew more than was here
    bool frozen = false;  ///< the origin is known to have forked
    [[nodiscard]] bool over() const noexcept { return low + 1 >= high; }
    [[nodiscard]] bool unknown() const noexcept { return proven < low; }
    [[nodiscard]] bool parts() const noexcept { return differs || (frozen && unknown()); }
  };

  /// From where on two histories of an origin are not the same, as far as anybody knows, and
  /// whether the changesets there differ.
  struct where {
    replica_id origin;
    std::uint64_t seq = 0;
    bool differs = false;
  };

  [[nodiscard]] bool twin() const noexcept { return peer_ == self_; }

  void look_into(E& e, const typename lineage<E>::doubts& doubts) {
    if (doubts.empty()) return;
    std::unordered_map<replica_id, std::uint64_t> ours;
    for (const auto& h : e.heads()) ours[h.origin] = h.seq;
    const auto forks = e.forks();
    for (const auto& [origin, seq] : doubts) {
      if (origin == peer_ && !twin()) {
        if (!std::exchange(left_to_peer_, true))
          replies_.push_back({origin, std::min(ours[origin], seq), true});
      } else if (!common_.contains(origin) && !searches_.contains(origin)) {
        auto& s = searches_[origin];
        s.high = std::min(ours[origin], seq) + 1;
        s.beyond = seq > ours[origin];
        s.frozen = std::any_of(forks.begin(), forks.end(),
                               [&id = origin](const auto& f) { return f.origin == id; });
      }
    }
  }

  /// Asks on, beginning at the top of each search: often the two agree all the way.
  void ask(outbox& out) {
    auto under_way = static_cast<std::size_t>(std::count_if(
        searches_.begin(), searches_.end(), [](const auto& s) { return s.second.asked; }));
    for (auto& [origin, s] : searches_) {
      if (s.over() || s.asked) continue;
      if (under_way++ == most_asked) return;
      s.asked = std::exchange(s.probed, true) ? s.low + (s.high - s.low) / 2 : s.high - 1;
      out.put(message::inquiry, encode_inquiry(chain_question{origin, *s.asked}));
    }
  }

  result<> heard(E& e, const chain_answer& answer) {
    if (common_.contains(answer.origin)) return {};  // the peer has told the result meanwhile
    const auto at = searches_.find(answer.origin);
    if (at == searches_.end() || at->second.asked != answer.seq)
      return error{errc::protocol, "an answer to no question", "", "the peer is at fault"};
    auto& s = at->second;
    s.asked.reset();
    const auto ours = e.chain_at(answer.origin, answer.seq);
    if (!ours) return ours.error();
    // What one side no longer knows lies below all that both know.
    const bool known = *ours && answer.chain;
    const bool differ = known && **ours != *answer.chain;
    (differ ? s.high : s.low) = answer.seq;
    if (known && !differ) s.proven = answer.seq;
    s.differs = s.differs || differ;
    return {};
  }

  result<> told(E& e, const fork_notice& notice, lineage<E>& chains, outgoing<E>& out) {
    if (notice.origin == self_ && !twin()) return chains.doubt({self_, notice.seq, {}}, {});
    if (notice.origin == peer_)
      return error{errc::protocol, "a fork that is for its own replica to settle",
                   text_of(notice.origin, notice.seq), "the peer is at fault"};
    const auto noted = e.note_fork(notice.origin, notice.seq, notice.changeset);
    if (!noted) return noted.error();
    taken_ += notice.reply ? 0 : 1;
    if (common_.contains(notice.origin)) return {};
    if (!notice.reply) replies_.push_back({notice.origin, notice.seq, !notice.changeset.empty()});
    searches_.erase(notice.origin);
    return part(e, notice.origin, notice.seq - 1, chains, out);
  }

  result<> part(E& e, const replica_id& origin, std::uint64_t common, lineage<E>& chains,
                outgoing<E>& out) {
    common_[origin] = common;
    chains.part(origin);
    return out.withhold(e, origin, common);
  }

  result<> say(E& e, const where& at, bool reply, outbox& out) {
    const auto data = e.changeset_at(at.origin, at.seq);
    if (!data) return data.error();
    const bool fits = at.differs && data->size() <= most_evidence;
    out.put(message::inquiry,
            encode_inquiry(
                fork_notice{at.origin, at.seq, fits ? bytes_view{*data} : bytes_view{}, reply}));
    return {};
  }

  void introduce(E& e, outbox& out) {
    our_own_ = {e.given_away(), e.instance(), {}};
    for (const auto& h : e.heads())
      if (h.origin == self_) our_own_.chain = h.chain;
    out.put(message::inquiry, encode_inquiry(our_own_));
  }

  result<> met_twin(E& e, const twin_notice& notice) {
    if (!twin() || notice.instance == e.instance())
      return error{errc::fork, "a replica meets itself", "replica " + self_.hex(),
                   "connect it to another one"};
    theirs_ = notice;
    return {};
  }

  [[nodiscard]] bool finished() const {
    const bool over = std::all_of(searches_.begin(), searches_.end(),
                                  [](const auto& s) { return s.second.over(); });
    return over && (!twin() || theirs_);
  }

  result<> conclude(E& e, lineage<E>& chains, outgoing<E>& outgoing, outbox& out) {
    if (const auto own = searches_.find(self_); own != searches_.end())
      if (twin() || own->second.differs || own->second.beyond || own->second.unknown())
        return renew(e, own->second);
    for (const auto& [origin, s] : std::exchange(searches_, {})) {
      if (left_to_peer_ || !s.parts()) continue;
      ++told_;
      const where at{origin, s.proven + 1, !s.unknown()};
      if (auto said = say(e, at, false, out); !said) return said;
      if (auto parted = part(e, origin, s.proven, chains, outgoing); !parted) return parted;
    }
    if (left_to_peer_) return {};
    restart_ = false;
    awaiting_ = true;
    if (auto again = outgoing.rewind(e); !again) return again;
    out.put(message::inquiry, encode_inquiry(fresh_start{taken_, true}));
    return {};
  }

  result<> renew(E& e, const search& s) {
    const auto common = s.low;
    if (!e.may_renew())
      return error{errc::fork, "this store was put back from an older image, or copied",
                   text_of(self_, common), "let it take a new replica id: engine::renew"};
    // To go on from too low would make changes twice, from too high would leave two under one dot.
    if (s.unknown())
      return error{errc::gap,
                   "this store was put back or copied, and the peer no longer knows where its "
                   "history parted",
                   text_of(self_, s.proven + 1),
                   "sync it with a replica whose log reaches back to there, or make a new store"};
    auto keep = std::max(common, e.given_away());
    if (twin() && keeps_branch(common)) keep = codec::max_seq;
    if constexpr (bootstrapping<E>)
      if (const auto& floor = e.log_floor();
          keep > common && keep != codec::max_seq && (floor.position > 0 || !floor.joins.empty()))
        return error{errc::gap, "this store was put back, and what it gave away since has another",
                     text_of(self_, common), "make a new store and sync into it"};
    // Both copies gave some of their branch away: neither can go under a new id any more.
    if (s.differs && keep > common && keep != codec::max_seq)
      if (auto noted = e.note_fork(self_, common + 1, {}); !noted) return noted.error();
    if (auto done = e.renew(keep); !done) return done;
    return renewed_error("this store was put back from an older image, or copied: it has a new id");
  }

  /// Of two copies, one may keep the dots of what it wrote since: the one that gave some of it
  /// away, or else the one with the greater chain. Both come to the same answer.
  [[nodiscard]] bool keeps_branch(std::uint64_t common) const {
    const bool ours = our_own_.given > common;
    const bool theirs = theirs_->given > common;
    return ours == theirs ? !ours && our_own_.chain > theirs_->chain : ours;
  }

  replica_id self_;  ///< as our hello said
  replica_id peer_;
  twin_notice our_own_;
  std::optional<twin_notice> theirs_;
  bool introduced_ = false;

  std::unordered_map<replica_id, std::uint64_t> stated_;  ///< our heads at the beginning
  std::unordered_map<replica_id, search> searches_;
  std::unordered_map<replica_id, std::uint64_t> common_;  ///< of forked origins
  std::deque<chain_question> questions_;
  std::deque<where> replies_;
  std::uint64_t told_ = 0;   ///< forks that we told the peer first
  std::uint64_t taken_ = 0;  ///< forks that it told us first
  bool awaiting_ = false;    ///< until the peer begins again
  bool restart_ = false;     ///< we are to begin again
  bool left_to_peer_ = false;
};

}  // namespace joinery::sync
