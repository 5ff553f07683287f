// console: lines of the standard input, while the network runs.
//
// Purpose: a store that is open to peers stays usable: commands are typed, or piped in, and run
// between two steps of the network.
// Invariants: never blocks, and leaves the terminal's mode alone (another program may share it).
// The end of the input, or a closed one, ends the console and nothing else. A line longer than
// `longest` is dropped and reported.
// Thread-safety: none; everything runs on the io_context's thread, which it must not outlive.
#pragma once

#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <string>

namespace sport_tracker {

class console {
 public:
  using handler = std::function<void(const std::string&)>;
  static constexpr std::size_t longest = std::size_t{1} << 20;

  console(boost::asio::io_context& io, handler on_line, handler on_error)
      : input_(io), on_line_(std::move(on_line)), on_error_(std::move(on_error)) {
    const int copy = ::dup(STDIN_FILENO);
    if (copy < 0) return;  // it was closed: there is nothing to read
    boost::system::error_code fault;
    input_.assign(copy, fault);
    if (fault) {
      ::close(copy);
      return;
    }
    wait();
  }

 private:
  void wait() {
    using boost::asio::posix::stream_descriptor;
    input_.async_wait(stream_descriptor::wait_read, [this](boost::system::error_code fault) {
      // Plain files cannot be waited for: they are always ready.
      if (fault && fault != boost::asio::error::operation_not_supported) return;
      read();
    });
  }

  void read() {
    std::array<char, 4096> piece{};
    const auto got = ::read(input_.native_handle(), piece.data(), piece.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return wait();
    if (got <= 0) {
      if (!line_.empty()) take_line();
      boost::system::error_code ignored;
      input_.close(ignored);
      return;
    }
    for (const char c : std::string_view(piece.data(), static_cast<std::size_t>(got))) {
      if (c == '\n') {
        take_line();
      } else if (line_.size() < longest) {
        line_ += c;
      } else {
        too_long_ = true;
      }
    }
    wait();
  }

  void take_line() {
    const auto line = std::exchange(line_, {});
    if (std::exchange(too_long_, false)) return on_error_("a line is too long");
    on_line_(line);
  }

  boost::asio::posix::stream_descriptor input_;
  handler on_line_;
  handler on_error_;
  std::string line_;
  bool too_long_ = false;
};

}  // namespace sport_tracker
