// reports: what a process that is going to be killed says to the one that watches it.
//
// Purpose: a pipe of small messages: what is durable, byte for byte, before anybody relies on it;
// and, last of all, at which byte of which call the process dies.
// Invariants: a message that was cut off by the end of the process is dropped.
// Thread-safety: none.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include "joinery/base/cursor.hpp"
#include "tests/crash/survivor.hpp"
#include "tests/crash/system_calls.hpp"

namespace crash_tests {

enum class report_kind : std::uint8_t {
  opened,     ///< replica id
  changeset,  ///< bytes: it is durable, and so are all before it
  head,       ///< origin, seq, chain
  edits,      ///< how many are durable in the local table
  dying,      ///< a line about the call
};

class reporter {
 public:
  explicit reporter(int fd) : fd_(fd) {}

  void say(report_kind kind, bytes_view content) const {
    bytes out;
    byte_writer w{out};
    w.fixed64(content.size() + 1);
    out += static_cast<char>(kind);
    out += content;
    for (bytes_view left = out; !left.empty();) {
      const auto n = ::write(fd_, left.data(), left.size());
      if (n <= 0) ::_exit(20);
      left.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  /// Whatever `db` shows as durable now.
  template <class Db>
  void durable(Db& db) {
    auto& e = db.endpoint();
    auto next = std::max(position_, e.log_floor().first());
    e.read_log(next, [&](auto at, const auto&, auto, bytes_view data) {
       next = at + 1;
       say(report_kind::changeset, data);
       return true;
     }).value();
    position_ = next;
    for (const auto& h : e.heads()) {
      auto& told = told_[h.origin];
      if (told == h.seq) continue;
      told = h.seq;
      bytes content{h.origin.view()};
      byte_writer{content}.fixed64(h.seq);
      content += h.chain.view();
      say(report_kind::head, content);
    }
  }
  void edits(std::int64_t n) const {
    bytes content;
    byte_writer{content}.fixed64(static_cast<std::uint64_t>(n));
    say(report_kind::edits, content);
  }

 private:
  int fd_;
  std::uint64_t position_ = 1;
  std::map<replica_id, std::uint64_t> told_;
};

/// The other end: takes what has come, and keeps it as a promise.
class listener {
 public:
  promise promised;
  std::string died;  ///< where, as the process said itself
  std::vector<bytes> changesets;

  /// Reads once; false at the end.
  bool hear(int fd) {
    std::array<char, 65'536> buffer{};
    const auto n = ::read(fd, buffer.data(), buffer.size());
    if (n <= 0) return false;
    pending_.append(buffer.data(), static_cast<std::size_t>(n));
    for (;;) {
      byte_reader in{pending_};
      const auto size = in.fixed64();
      if (!in.ok() || in.left() < size) return true;
      take(bytes_view{pending_}.substr(8, size));
      pending_.erase(0, 8 + size);
    }
  }

 private:
  void take(bytes_view message) {
    const auto kind = static_cast<report_kind>(message.front());
    const auto content = message.substr(1);
    byte_reader in{content};
    switch (kind) {
      case report_kind::opened: promised.self = replica_id::from_bytes(content).value(); break;
      case report_kind::changeset: changesets.emplace_back(content); break;
      case report_kind::edits: promised.edits = static_cast<std::int64_t>(in.fixed64()); break;
      case report_kind::dying: died = content; break;
      case report_kind::head: {
        history::head h;
        h.origin = replica_id::from_bytes(in.take(16)).value();
        h.seq = in.fixed64();
        h.chain = crypto::digest::from_bytes(in.take(32)).value();
        promised.durable[h.origin] = h.seq;
        promised.heads[h.origin] = h;
      }
    }
  }

  bytes pending_;
};

}  // namespace crash_tests
