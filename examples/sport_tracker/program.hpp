// program: the whole run, from arguments to exit code.
//
// Purpose: opens the store as the command needs it, runs the command, and tells errors in one way.
// Invariants: throws nothing.
// Thread-safety: to be called once.
#pragma once

namespace sport_tracker {

int run_program(int count, const char* const* arguments);

}  // namespace sport_tracker
