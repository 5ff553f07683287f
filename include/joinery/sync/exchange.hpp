// exchange: the part of a session after the greeting.
//
// Purpose: takes in data and acknowledgements, sends what the peer lacks, and finds out when both
// are in sync.
// Invariants: acknowledgements and grants go before data, so that a peer which waits for them never
// waits for all that; while a doubt about the lineage is looked into, nothing comes in or goes out;
// nothing is produced beyond the outbox's low-water mark.
// Thread-safety: none; guarded by the session.
#pragma once

#include "joinery/codec/changeset.hpp"
#include "joinery/sync/backlog.hpp"
#include "joinery/sync/event.hpp"
#include "joinery/sync/greeting.hpp"
#include "joinery/sync/incoming.hpp"
#include "joinery/sync/inquiry.hpp"
#include "joinery/sync/outgoing.hpp"
#include "joinery/sync/receipts.hpp"
#include "joinery/sync/refetch.hpp"
#include "joinery/sync/snapshot_in.hpp"
#include "joinery/sync/snapshot_out.hpp"
#include "joinery/sync/verifier.hpp"

namespace joinery::sync {

template <endpoint E>
class exchange {
 public:
  exchange(E& e, const session_options& options)
      : endpoint_(e),
        options_(options),
        inquiry_(e),
        incoming_(options),
        backlog_(options),
        receipts_(options),
        refetch_(options),
        verifier_(options) {}

  /// The greeting is over.
  result<> begin(const hello& peer, const std::vector<history::head>& heads) {
    peer_ = peer.replica;
    if (peer.verify) verifier_.want();
    peer_selects_ = peer.selective;
    if (!peer_selects_) chains_.promised();
    incoming_.begin(peer);
    refetch_.begin(peer.max_frame);
    inquiry_.begin(endpoint_, peer, heads, chains_);
    return outgoing_.start(endpoint_, peer, heads, options_);
  }

  /// Takes any message but those of the greeting, `error` and `bye`.
  result<> take(const codec::frame& f, event_queue& events) {
    switch (const auto type = static_cast<message>(f.type)) {
      case message::changes:
      case message::part: return take_data(type, f, events);
      case message::ack:
        if (const auto m = read_ack(f.payload))
          return outgoing_.acknowledge(endpoint_, *m, chains_);
        return unreadable("ack");
      case message::credit:
        if (const auto amount = read_credit(f.payload)) return outgoing_.grant(*amount);
        return unreadable("credit");
      case message::caught_up:
        if (!read_empty(f.payload)) return unreadable("caught_up");
        if (std::exchange(peer_caught_up_, true)) return out_of_place(type, "twice");
        return {};
      case message::digest:
        if (const auto m = read_digest(f.payload)) return verifier_.claim(*m), result<>{};
        return unreadable("digest");
      case message::inquiry: return take_inquiry(f.payload);
      case message::refetch: return refetch_.asked(f.payload);
      case message::refetched: return refetch_.answered(endpoint_, f.payload);
      case message::snapshot_offer:
        if (!read_empty(f.payload)) return unreadable("snapshot_offer");
        return snapshot_in_.offered(endpoint_);
      case message::snapshot_request:
        if (auto in = admits(endpoint_, peer_); !in) return in;
        if (inquiry_.busy(chains_) || rounds_ != outgoing_.rounds()) return {};  // of an old offer
        return snapshot_out_.asked(endpoint_, f.payload, outgoing_);
      case message::snapshot_chunk: return take_chunk(f);
      case message::ping:
        if (!read_empty(f.payload)) return unreadable("ping");
        return {};
      default: return out_of_place(type, "after the greeting");
    }
  }

  /// Puts into the outbox what there is to say, as far as it has room.
  result<> produce(std::uint64_t now, outbox& out, event_queue& events) {
    // It may have been evicted since the greeting.
    if (auto in = admits(endpoint_, peer_); !in) return in;
    auto stored = backlog_.retry(
        now, [&](std::span<const bytes_view> changesets) { return store(changesets, events); });
    if (!stored) return stored;
    if (auto told = acknowledge(now, out); !told) return told;
    if (backlog_.empty())
      if (const auto amount = incoming_.grant(); amount > 0)
        out.put(message::credit, encode_credit(amount));
    if (auto settled = inquiry_.step(endpoint_, chains_, outgoing_, out); !settled) return settled;
    if (inquiry_.busy(chains_)) return settled_ = false, result<>{};
    if (std::exchange(rounds_, outgoing_.rounds()) != outgoing_.rounds()) {
      snapshot_out_.begin(outgoing_);
      said_caught_up_ = false;
    }
    if (snapshot_in_.pending())
      if (auto same = inquiry_.has_compared(endpoint_, true); !same) {
        if constexpr (bootstrapping<E>)  // the next greeting shows it
          if (auto synced = endpoint_.flush(); !synced) return synced;
        return same;
      }
    if (auto asked = snapshot_in_.ask(endpoint_, out); !asked) return asked;
    while (out.size() < options_.low_water) {
      const auto sent = snapshot_out_.active() ? snapshot_out_.send(endpoint_, outgoing_, out)
                                               : outgoing_.send(endpoint_, out);
      if (!sent) return sent.error();
      if (!*sent) break;
    }
    const bool all_sent = !snapshot_out_.active() && outgoing_.at_end(endpoint_);
    if (!said_caught_up_ && all_sent) {
      out.put(message::caught_up);
      said_caught_up_ = true;
    }
    if (auto asked = refetch_.produce(endpoint_, all_sent, out); !asked) return asked;
    // Who came for one exchange has given all that it can.
    if (options_.once && !backlog_.empty() && said_caught_up_ && outgoing_.settled(endpoint_))
      return backlog_.why();
    return settle(now, out, events);
  }

  /// The last word on what came just before the peer's bye.
  result<> conclude(std::uint64_t now, outbox& out, event_queue& events) {
    if (auto told = acknowledge(now, out); !told) return told;
    return settle(now, out, events);
  }

  /// The session is over: what it kept others from, or the log from dropping, is free again.
  void release() {
    snapshot_in_.release();
    snapshot_out_.release();
  }

  /// When `produce` should be called again, whatever happens; nothing when only an event can help.
  [[nodiscard]] std::optional<std::uint64_t> next_wake(std::uint64_t now) const {
    std::optional<std::uint64_t> first;
    const auto consider = [&](std::uint64_t at) { first = std::min(first.value_or(at), at); };
    if (outgoing_.more() || chains_.doubtful()) consider(now);
    if (snapshot_in_.waiting()) consider(now + offer_poll_ms);
    if (receipts_.waiting()) consider(now + options_.durable_poll_ms);
    if (const auto at = backlog_.next(now)) consider(*at);
    if (settled_) {
      if (const auto at = verifier_.next(endpoint_)) consider(*at);
      if (!announced_) consider(*first_settled_ + options_.verify_patience_ms);
    }
    return first;
  }

  [[nodiscard]] lineage<E>& chains() noexcept { return chains_; }
  /// Whether each side has sent what the other lacked at first.
  [[nodiscard]] bool live() const noexcept { return said_caught_up_ && peer_caught_up_; }
  /// Whether each side has all that the other has, durably.
  [[nodiscard]] bool in_sync() const noexcept { return settled_; }
  /// Whether the program was told so.
  [[nodiscard]] bool announced() const noexcept { return settled_ && announced_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return outgoing_.sent(); }
  [[nodiscard]] std::uint64_t received() const noexcept { return receipts_.received(); }

 private:
  static constexpr std::uint64_t offer_poll_ms = 1000;

  result<> take_inquiry(bytes_view payload) {
    const auto rounds = incoming_.rounds();
    auto done = inquiry_.take(endpoint_, payload, chains_, outgoing_, incoming_);
    if (!done || incoming_.rounds() == rounds) return done;
    peer_caught_up_ = false;  // it begins again, and says so again when it has sent all
    snapshot_in_.follow(incoming_.rounds());
    return {};
  }
  result<> take_chunk(const codec::frame& f) {
    if (auto charged = incoming_.charge(f.wire); !charged) return charged;
    if (!backlog_.empty())  // what comes before it is not stored yet
      return error{errc::full, "a snapshot while the device is full", "",
                   "make room and connect again: it goes on from there"};
    if (auto in = admits(endpoint_, peer_); !in) return in;
    if (inquiry_.busy(chains_)) return {};  // the peer will begin again
    if (auto holds = inquiry_.has_compared(endpoint_, false); !holds) return holds;
    const auto joined = snapshot_in_.take(endpoint_, f.payload);
    if (!joined) return joined.error();
    if (!*joined) return {};
    for (const auto& h : **joined) {
      if (auto learnt = outgoing_.learn(h.origin, h.seq); !learnt) return learnt;
      receipts_.owe(h.origin, h.seq);
    }
    return {};
  }

  result<> take_data(message type, const codec::frame& f, event_queue& events) {
    if (auto charged = incoming_.charge(f.wire); !charged) return charged;
    if (type == message::part) {
      const auto piece = read_part(f.payload);
      if (!piece) return unreadable("part");
      const auto whole = incoming_.add(*piece);
      if (!whole) return whole.error();
      if (!*whole) return {};
      const bytes_view one = **whole;
      return ingest({&one, 1}, events);
    }
    if (incoming_.assembling()) return out_of_place(type, "within a changeset");
    const auto changesets = incoming_.changesets(f.payload);
    return changesets ? ingest(*changesets, events) : changesets.error();
  }

  /// Stores what came, or keeps it until that is possible.
  result<> ingest(std::span<const bytes_view> changesets, event_queue& events) {
    if (!backlog_.empty() && !inquiry_.busy(chains_)) return backlog_.keep(changesets);
    auto stored = store(changesets, events);
    if (stored || !backlog::passes(stored.error())) return stored;
    event e{event_kind::paused};
    e.failure = stored.error();
    events.push(std::move(e));
    return backlog_.keep(changesets, stored.error());
  }

  result<> store(std::span<const bytes_view> changesets, event_queue& events) {
    if (inquiry_.busy(chains_)) return drop(changesets.size());
    // Whose they are stands in the changesets themselves: a relay has no label to get wrong.
    std::vector<history::head> names;
    for (const auto data : changesets) {
      const auto name = codec::peek_dot(data);
      if (!name || name->second == 0) return unreadable("changes");
      names.push_back({name->first, name->second, {}});
      if (inquiry_.bars(name->first, name->second))
        return error{errc::protocol, "a changeset of a branch that is not ours",
                     text_of(name->first, name->second), "the peer is at fault"};
      if (name->first != endpoint_.self() || name->second <= lineage<E>::own_seq(endpoint_))
        continue;
      if (auto doubted = chains_.doubt(names.back(), lineage<E>::outlived(names.back())); !doubted)
        return doubted;
    }
    if (auto in = admits(endpoint_, peer_); !in) return in;
    if (chains_.doubtful()) return drop(changesets.size());
    const auto report = take_in(changesets);
    if (!report && report.error().code == errc::fork) {
      if (auto doubted = doubt_all(names, report.error()); !doubted) return doubted;
      return drop(changesets.size());
    }
    if (!report) return report.error();
    for (const auto& name : names) {
      if (auto learnt = outgoing_.learn(name.origin, name.seq); !learnt) return learnt;
      receipts_.note(name.origin, name.seq);
    }
    receipts_.note(*report);
    event e{event_kind::received};
    e.report = *report;
    events.push(std::move(e));
    return {};
  }

  /// Changesets that follow a snapshot's records are part of it.
  result<ingest_report> take_in(std::span<const bytes_view> changesets) {
    if (!snapshot_in_.receiving()) return ingest_from(endpoint_, peer_, changesets);
    auto taken = snapshot_in_.take_tail(endpoint_, changesets);
    return taken ? result<ingest_report>{ingest_report{}} : taken.error();
  }

  /// Neither stored nor owed: the peer will begin again.
  result<> drop(std::size_t count) {
    for (; count > 0; --count) receipts_.note_dropped();
    return {};
  }

  /// One of these has other bytes than we have; `why` when none is known here.
  result<> doubt_all(const std::vector<history::head>& names, const error& why) {
    bool known = false;
    for (const auto& name : names) {
      const auto ours = endpoint_.chain_at(name.origin, name.seq);
      if (!ours) return ours.error();
      if (!*ours) continue;
      known = true;
      if (auto doubted = chains_.doubt(name, why); !doubted) return doubted;
    }
    constexpr int most_refused = 3;  // a peer that sends it again and again is at fault
    return known && ++refused_ <= most_refused ? result<>{} : result<>{why};
  }

  result<> acknowledge(std::uint64_t now, outbox& out) {
    return receipts_.send(endpoint_, chains_, now, out);
  }

  /// In sync? Compares the states, and tells the program.
  result<> settle(std::uint64_t now, outbox& out, event_queue& events) {
    if (auto same = chains_.reached_all(endpoint_); !same) return same;
    if (chains_.doubtful()) return settled_ = false, result<>{};
    if (peer_caught_up_ && receipts_.settled() && receipts_.held() == 0 && backlog_.empty())
      if (auto kept = chains_.kept(endpoint_); !kept) return kept;
    const bool before = settled_;
    settled_ = live() && outgoing_.settled(endpoint_) && receipts_.settled() &&
               !incoming_.assembling() && backlog_.empty() && !refetch_.busy() &&
               !snapshot_out_.active() && !snapshot_in_.active();
    if (settled_ && !before) announced_ = false;
    if (settled_ && !first_settled_) first_settled_ = now;
    // While something is held back the states differ, and nothing is to be compared.
    const bool apart =
        outgoing_.held_back() > 0 || (peer_selects_ && settled_ && chains_.missing(endpoint_) > 0);
    const auto certificate = verifier_.step(endpoint_, settled_ && !apart, now, out);
    if (!certificate) return certificate.error();
    const bool held = receipts_.held() + outgoing_.held() > 0;
    const bool patient = verifier_.wanted() && inquiry_.forked() == 0 &&
                         !verifier_.certified_once() && !held && !apart &&
                         now < first_settled_.value_or(0) + options_.verify_patience_ms;
    if (*certificate || (settled_ && !announced_ && !patient)) announce(*certificate, events);
    return {};
  }

  void announce(const std::optional<crypto::digest>& certificate, event_queue& events) {
    announced_ = true;
    event e{event_kind::in_sync};
    e.digest = certificate;
    e.held_here = receipts_.held();
    e.held_there = outgoing_.held();
    e.held_back = outgoing_.held_back();
    if (peer_selects_) e.held_back_there = chains_.missing(endpoint_);
    e.forked = inquiry_.forked();
    events.push(std::move(e));
  }

  E& endpoint_;
  const session_options& options_;
  replica_id peer_;
  lineage<E> chains_;
  inquiry<E> inquiry_;
  incoming incoming_;
  backlog backlog_;
  outgoing<E> outgoing_;
  snapshot_out<E> snapshot_out_;
  snapshot_in<E> snapshot_in_;
  receipts<E> receipts_;
  refetch<E> refetch_;
  verifier<E> verifier_;

  std::uint64_t rounds_ = 0;     ///< of the log's cursor that the snapshot's is in step with
  bool peer_selects_ = false;    ///< it may hold back what it named
  int refused_ = 0;              ///< batches with other bytes than we have
  bool said_caught_up_ = false;  ///< we have sent all that was there
  bool peer_caught_up_ = false;
  bool settled_ = false;
  bool announced_ = false;  ///< this time of being in sync was told to the program
  std::optional<std::uint64_t> first_settled_;
};

}  // namespace joinery::sync
