// station: an endpoint on the network, until it is told to stop.
//
// Purpose: what `serve` and `sync` share: the event loop, the hub, the standard input, the signals
// and the endpoint's own clock.
// Invariants: one thread; stopping says bye to every peer and waits for them a moment.
// Thread-safety: none.
#pragma once

#include "joinery/stored_engine.hpp"
#include "joinery/transport/tcp.hpp"
#include "sport_tracker/network/console.hpp"
#include "sport_tracker/network/network.hpp"

// After tcp.hpp, which knows what Asio needs before it.
#include <boost/asio/signal_set.hpp>

namespace sport_tracker {

using hub = joinery::transport::tcp_hub<storage_engine>;

class station {
 public:
  station(const network_context& c, const joinery::transport::tcp_options& options,
          hub::callbacks calls);
  station(const station&) = delete;
  station& operator=(const station&) = delete;

  [[nodiscard]] hub& peers() noexcept { return hub_; }
  [[nodiscard]] boost::asio::io_context& io() noexcept { return io_; }
  [[nodiscard]] bool stopping() const noexcept { return stopping_; }

  /// Lets lines of the standard input be commands.
  void open_console();
  /// Runs until `stop` has come to its end.
  void run();
  /// Says bye to all peers; `run` returns when they have answered, or soon anyway.
  void stop();
  /// To be called when a link is gone.
  void link_closed();

 private:
  void tend();
  void wait_for_signal();

  const network_context& c_;
  boost::asio::io_context io_{1};
  hub hub_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer tend_timer_;
  boost::asio::steady_timer stop_timer_;
  std::optional<console> console_;
  bool stopping_ = false;
};

}  // namespace sport_tracker
