// The parts of Boost.Asio that transports use.
//
// Purpose: one narrow set of includes. Asio sends with MSG_NOSIGNAL, or sets SO_NOSIGPIPE: a peer
// that is gone is an error, never a SIGPIPE.
// Thread-safety: nothing of ours is in here.
#pragma once

#include <utility>  // Boost 1.74 forgets it

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>

#include "joinery/base/error.hpp"

namespace joinery::transport::detail {

namespace asio = boost::asio;
using tcp = boost::asio::ip::tcp;
using error_code = boost::system::error_code;

/// Milliseconds of a clock that never goes back.
inline std::uint64_t steady_ms() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(
      duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}
inline std::chrono::steady_clock::time_point steady_at(std::uint64_t ms) {
  return std::chrono::steady_clock::time_point{
      std::chrono::milliseconds{static_cast<std::int64_t>(ms)}};
}

inline error io_error(std::string doing, std::string where, const error_code& ec) {
  return {errc::io, std::move(doing) + ": " + ec.message(), std::move(where), ""};
}

}  // namespace joinery::transport::detail
