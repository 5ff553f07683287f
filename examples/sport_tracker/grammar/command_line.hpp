// command_line: from words to what is to be done.
//
// Purpose: the program's whole grammar, and the part of it that a running `serve` or `sync --live`
// takes on its standard input.
// Invariants: unknown options and words are refused; help goes to `out`, complaints to `err`.
// Thread-safety: none.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sport_tracker/network/options.hpp"
#include "sport_tracker/request.hpp"

namespace sport_tracker {

struct invocation {
  std::string store;
  std::string space = "sport-tracker";
  std::string profile = "me";
  bool verbose = false;
  /// One of these.
  request command;
  std::optional<serve_options> serve;
  std::optional<sync_options> sync;
};

/// What to do, or the exit code when there is nothing more to do.
std::variant<invocation, int> parse_arguments(int count, const char* const* arguments,
                                              std::ostream& out, std::ostream& err);
/// The same for one line without the program's own options; an empty line is exit_done.
std::variant<request, int> parse_line(const std::string& line, std::ostream& out,
                                      std::ostream& err);

}  // namespace sport_tracker
