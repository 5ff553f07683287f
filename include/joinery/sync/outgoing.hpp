// outgoing: what the peer lacks, in causal order, as far as it lets us.
//
// Purpose: a cursor over the endpoint's log. It skips what the peer is known to have (it said so,
// sent it, or was sent it), packs the rest into frames of the transit form under the peer's credit,
// and notes what comes back acknowledged. A peer below the log's floor gets a snapshot first
// (snapshot_out.hpp).
// Invariants: the log's order is kept. Nothing is copied ahead: a stalled peer costs a position,
// not data.
// Thread-safety: none; guarded by the session.
#pragma once

#include <memory>

#include "joinery/codec/transit/encoder.hpp"
#include "joinery/sync/hello.hpp"
#include "joinery/sync/lineage.hpp"
#include "joinery/sync/outbox.hpp"

namespace joinery::sync {

template <endpoint E>
class outgoing {
 public:
  /// The peer said hello and has `heads`. Errors: those of the endpoint, and gap, when the log no
  /// longer has what the peer lacks and the endpoint serves no snapshots.
  result<> start(E& e, const hello& peer, const std::vector<history::head>& heads,
                 const session_options& options) {
    window_ = credit_ = peer.credit;
    const auto body = std::min<std::uint64_t>(options.batch, peer.max_frame);
    piece_ = static_cast<std::size_t>(std::min<std::uint64_t>(body, codec::max_frame_body)) - slack;
    frame_ = static_cast<std::size_t>(
        std::min<std::uint64_t>(peer.max_frame, codec::max_frame_body) - codec::min_frame_body);
    memory_ = std::min(options.memory, peer.memory);
    for (const auto& h : heads) heard_[h.origin] = acked_[h.origin] = h.seq;
    selection_ = options.tables;
    told_acknowledged(e, heads);
    return rewind(e);
  }

  /// Begins again, from what the peer is known to have. Errors: gap.
  result<> rewind(E& e) {
    ++rounds_;
    has_ = heard_;
    awaited_.clear();
    tail_.reset();
    offset_ = 0;
    behind_ = false;
    at_ = e.log_end();
    note_floor(e);
    for (const auto& ours : e.heads()) {
      const auto known = seq_of(has_, ours.origin);
      if (ours.seq <= known) continue;
      const auto position = e.log_position(ours.origin, known + 1);
      if (!position) return position.error();
      if (*position) {
        at_ = std::min(at_, **position);
        continue;
      }
      // A snapshot is of all tables: it goes to nobody who is to have some only.
      if (!bootstrapping<E> || selection_) return below_floor(text_of(ours.origin, known + 1));
      behind_ = true;
    }
    if (selection_) {
      withholding_.emplace(*selection_);
      at_ = 1;  // what depends on what shows only from the beginning
    }
    return {};
  }
  /// Whether the peer needs a snapshot before the log can go on.
  [[nodiscard]] bool behind() const noexcept { return behind_; }
  /// How often it began.
  [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_; }
  /// Whether some branch is not for this peer.
  [[nodiscard]] bool withholds() const noexcept { return !limits_.empty(); }

  /// The peer has the records of a snapshot: from `position` on it gets the log's changesets above
  /// `base`, whether it has them or not, until `tail_over`.
  void tail(const std::vector<history::head>& base, std::uint64_t position) {
    tail_ = seqs{};
    for (const auto& h : base) (*tail_)[h.origin] = h.seq;
    at_ = position;
    offset_ = 0;
  }
  /// The snapshot is complete: what it holds the peer has, and is to acknowledge.
  void tail_over(E& e) {
    for (const auto& [origin, seq] : std::exchange(tail_, std::nullopt).value_or(seqs{})) {
      auto& known = has_[origin];
      known = std::max(known, seq);
      if (seq > seq_of(acked_, origin)) awaited_[origin] = seq;
    }
    behind_ = false;
    note_floor(e);
  }
  /// How much of `rest` bytes, which may be cut anywhere, fits into the next frame; 0 is to wait.
  [[nodiscard]] std::size_t piece_of(std::size_t rest) const {
    const auto room = room_for_body();
    // The peer grants anew once half of its window is used: until then wait only if less than half
    // of it is left.
    const bool scarce = room < piece_ && room < rest && credit_ <= window_ / 2;
    return scarce ? 0 : std::min(room, rest);
  }
  /// What a frame may hold, whatever the credit.
  [[nodiscard]] std::size_t frame_bytes() const noexcept { return piece_; }
  /// Whether a part of a changeset was sent, and its rest not yet.
  [[nodiscard]] bool within_changeset() const noexcept { return offset_ > 0; }
  /// A frame that costs credit was sent.
  void spend(std::size_t wire) { credit_ -= wire; }

  /// The peer was heard to have a changeset. Errors: flooded.
  result<> learn(const replica_id& origin, std::uint64_t seq) {
    if (has_.size() >= 2 * max_origins && !has_.contains(origin))
      return error{errc::flooded, "a peer names too many origins", "", "the peer is at fault"};
    auto& known = has_[origin];
    known = std::max(known, seq);
    auto& heard = heard_[origin];
    heard = std::max(heard, seq);
    return {};
  }

  /// The peer has another history of `origin` beyond `common`: what depends on ours is not for it.
  result<> withhold(E& e, const replica_id& origin, std::uint64_t common) {
    parted_.emplace_back(origin, common);
    limited_to_ = 0;
    return limit(e);
  }

  /// The peer grants more. Errors: protocol.
  result<> grant(std::uint64_t amount) {
    if (amount > window_ - credit_)
      return error{errc::protocol,
                   "a grant of " + std::to_string(amount) + " bytes beyond the window", "",
                   "the peer is at fault"};
    credit_ += amount;
    return {};
  }

  /// Puts one frame of what the peer lacks. False when there is nothing, or no credit for it.
  result<bool> send(E& e, outbox& out) {
    more_ = false;
    const auto end = e.log_end();
    if (at_ >= end) return false;
    if (auto kept = still_there(e); !kept) return kept.error();
    if (auto limited = limit(e); !limited) return limited.error();
    if constexpr (settling_endpoint<E>)
      if (auto noted = e.offer(); !noted) return noted.error();
    batch b;
    bool stopped = false;
    std::size_t visited = 0;
    const auto read = e.read_log(at_, [&](std::uint64_t position, const replica_id& origin,
                                          std::uint64_t seq, bytes_view changeset) {
      at_ = position;
      const bool over =
          tail_ ? seq <= seq_of(*tail_, origin) : passes_over(position, origin, seq, changeset);
      if (offset_ == 0 && over) {
        ++at_;
        stopped = more_ = ++visited == most_skipped;
      } else {
        stopped = !add(b, origin, seq, changeset);
      }
      return !stopped;
    });
    if (!read) return read.error();
    if (!stopped) at_ = std::max(at_, end);
    if (b.size > 0) encoder_->finish(b.body);
    if (b.body.empty()) return false;
    credit_ -= out.put(b.type, b.body);
    return true;
  }

  /// Errors: protocol, fork, flooded; those of the endpoint.
  result<> acknowledge(E& e, const ack& m, lineage<E>& chains) {
    if (m.received < received_ || m.received > sent_ || m.held > m.received)
      return error{errc::protocol, "an acknowledgement of what was not sent", "",
                   "the peer is at fault"};
    received_ = m.received;
    held_ = m.held;
    std::vector<history::head> heads, unknown;
    if (auto named = whole_heads(e, m, heads, unknown); !named) return named;
    told_acknowledged(e, heads);
    for (const auto& h : heads)
      if (auto same = chains.check(e, h); !same) return same;
    heads.insert(heads.end(), unknown.begin(), unknown.end());
    for (const auto& h : heads) {
      if (auto learnt = learn(h.origin, h.seq); !learnt) return learnt;
      auto& acked = acked_[h.origin];
      acked = std::max(acked, h.seq);
      const auto awaited = awaited_.find(h.origin);
      if (awaited != awaited_.end() && awaited->second <= acked) awaited_.erase(awaited);
    }
    return {};
  }

  /// Whether everything durable here was sent, or was there.
  [[nodiscard]] bool at_end(E& e) const { return offset_ == 0 && at_ >= e.log_end(); }
  /// Whether it was also dealt with there: durable, or held.
  [[nodiscard]] bool settled(E& e) const {
    return at_end(e) && received_ == sent_ && (awaited_.empty() || held_ > 0);
  }
  /// Whether the cursor paused only to let others run.
  [[nodiscard]] bool more() const noexcept { return more_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t held() const noexcept { return held_; }
  /// How many are held back, since the peer is not to have their tables.
  [[nodiscard]] std::uint64_t held_back() const noexcept {
    return withholding_ ? withholding_->count() : 0;
  }

 private:
  using seqs = std::unordered_map<replica_id, std::uint64_t>;

  // The log may have grown by what depends on a branch, by way of others.
  result<> limit(E& e) {
    if constexpr (settling_endpoint<E>) {
      if (parted_.empty() || limited_to_ == e.log_end()) return {};
      for (const auto& [origin, common] : parted_) {
        const auto clean = e.clean_of(origin, common);
        if (!clean) return clean.error();
        for (const auto& [id, seq] : *clean) {
          const auto [at, fresh] = limits_.try_emplace(id, seq);
          if (!fresh) at->second = std::min(at->second, seq);
        }
      }
      limited_to_ = e.log_end();
    }
    return {};
  }

  static constexpr std::size_t slack = 64;  ///< what frame, array and part headers may take
  static constexpr std::size_t most_skipped = 16384;  ///< entries in one call

  struct batch {
    message type = message::changes;
    bytes body;
    std::size_t size = 0;  ///< of the changesets that the encoder was given for it
  };

  static std::uint64_t seq_of(const seqs& map, const replica_id& origin) {
    const auto at = map.find(origin);
    return at == map.end() ? 0 : at->second;
  }

  [[nodiscard]] bool withheld(const replica_id& origin, std::uint64_t seq) const {
    const auto limit = limits_.find(origin);
    return limit != limits_.end() && seq > limit->second;
  }

  bool passes_over(std::uint64_t position, const replica_id& origin, std::uint64_t seq,
                   bytes_view changeset) {
    const auto known = seq_of(has_, origin);
    const bool kept =
        withholding_ && withholding_->holds_back(position, origin, seq, known, changeset);
    return kept || withheld(origin, seq) || seq <= known;
  }

  /// Adds a changeset, or a piece of it; false when the frame is full.
  bool add(batch& b, const replica_id& origin, std::uint64_t seq, bytes_view changeset) {
    if (offset_ == 0 && b.size + changeset.size() <= piece_) {
      if (!encoder_) encoder_ = std::make_unique<codec::transit::encoder>(memory_);
      const auto bound = encoder_->bound() + codec::transit::most_added(changeset.size());
      if (bound + codec::frame_overhead <= credit_ && bound <= frame_) {
        encoder_->add(changeset);
        b.size += changeset.size();
        done(origin, seq);
        return true;
      }
      // With what the peer is about to grant it fits.
      if (credit_ <= window_ / 2 && bound + codec::frame_overhead <= window_) return false;
    }
    if (b.size > 0) return false;
    // It does not fit even alone.
    const auto rest = changeset.substr(offset_);
    const auto chunk = rest.substr(0, piece_of(rest.size()));
    if (chunk.empty()) return false;
    b.type = message::part;
    b.body = encode(part{changeset.size(), offset_, chunk});
    offset_ += chunk.size();
    if (offset_ == changeset.size()) done(origin, seq);
    return false;
  }

  [[nodiscard]] std::size_t room_for_body() const {
    return credit_ > slack
               ? static_cast<std::size_t>(std::min<std::uint64_t>(piece_, credit_ - slack))
               : 0;
  }

  // The log is dropped from below, and what came with a joined snapshot never was in it. Whatever
  // that concerns the peer must have by now, or this session cannot serve it any more.
  result<> still_there(E& e) {
    if constexpr (bootstrapping<E>) {
      const auto& floor = e.log_floor();
      if (tail_ || (joins_ == e.joins() && at_ > floor.position)) return {};
      if (offset_ > 0 && at_ <= floor.position)
        return below_floor("log position " + std::to_string(at_));
      for (causal::replica_index r = 0; r < floor.version.size(); ++r) {
        const auto& origin = e.replicas()[r];
        if (floor.version.at(r) > seq_of(has_, origin))
          return below_floor(text_of(origin, floor.version.at(r)));
      }
      joins_ = e.joins();
      at_ = std::max(at_, floor.position + 1);
    }
    return {};
  }
  void note_floor(E& e) {
    if constexpr (bootstrapping<E>) joins_ = e.joins();
  }
  /// The heads that are acknowledged: those that were abbreviated get our own chain where theirs
  /// begins as it does. What we have not got ourselves is `unknown`: the next greeting compares it.
  result<> whole_heads(E& e, const ack& m, std::vector<history::head>& heads,
                       std::vector<history::head>& unknown) {
    if (named_.size() + m.heads.size() > 2 * max_origins)
      return error{errc::flooded, "a peer names too many origins", "", "the peer is at fault"};
    heads = m.heads;
    for (const auto& h : m.heads) named_.push_back(h.origin);
    for (const auto& l : m.later) {
      if (l.number >= named_.size())
        return error{errc::protocol, "an acknowledgement of an origin without a name", "",
                     "the peer is at fault"};
      history::head h{named_[static_cast<std::size_t>(l.number)], l.seq, {}};
      const auto ours = e.chain_at(h.origin, h.seq);
      if (!ours) return ours.error();
      if (*ours && (*ours)->view().starts_with(bytes_view{l.chain.data(), l.chain.size()}))
        h.chain = **ours;
      else
        std::copy(l.chain.begin(), l.chain.end(), h.chain.data.begin());
      (*ours || h.origin == e.self() ? heads : unknown).push_back(h);
    }
    return {};
  }
  static void told_acknowledged(E& e, const std::vector<history::head>& heads) {
    if constexpr (requires { e.acknowledged(heads); }) e.acknowledged(heads);
  }
  static error below_floor(std::string what) {
    return {errc::gap, "the peer lacks what this log no longer holds", std::move(what),
            "connect again: a replica that serves snapshots sends one"};
  }

  void done(const replica_id& origin, std::uint64_t seq) {
    offset_ = 0;
    ++at_;
    ++sent_;
    if (tail_) (*tail_)[origin] = seq;
    has_[origin] = std::max(has_[origin], seq);
    if (seq > seq_of(acked_, origin)) awaited_[origin] = seq;
  }

  std::uint64_t at_ = 0;      ///< the log position to go on from
  std::uint64_t offset_ = 0;  ///< bytes of the changeset there that were sent already
  std::size_t piece_ = 0;     ///< bytes of changesets that one frame may hold
  std::size_t frame_ = 0;     ///< bytes that the payload of one may have
  std::uint64_t memory_ = 0;
  std::unique_ptr<codec::transit::encoder> encoder_;  ///< once there was something to send
  std::uint64_t window_ = 0;
  std::uint64_t credit_ = 0;
  seqs has_;    ///< what the peer has, or was sent
  seqs heard_;  ///< what it is known to have
  std::vector<std::pair<replica_id, std::uint64_t>> parted_;
  clean_versions limits_;         ///< what goes beyond these depends on a branch
  std::uint64_t limited_to_ = 0;  ///< the log's end when they were worked out
  std::optional<table_selection> selection_;
  std::vector<replica_id> named_;  ///< origins, in the order in which they were acknowledged first
  seqs acked_;                     ///< what it said is durable there
  seqs awaited_;                   ///< sent, and not acknowledged
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;  ///< of these, dealt with by the peer
  std::uint64_t held_ = 0;
  std::optional<withholding> withholding_;
  bool more_ = false;
  std::uint64_t rounds_ = 0;
  bool behind_ = false;       ///< the peer lacks what the log has not got
  std::optional<seqs> tail_;  ///< while the tail of a snapshot is sent: what of it is not to be
  std::uint64_t joins_ = 0;   ///< of snapshots, at the endpoint, when the floor was last looked at
};

}  // namespace joinery::sync
