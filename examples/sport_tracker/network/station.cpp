#include "sport_tracker/network/station.hpp"

#include <csignal>
#include <ostream>

namespace sport_tracker {
namespace {

constexpr std::chrono::seconds tend_every{1};
constexpr std::chrono::seconds stop_patience{3};

}  // namespace

station::station(const network_context& c, const joinery::transport::tcp_options& options,
                 hub::callbacks calls)
    : c_(c),
      hub_(io_, c.endpoint, options, std::move(calls)),
      signals_(io_, SIGINT, SIGTERM),
      tend_timer_(io_),
      stop_timer_(io_) {
  wait_for_signal();
  tend();
}

void station::open_console() {
  console_.emplace(
      io_,
      [this](const std::string& line) {
        c_.command(line);
        hub_.notify();
      },
      [this](const std::string& what) { c_.err << "error: " << what << std::endl; });
}

void station::run() { io_.run(); }

void station::stop() {
  if (std::exchange(stopping_, true)) return io_.stop();  // asked twice: at once
  wait_for_signal();
  if (hub_.links() == 0) return io_.stop();
  hub_.finish();
  stop_timer_.expires_after(stop_patience);
  stop_timer_.async_wait([this](boost::system::error_code) { io_.stop(); });
}

void station::link_closed() {
  if (stopping_ && hub_.links() == 0) io_.stop();
}

void station::tend() {
  tend_timer_.expires_after(tend_every);
  tend_timer_.async_wait([this](boost::system::error_code fault) {
    if (fault) return;
    const auto before = c_.endpoint.log_end();
    if (const auto done = c_.endpoint.tend(); !done)
      c_.err << "error: " << done.error().text() << std::endl;
    if (c_.endpoint.log_end() != before) hub_.notify();
    tend();
  });
}

void station::wait_for_signal() {
  signals_.async_wait([this](boost::system::error_code fault, int) {
    if (!fault) stop();
  });
}

}  // namespace sport_tracker
