// request: what a line of input asks for, ready to run on an open database.
//
// Purpose: the seam between grammar and action. Who parses (grammar/, with CLI11) knows nothing of
// stores, who acts (commands/, with the database) nothing of the parser, and a request runs alike
// from the shell and from the standard input of a running server. No unit compiles both sides.
// Invariants: a request throws input_error (exit code 2) or joinery::failure (1), or gives its exit
// code; what it wrote is committed or not at all.
// Thread-safety: none.
#pragma once

#include <functional>

namespace sport_tracker {

struct context;

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;  ///< the program could not do it
inline constexpr int exit_input = 2;   ///< it was asked the wrong thing

enum class access { read, write };

struct request {
  access need = access::read;
  std::function<int(context&)> run;
};

}  // namespace sport_tracker
