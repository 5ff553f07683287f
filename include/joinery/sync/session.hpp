// session: the state machine that exchanges changesets with one peer.
//
// Purpose: bytes and the time go in, bytes, events and a next wake-up time come out. No sockets, threads or clock: TCP, a
// pipe, a broker or a file on a stick drive the same code.
// Invariants: memory is bounded, whatever the peer does; the first fault ends the session with a typed error on both
// sides. It may be cut at any byte: the next session goes on from what is durable.
// Thread-safety: none; use a session and its endpoint from one thread. The endpoint must outlive it.
#pragma once

#include "joinery/codec/changeset.hpp"
#include "joinery/sync/event.hpp"
#include "joinery/sync/greeting.hpp"
#include "joinery/sync/incoming.hpp"
#include "joinery/sync/outgoing.hpp"
#include "joinery/sync/receipts.hpp"
#include "joinery/sync/refusal.hpp"
#include "joinery/sync/timers.hpp"
#include "joinery/sync/verifier.hpp"

namespace joinery::sync {

template <endpoint E>
class session {
 public:
  /// `now_ms` counts milliseconds from any moment; it should not go back.
  session(E& e, const session_options& options, std::uint64_t now_ms)
      : endpoint_(e),
        options_(within_limits(options)),
        reader_(options_.max_frame),
        timers_(options_, now_ms),
        incoming_(options_.window),
        receipts_(options_),
        verifier_(options_) {
    if (auto opened = greeting_.open(endpoint_, options_, outbox_); !opened) fail(opened.error());
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Takes what the peer sent, in chunks of any size. The error, if any, is the session's end, and is told to the peer.
  result<> receive(bytes_view data, std::uint64_t now_ms) {
    timers_.advance(now_ms);
    if (!data.empty()) timers_.heard();
    receiving_ = true;
    while (!ended()) {
      const auto frame = reader_.next(data);
      if (!frame) fail(frame.error());
      if (!frame || !*frame) break;
      if (auto taken = take(**frame); !taken) fail(taken.error());
    }
    receiving_ = false;
    produce();
    if (failure_) return *failure_;
    return {};
  }

  /// Time has passed, or the endpoint has something new.
  void wake(std::uint64_t now_ms) {
    timers_.advance(now_ms);
    if (receiving_ || ended()) return;
    if (timers_.greeting_late()) return fail(quiet("the peer did not introduce itself in time"));
    if (timers_.silent()) {
      return said_bye_ ? end() : fail(quiet("the peer fell silent"));
    }
    produce();
    if (!ended() && timers_.ping_due()) {
      if (outbox_.empty() && !said_bye_) outbox_.put(message::ping);
      timers_.said();
    }
  }

  /// When to call `wake` at the latest; nothing once the session has ended.
  [[nodiscard]] std::optional<std::uint64_t> next_wake() const {
    if (ended()) return std::nullopt;
    auto first = timers_.next();
    const auto consider = [&](std::uint64_t at) { first = std::min(first.value_or(at), at); };
    if (outgoing_.more() && outbox_.size() < options_.low_water) consider(timers_.now());
    if (receipts_.waiting()) consider(timers_.now() + options_.durable_poll_ms);
    if (settled_) {
      if (const auto at = verifier_.next()) consider(*at);
      if (!announced_) consider(*first_settled_ + options_.verify_patience_ms);
    }
    return first;
  }

  /// What is to be sent. Taking it lets the session produce more.
  bytes take_output() {
    auto out = outbox_.take();
    if (!out.empty()) timers_.said();
    produce();
    return out;
  }
  [[nodiscard]] std::size_t pending_output() const noexcept { return outbox_.size(); }

  std::optional<event> next_event() { return events_.pop(); }

  /// Says bye after what is under way. The session ends when the peer has answered, or is gone.
  void finish() {
    if (ended() || said_bye_) return;
    outbox_.put(message::bye);
    said_bye_ = true;
  }

  /// The connection is gone: no byte will come any more.
  void disconnected() {
    if (ended()) return;
    if (said_bye_) return end();
    fail(error{errc::closed, "the connection ended", "", "connect again: it goes on from there"});
    outbox_.clear();
  }

  [[nodiscard]] session_state state() const noexcept { return state_; }
  [[nodiscard]] bool ended() const noexcept {
    return state_ == session_state::finished || state_ == session_state::failed;
  }
  /// Why it failed.
  [[nodiscard]] const std::optional<error>& failure() const noexcept { return failure_; }
  /// Whether each side has all that the other had, durably.
  [[nodiscard]] bool in_sync() const noexcept { return settled_; }
  /// The peer's id; none before its hello.
  [[nodiscard]] const replica_id& peer() const noexcept { return greeting_.peer().replica; }
  /// How many changesets were sent and received.
  [[nodiscard]] std::uint64_t sent() const noexcept { return outgoing_.sent(); }
  [[nodiscard]] std::uint64_t received() const noexcept { return receipts_.received(); }

 private:
  result<> take(const codec::frame& f) {
    const auto type = static_cast<message>(f.type);
    if (type == message::error) return refused(read_refusal(f.payload));
    if (type == message::bye) return take_bye(f.payload);
    if (state_ == session_state::greeting) return greet(type, f.payload);
    switch (type) {
      case message::changes:
      case message::part: return take_data(type, f);
      case message::ack:
        if (const auto m = read_ack(f.payload)) return outgoing_.acknowledge(endpoint_, *m, chains_);
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
      case message::ping:
        if (!read_empty(f.payload)) return unreadable("ping");
        return {};
      default: return out_of_place(type, "after the greeting");
    }
  }

  result<> greet(message type, bytes_view payload) {
    const auto over = greeting_.take(endpoint_, type, payload, chains_, outbox_);
    if (!over) return over.error();
    if (!*over) return {};
    const auto& peer = greeting_.peer();
    timers_.greeted(peer.idle_ms);
    if (peer.verify) verifier_.want();
    if (auto s = outgoing_.start(endpoint_, peer, greeting_.heads(), options_); !s) return s;
    greeting_.forget_heads();
    chains_.promised();
    state_ = session_state::streaming;
    events_.push(news(event_kind::greeted));
    return {};
  }

  result<> take_data(message type, const codec::frame& f) {
    if (auto charged = incoming_.charge(f.wire); !charged) return charged;
    if (type == message::part) {
      const auto piece = read_part(f.payload);
      if (!piece) return unreadable("part");
      const auto whole = incoming_.add(*piece);
      if (!whole) return whole.error();
      if (!*whole) return {};
      const bytes_view one = **whole;
      return ingest({&one, 1});
    }
    if (incoming_.assembling()) return out_of_place(type, "within a changeset");
    const auto changesets = read_changes(f.payload);
    return changesets ? ingest(*changesets) : unreadable("changes");
  }

  result<> ingest(std::span<const bytes_view> changesets) {
    // Whose they are stands in the changesets themselves: a relay has no label to get wrong.
    std::vector<history::head> names;
    for (const auto data : changesets) {
      const auto name = codec::peek_dot(data);
      if (!name || name->second == 0) return unreadable("changes");
      names.push_back({name->first, name->second, {}});
      if (name->first == endpoint_.self() && name->second > lineage<E>::own_seq(endpoint_))
        return lineage<E>::outlived(names.back());
    }
    const auto report = endpoint_.ingest(changesets);
    if (!report) return report.error();
    for (const auto& name : names) {
      if (auto learnt = outgoing_.learn(name.origin, name.seq); !learnt) return learnt;
      receipts_.note(name.origin, name.seq);
    }
    receipts_.note(*report);
    event e = news(event_kind::received);
    e.report = *report;
    events_.push(std::move(e));
    return {};
  }

  result<> take_bye(bytes_view payload) {
    if (!read_empty(payload)) return unreadable("bye");
    if (!said_bye_) {  // the last word on what came just before
      if (state_ != session_state::greeting) {
        if (auto told = acknowledge(); !told) return told;
        if (auto settled = settle(); !settled) return settled;
      }
      finish();
    }
    end();
    return {};
  }

  /// Makes output, as far as the outbox has room.
  void produce() {
    if (receiving_ || ended() || said_bye_ || state_ == session_state::greeting) return;
    if (outbox_.size() >= options_.low_water) return;
    const auto before = outbox_.messages();
    if (auto made = produce_all(); !made) return fail(made.error());
    if (outbox_.messages() != before) timers_.said();
  }

  result<> produce_all() {
    if (auto told = acknowledge(); !told) return told;
    if (const auto amount = incoming_.grant(); amount > 0)
      outbox_.put(message::credit, encode_credit(amount));
    while (outbox_.size() < options_.low_water) {
      const auto sent = outgoing_.send(endpoint_, outbox_);
      if (!sent) return sent.error();
      if (!*sent) break;
    }
    if (!said_caught_up_ && outgoing_.at_end(endpoint_)) {
      outbox_.put(message::caught_up);
      said_caught_up_ = true;
    }
    return settle();
  }

  result<> acknowledge() { return receipts_.send(endpoint_, chains_, timers_.now(), outbox_); }

  /// In sync? Compares the states, tells the program, and says bye if that was all.
  result<> settle() {
    if (said_caught_up_ && peer_caught_up_) state_ = session_state::live;
    if (peer_caught_up_ && receipts_.settled() && receipts_.held() == 0)
      if (auto kept = chains_.kept(endpoint_); !kept) return kept;
    const bool before = settled_;
    settled_ = state_ == session_state::live && outgoing_.settled(endpoint_) &&
               receipts_.settled() && !incoming_.assembling();
    if (settled_ && !before) announced_ = false;
    if (settled_ && !first_settled_) first_settled_ = timers_.now();
    const auto certificate = verifier_.step(endpoint_, settled_, timers_.now(), outbox_);
    if (!certificate) return certificate.error();
    const bool held = receipts_.held() + outgoing_.held() > 0;
    const bool patient = verifier_.wanted() && !verifier_.certified_once() && !held &&
                         timers_.now() < first_settled_.value_or(0) + options_.verify_patience_ms;
    if (*certificate || (settled_ && !announced_ && !patient)) announce(*certificate);
    if (options_.once && settled_ && announced_) finish();
    return {};
  }

  void announce(const std::optional<crypto::digest>& certificate) {
    announced_ = true;
    auto e = news(event_kind::in_sync);
    e.digest = certificate;
    e.held_here = receipts_.held();
    e.held_there = outgoing_.held();
    events_.push(std::move(e));
  }

  [[nodiscard]] event news(event_kind kind) const {
    event e;
    e.kind = kind;
    e.peer = peer();
    return e;
  }

  void end() {
    state_ = session_state::finished;
    events_.push(news(event_kind::finished));
  }

  result<> refused(error e) {
    by_peer_ = true;
    return e;
  }

  void fail(const error& e) {
    state_ = session_state::failed;
    settled_ = false;
    failure_ = e;
    outbox_.clear();
    if (!by_peer_) outbox_.put(message::error, encode(e));
    auto told = news(event_kind::failed);
    told.failure = e;
    told.by_peer = by_peer_;
    events_.push(std::move(told));
  }

  static error quiet(std::string what) {
    return {errc::closed, std::move(what), "", "connect again: it goes on from there"};
  }

  E& endpoint_;
  session_options options_;
  codec::frame_reader reader_;
  timers timers_;
  outbox outbox_;
  event_queue events_;
  lineage<E> chains_;
  greeting<E> greeting_;
  incoming incoming_;
  outgoing<E> outgoing_;
  receipts<E> receipts_;
  verifier<E> verifier_;

  session_state state_ = session_state::greeting;
  std::optional<error> failure_;
  bool by_peer_ = false;         ///< the peer found the failure
  bool receiving_ = false;       ///< guards against calls from within the endpoint
  bool said_caught_up_ = false;  ///< we have sent all that was there
  bool peer_caught_up_ = false;
  bool said_bye_ = false;
  bool settled_ = false;
  bool announced_ = false;  ///< this time of being in sync was told to the program
  std::optional<std::uint64_t> first_settled_;
};

}  // namespace joinery::sync
