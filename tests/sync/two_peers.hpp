// two_peers: two fake endpoints, a session on each, and a pipe between.
//
// Purpose: what most tests of sessions begin with.
// Thread-safety: none.
#pragma once

#include "joinery/transport/pipe.hpp"
#include "tests/sync/fake_endpoint.hpp"

namespace sync_tests {

using fake_session = sync::session<fake_endpoint>;
using fake_pipe = transport::pipe<fake_session, fake_session>;

struct connection {
  fake_session a;
  fake_session b;
  fake_pipe wire;

  connection(fake_endpoint& ea, fake_endpoint& eb, const sync::session_options& options = {},
             const transport::pipe_options& pipe_options = {})
      : connection(ea, eb, options, options, pipe_options) {}
  connection(fake_endpoint& ea, fake_endpoint& eb, const sync::session_options& for_a,
             const sync::session_options& for_b, const transport::pipe_options& pipe_options)
      : a(ea, for_a, 0), b(eb, for_b, 0), wire(a, b, pipe_options) {}

  void run(std::uint64_t now_ms = 0) {
    a.wake(now_ms);
    b.wake(now_ms);
    wire.run(now_ms);
  }
};

/// The first pending event of a kind; the others before it are dropped.
inline std::optional<sync::event> next_of(fake_session& s, sync::event_kind kind) {
  while (auto e = s.next_event())
    if (e->kind == kind) return e;
  return std::nullopt;
}

inline std::optional<errc> failed_with(const fake_session& s) {
  return s.failure() ? std::optional{s.failure()->code} : std::nullopt;
}

}  // namespace sync_tests
