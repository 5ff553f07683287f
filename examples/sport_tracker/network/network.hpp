// network: meeting other devices over TCP.
//
// Purpose: `serve` and `sync`, which keep running and take commands on the standard input
// meanwhile.
// Invariants: knows no schema: it carries changesets between a storage engine and peers.
// Thread-safety: one thread does all.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "sport_tracker/engine.hpp"
#include "sport_tracker/network/options.hpp"

namespace sport_tracker {

struct network_context {
  storage_engine& endpoint;
  std::function<void(const std::string&)> command;  ///< runs a line of the standard input
  bool verbose = false;
  std::ostream& out;
  std::ostream& err;
};

/// Until SIGINT or SIGTERM. Throws joinery::failure when it cannot listen.
int serve(const network_context& c, const serve_options& o);

/// Once: until both are in sync; exit code 0 only then. Live: until SIGINT or SIGTERM.
int sync(const network_context& c, const sync_options& o);

}  // namespace sport_tracker
