// tcp_link: one session over one TCP connection.
//
// Purpose: moves bytes between a socket and a session, wakes the session in time, and closes the
// connection so that the last word still arrives.
// Invariants: one read and one write are under way at most, and reading never waits for writing.
// After `close` neither the endpoint nor the callbacks are touched any more.
// Thread-safety: none; everything runs on the io_context's thread.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "joinery/sync/session.hpp"
#include "joinery/transport/detail/asio.hpp"

namespace joinery::transport {

/// Which connection a callback is about.
struct link_info {
  std::uint64_t id = 0;
  std::string address;    ///< of the peer
  bool accepted = false;  ///< the peer called us
  replica_id peer;        ///< none before its hello
};

template <sync::endpoint E>
class tcp_link : public std::enable_shared_from_this<tcp_link<E>> {
 public:
  struct callbacks {
    std::function<void(const link_info&, const sync::event&)> on_event;
    /// The connection is over; with an error, unless both said bye.
    std::function<void(const link_info&, const std::optional<error>&)> on_closed;
  };

  tcp_link(detail::tcp::socket socket, E& e, const sync::session_options& options, link_info info,
           callbacks calls)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        session_(e, options, detail::steady_ms()),
        info_(std::move(info)),
        calls_(std::move(calls)) {}

  /// To be called once.
  void start() {
    detail::error_code ignored;
    socket_.set_option(detail::tcp::no_delay{true}, ignored);
    read();
    settle();
  }

  /// The endpoint has something new, or the session something to say.
  void wake() {
    if (closed_) return;
    session_.wake(detail::steady_ms());
    settle();
  }

  /// Says bye; the connection ends when the peer has answered.
  void finish() {
    if (closed_) return;
    session_.finish();
    settle();
  }

  /// Ends the connection at once, without a word or a callback.
  void close() {
    closed_ = true;
    calls_ = {};
    detail::error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
  }

  [[nodiscard]] const link_info& info() const noexcept { return info_; }
  [[nodiscard]] const sync::session<E>& session() const noexcept { return session_; }

 private:
  /// How long the peer may take to read our last word and hang up.
  static constexpr std::uint64_t linger_ms = 2000;

  void read() {
    auto self = this->shared_from_this();
    socket_.async_read_some(detail::asio::buffer(input_),
                            [self](const detail::error_code& ec, std::size_t n) {
                              if (!self->closed_) self->take(ec, n);
                            });
  }

  void take(const detail::error_code& ec, std::size_t n) {
    if (ec) {
      session_.disconnected();
      tell();
      return end();
    }
    // Its error, if any, is in the events.
    static_cast<void>(session_.receive({input_.data(), n}, detail::steady_ms()).has_value());
    read();
    settle();
  }

  /// Tells what happened, writes what is pending, and sets the timer.
  void settle() {
    tell();
    if (closed_) return;
    write();
    if (session_.ended() && !writing_) return linger();
    if (const auto at = session_.next_wake()) wait_until(*at);
  }

  void tell() {
    while (!closed_) {
      const auto e = session_.next_event();
      if (!e) break;
      info_.peer = e->peer;
      // A copy: the program may close this link from within.
      if (const auto call = calls_.on_event) call(info_, *e);
    }
  }

  void write() {
    if (writing_ || session_.pending_output() == 0) return;
    output_ = session_.take_output();
    writing_ = true;
    auto self = this->shared_from_this();
    detail::asio::async_write(socket_, detail::asio::buffer(output_),
                              [self](const detail::error_code& ec, std::size_t) {
                                self->writing_ = false;
                                if (self->closed_) return;
                                // A broken connection: what the peer said last is still read.
                                if (ec) return self->wrote_in_vain();
                                self->settle();
                              });
  }

  void wrote_in_vain() {
    if (session_.ended()) end();
  }

  void wait_until(std::uint64_t at) {
    if (waiting_until_ == at) return;
    waiting_until_ = at;
    timer_.expires_at(detail::steady_at(at));
    auto self = this->shared_from_this();
    timer_.async_wait([self, at](const detail::error_code& ec) {
      if (ec || self->closed_ || self->waiting_until_ != at) return;
      self->waiting_until_.reset();
      if (self->lingering_) return self->end();
      self->wake();
    });
  }

  /// Closing at once could destroy our last word on its way: ends our direction, and waits for the
  /// peer to end its own.
  void linger() {
    if (std::exchange(lingering_, true)) return;
    detail::error_code ignored;
    socket_.shutdown(detail::tcp::socket::shutdown_send, ignored);
    wait_until(detail::steady_ms() + linger_ms);
  }

  void end() {
    if (closed_) return;
    const auto calls = calls_;
    close();
    auto failure = session_.failure();
    if (failure && failure->where.empty()) failure->where = info_.address;
    if (calls.on_closed) calls.on_closed(info_, failure);
  }

  detail::tcp::socket socket_;
  detail::asio::steady_timer timer_;
  sync::session<E> session_;
  link_info info_;
  callbacks calls_;
  std::array<char, 64u << 10> input_;
  bytes output_;
  std::optional<std::uint64_t> waiting_until_;
  bool writing_ = false;
  bool lingering_ = false;
  bool closed_ = false;
};

}  // namespace joinery::transport
