// The commands, one function for each noun of the command line.
//
// Purpose: each adds its part of the grammar to `app`; when that part is parsed, `chosen` is what
// is to be done.
// Invariants: parsing has no other effect.
// Thread-safety: none.
#pragma once

#include <CLI/CLI.hpp>

#include "sport_tracker/command.hpp"

namespace sport_tracker {

void add_import_command(CLI::App& app, request& chosen);
void add_profile_commands(CLI::App& app, request& chosen);
void add_workout_commands(CLI::App& app, request& chosen);
void add_post_commands(CLI::App& app, request& chosen);
void add_streak_commands(CLI::App& app, request& chosen);
void add_show_command(CLI::App& app, request& chosen);
void add_conflict_commands(CLI::App& app, request& chosen);
void add_status_commands(CLI::App& app, request& chosen);
void add_inspect_command(CLI::App& app, request& chosen);
void add_members_commands(CLI::App& app, request& chosen);
void add_watch_command(CLI::App& app, request& chosen);

}  // namespace sport_tracker
