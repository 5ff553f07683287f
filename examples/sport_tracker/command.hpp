// command: what a line of input asks for, ready to run on an open database.
//
// Purpose: the seam between parsing (CLI11) and doing: whoever parses knows nothing of stores, and
// a command runs alike from the shell and from the standard input of a running server.
// Invariants: a command throws input_error (exit code 2) or joinery::failure (1), or gives its exit
// code; what it wrote is committed or not at all.
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "joinery/base/clock.hpp"
#include "sport_tracker/database.hpp"
#include "sport_tracker/text.hpp"

namespace sport_tracker {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;  ///< the program could not do it
inline constexpr int exit_input = 2;   ///< it was asked the wrong thing

enum class access { read, write };

struct context {
  database& db;
  std::string profile;  ///< the key of the athlete who acts
  std::ostream& out;
  std::ostream& err;
  bool stays = false;  ///< while `serve` or `sync --live` runs
  std::vector<joinery::subscription> watching{};

  [[nodiscard]] std::int64_t now_ms() const {
    return static_cast<std::int64_t>(joinery::system_clock{}.now_ms());
  }
};

struct request {
  access need = access::read;
  std::function<int(context&)> run;
};

}  // namespace sport_tracker
