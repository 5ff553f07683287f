// The grammar of the command line: of all of it, and one function for each noun.
//
// Purpose: each of these adds its part to `app`; when that is parsed, `chosen` is what is to be
// done.
// Invariants: parsing has no other effect. CLI11 is slow to compile: it is included in this folder
// alone, and the database is not.
// Thread-safety: none.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "sport_tracker/request.hpp"

namespace sport_tracker {

struct invocation;

/// What `sport_tracker` takes, and what a line of the standard input may be.
std::unique_ptr<CLI::App> program_grammar(invocation& chosen);
std::unique_ptr<CLI::App> line_grammar(request& chosen);

/// A noun that may stand alone, and is `alone()` then.
CLI::App* add_noun(CLI::App& app, const std::string& name, const std::string& about,
                   request& chosen, request (*alone)());

// training.cpp
void add_import_command(CLI::App& app, request& chosen);
void add_workout_commands(CLI::App& app, request& chosen);
void add_streak_commands(CLI::App& app, request& chosen);

// people.cpp
void add_profile_commands(CLI::App& app, request& chosen);
void add_post_commands(CLI::App& app, request& chosen);

// store.cpp
void add_show_command(CLI::App& app, request& chosen);
void add_conflict_commands(CLI::App& app, request& chosen);
void add_status_commands(CLI::App& app, request& chosen);
void add_inspect_command(CLI::App& app, request& chosen);
void add_members_commands(CLI::App& app, request& chosen);
void add_watch_command(CLI::App& app, request& chosen);

}  // namespace sport_tracker
