// tcp_dial: resolves a host and connects to it, within a time.
//
// Purpose: one attempt, with one outcome. An address in numbers is not resolved; for a name, Asio
// asks the system in a thread of its own.
// Invariants: the handler is called exactly once, unless `cancel` came before.
// Thread-safety: none; everything runs on the io_context's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "joinery/base/result.hpp"
#include "joinery/transport/address.hpp"
#include "joinery/transport/detail/asio.hpp"

namespace joinery::transport::detail {

class tcp_dial : public std::enable_shared_from_this<tcp_dial> {
 public:
  using handler = std::function<void(result<tcp::socket>)>;

  tcp_dial(asio::io_context& io, address to, handler done)
      : to_(std::move(to)), done_(std::move(done)), resolver_(io), socket_(io), timer_(io) {}

  void start(std::uint64_t timeout_ms) {
    auto self = shared_from_this();
    timer_.expires_after(std::chrono::milliseconds{static_cast<std::int64_t>(timeout_ms)});
    timer_.async_wait([self](const error_code& ec) {
      if (!ec) self->give_up();
    });
    error_code ec;
    const auto numeric = asio::ip::make_address(to_.host, ec);
    if (!ec) {
      socket_.async_connect({numeric, to_.port}, [self](const error_code& e) { self->end(e); });
      return;
    }
    resolver_.async_resolve(
        to_.host, std::to_string(to_.port), tcp::resolver::numeric_service,
        [self](const error_code& e, const tcp::resolver::results_type& found) {
          if (e || !self->done_) return self->end(e);
          asio::async_connect(self->socket_, found,
                              [self](const error_code& f, const tcp::endpoint&) { self->end(f); });
        });
  }

  void cancel() {
    done_ = nullptr;
    stop();
  }

 private:
  void give_up() {
    report(error{errc::io, "connecting took too long", to_.text(), "is the peer reachable?"});
    stop();
  }
  void end(const error_code& ec) {
    timer_.cancel();
    if (ec) return report(io_error("connecting", to_.text(), ec));
    report(std::move(socket_));
  }
  void report(result<tcp::socket> outcome) {
    if (auto done = std::exchange(done_, nullptr)) done(std::move(outcome));
  }
  void stop() {
    error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
    timer_.cancel();
  }

  address to_;
  handler done_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  asio::steady_timer timer_;
};

}  // namespace joinery::transport::detail
