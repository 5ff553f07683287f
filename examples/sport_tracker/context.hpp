// context: what a request runs on.
//
// Purpose: the open database, who acts, and where the output goes.
// Invariants: none of its own.
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "joinery/base/clock.hpp"
#include "sport_tracker/database.hpp"
#include "sport_tracker/request.hpp"
#include "sport_tracker/text.hpp"

namespace sport_tracker {

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

}  // namespace sport_tracker
