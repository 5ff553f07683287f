// Sessions between real engines in memory.
//
// Purpose: what the tests of bootstrap share.
// Thread-safety: none.
#pragma once

#include "joinery/transport/pipe.hpp"
#include "tests/replica/peer.hpp"

namespace sync_tests {

using namespace joinery;
using replica_tests::peer;

using memory_engine = engine<history::memory_storage>;
using memory_session = sync::session<memory_engine>;

struct meeting {
  memory_session a;
  memory_session b;
  transport::pipe<memory_session, memory_session> wire;

  meeting(peer& pa, peer& pb, const sync::session_options& o = {},
          const transport::pipe_options& p = {})
      : a(*pa.e, o, 0), b(*pb.e, o, 0), wire(a, b, p) {}
  meeting& run(std::uint64_t now_ms = 0) {
    a.wake(now_ms);
    b.wake(now_ms);
    wire.run(now_ms);
    return *this;
  }
  [[nodiscard]] std::string outcome() const {
    const auto one = [](const memory_session& s) {
      return std::string{name_of(s.state())} + (s.failure() ? " " + s.failure()->text() : "");
    };
    return one(a) + " / " + one(b);
  }
};

inline std::optional<errc> code_of(const memory_session& s) {
  return s.failure() ? std::optional{s.failure()->code} : std::nullopt;
}

inline sync::session_options small_once() {
  sync::session_options o;
  o.once = true;
  o.batch = 512;
  return o;
}

/// Has `p` drop all of its log, as far as it may.
inline void forget_log(peer& p) {
  p.e->acknowledged(p.e->heads());
  const auto keep = p.options.retain_log_bytes;
  p.options.retain_log_bytes = 0;
  p.reopen();
  p.e->acknowledged(p.e->heads());
  p.e->checkpoint().value();
  p.options.retain_log_bytes = keep;
  p.reopen();
}

}  // namespace sync_tests
