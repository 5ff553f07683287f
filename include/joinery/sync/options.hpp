// session_options: what a program may choose about a session.
//
// Purpose: sizes and times, with defaults that suit a phone and a server alike.
// Invariants: `within_limits` brings every value into the range that the protocol allows.
// Thread-safety: values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "joinery/codec/frame.hpp"
#include "joinery/codec/transit/memory.hpp"
#include "joinery/sync/selection.hpp"

namespace joinery::sync {

/// Every peer takes frames with bodies of this size, so that a hello fits before anything is
/// agreed.
inline constexpr std::size_t min_frame_limit = 64u << 10;
inline constexpr std::uint64_t min_window = 1024;
inline constexpr std::uint64_t max_window = std::uint64_t{1} << 40;
/// How many origins a peer may name.
inline constexpr std::size_t max_origins = 65536;

struct session_options {
  bool once = false;  ///< say bye as soon as both sides are in sync
  bool verify =
      true;  ///< compare digests of the canonical state when in sync (if either side wants it)

  /// Which tables are sent; all when there is none. What depends on others is held back with them
  /// (selection.hpp). For data that some must never see use a space of its own.
  std::optional<table_selection> tables{};

  std::size_t max_frame = codec::max_frame_body;  ///< largest frame body that is taken
  std::size_t batch = 256u << 10;                 ///< bytes of changesets to put into one frame
  std::uint64_t window = 4u << 20;  ///< bytes of changesets that a peer may send ahead
  /// Bytes for what is remembered of the changesets of a session, each way, so that keys and names
  /// need not travel again: 64 a record. Both sides go by the lower of theirs; little is taken
  /// before it is needed.
  std::uint64_t memory = 8u << 20;
  std::size_t low_water = 256u << 10;  ///< produce more when less output than this is pending

  std::uint64_t greeting_timeout_ms = 10'000;
  std::uint64_t keepalive_ms = 15'000;  ///< ping after this long without a word of ours; 0: never
  std::uint64_t idle_timeout_ms =
      60'000;  ///< give up after this long without a byte of theirs; 0: never
  std::uint64_t verify_every_ms = 60'000;  ///< between two comparisons of digests while live
  std::uint64_t verify_patience_ms =
      10'000;                          ///< how long being in sync waits for the first comparison
  std::uint64_t durable_poll_ms = 50;  ///< how often to look whether what was received is durable
  std::uint64_t durable_patience_ms = 10'000;  ///< what is not by then is reported as held
  std::uint64_t stall_retry_ms = 1000;         ///< between two tries to store what found no room
  std::uint64_t stall_patience_ms = 60'000;    ///< how long to go on so; 0: for ever
};

inline session_options within_limits(session_options o) {
  o.max_frame = std::clamp(o.max_frame, min_frame_limit, codec::max_frame_body);
  o.batch = std::clamp<std::size_t>(o.batch, 512, codec::max_frame_body);
  o.window = std::clamp(o.window, min_window, max_window);
  o.memory = std::clamp(o.memory, codec::transit::min_memory, codec::transit::max_memory);
  o.low_water = std::max<std::size_t>(o.low_water, 1);
  o.durable_poll_ms = std::max<std::uint64_t>(o.durable_poll_ms, 1);
  o.stall_retry_ms = std::max<std::uint64_t>(o.stall_retry_ms, 1);
  return o;
}

}  // namespace joinery::sync
