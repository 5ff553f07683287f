// Options of `serve` and `sync`.
//
// Purpose: what the command line hands to the network.
// Invariants: none.
// Thread-safety: values.
#pragma once

#include <cstdint>
#include <string>

namespace sport_tracker {

struct serve_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any that is free
};

struct sync_options {
  std::string where;          ///< HOST:PORT
  bool live = false;          ///< stay, and come back when the connection ends
  std::uint32_t pace_ms = 0;  ///< unless 0: take small batches, and rest this long after each
};

}  // namespace sport_tracker
