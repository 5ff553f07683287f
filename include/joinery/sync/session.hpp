// session: the state machine that exchanges changesets with one peer.
//
// Purpose: bytes and the time go in, bytes, events and a next wake-up time come out. No sockets,
// threads or clock: TCP, a pipe, a broker or a file on a stick drive the same code.
// Invariants: memory is bounded, whatever the peer does; the first fault ends the session with a
// typed error on both sides. It may be cut at any byte: the next session goes on from what is
// durable.
// Thread-safety: none; use a session and its endpoint from one thread. The endpoint must outlive
// it.
#pragma once

#include "joinery/sync/exchange.hpp"
#include "joinery/sync/refusal.hpp"
#include "joinery/sync/timers.hpp"

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
        exchange_(endpoint_, options_) {
    if constexpr (settling_endpoint<E>) endpoint_.follow(true);
    if (auto opened = greeting_.open(endpoint_, options_, outbox_); !opened) fail(opened.error());
  }
  ~session() {
    if constexpr (settling_endpoint<E>) endpoint_.follow(false);
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Takes what the peer sent, in chunks of any size. The error, if any, is the session's end, and
  /// is told to the peer.
  result<> receive(bytes_view data, std::uint64_t now_ms) {
    timers_.advance(now_ms);
    if (!data.empty()) timers_.heard();
    take_frames(data);
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
    if (said_bye_ || outbox_.size() >= options_.low_water) return first;
    if (const auto at = exchange_.next_wake(timers_.now()))
      first = std::min(first.value_or(*at), *at);
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
  /// Whether it was the peer that found the failure.
  [[nodiscard]] bool failed_by_peer() const noexcept { return by_peer_; }
  /// Whether each side has all that the other had, durably.
  [[nodiscard]] bool in_sync() const noexcept {
    return state_ != session_state::failed && exchange_.in_sync();
  }
  /// The peer's id; none before its hello.
  [[nodiscard]] const replica_id& peer() const noexcept { return greeting_.peer().replica; }
  /// How many changesets were sent and received.
  [[nodiscard]] std::uint64_t sent() const noexcept { return exchange_.sent(); }
  [[nodiscard]] std::uint64_t received() const noexcept { return exchange_.received(); }

 private:
  void take_frames(bytes_view data) {
    receiving_ = true;
    const struct leave {
      bool& flag;
      ~leave() { flag = false; }
    } guard{receiving_};
    while (!ended()) {
      const auto frame = reader_.next(data);
      if (!frame) fail(frame.error());
      if (!frame || !*frame) break;
      if (auto taken = take(**frame); !taken) fail(taken.error());
    }
  }

  result<> take(const codec::frame& f) {
    const auto type = static_cast<message>(f.type);
    if (type == message::error) return refused(read_refusal(f.payload));
    if (type == message::bye) return take_bye(f.payload);
    if (state_ == session_state::greeting) return greet(type, f.payload);
    return exchange_.take(f, events_);
  }

  result<> greet(message type, bytes_view payload) {
    const auto over = greeting_.take(endpoint_, type, payload, exchange_.chains(), outbox_);
    if (!over) return over.error();
    if (!*over) return {};
    timers_.greeted(greeting_.peer().idle_ms);
    if (auto begun = exchange_.begin(greeting_.peer(), greeting_.heads()); !begun) return begun;
    greeting_.forget_heads();
    state_ = session_state::streaming;
    events_.from(peer());
    events_.push(event{event_kind::greeted});
    return {};
  }

  result<> take_bye(bytes_view payload) {
    if (!read_empty(payload)) return unreadable("bye");
    if (!said_bye_ && state_ != session_state::greeting) {
      auto done = exchange_.conclude(timers_.now(), outbox_, events_);
      if (!done) return done;
    }
    finish();
    end();
    return {};
  }

  /// Makes output, as far as the outbox has room.
  void produce() {
    if (receiving_ || ended() || said_bye_ || state_ == session_state::greeting) return;
    if (outbox_.size() >= options_.low_water) return;
    const auto before = outbox_.messages();
    auto made = exchange_.produce(timers_.now(), outbox_, events_);
    if (!made) return fail(made.error());
    if (exchange_.live()) state_ = session_state::live;
    if (options_.once && exchange_.announced()) finish();
    if (outbox_.messages() != before) timers_.said();
  }

  void end() {
    state_ = session_state::finished;
    exchange_.release();
    events_.push(event{event_kind::finished});
  }

  result<> refused(error e) {
    by_peer_ = true;
    return e;
  }

  void fail(const error& e) {
    state_ = session_state::failed;
    exchange_.release();
    failure_ = e;
    outbox_.clear();
    if (!by_peer_) outbox_.put(message::error, encode(e));
    event told{event_kind::failed};
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
  greeting<E> greeting_;
  exchange<E> exchange_;

  session_state state_ = session_state::greeting;
  std::optional<error> failure_;
  bool by_peer_ = false;    ///< the peer found the failure
  bool receiving_ = false;  ///< guards against calls from within the endpoint
  bool said_bye_ = false;
};

}  // namespace joinery::sync
