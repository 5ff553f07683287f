// The whole: the program's own options, serve and sync, which no line of the standard input can ask
// for, and the commands.
#include "joinery/transport/address.hpp"
#include "joinery/version.hpp"
#include "sport_tracker/grammar/command_line.hpp"
#include "sport_tracker/grammar/grammar.hpp"
#include "sport_tracker/text.hpp"

namespace sport_tracker {
namespace {

constexpr auto program_about =
    "Keeps workouts, posts and streaks on this device, and agrees with your other devices when "
    "they "
    "meet. Commands that only read work while another process has the store open.";
constexpr auto program_footer =
    "Exit codes: 0 done, 1 it could not be done, 2 the input was wrong (an option, a key, a "
    "file).\n"
    "`sport_tracker COMMAND --help` tells more of each command.";

void set_peer(sync_options& o, const std::string& text) {
  const auto address = joinery::transport::parse_address(text);
  if (!address) throw input_error(printable(address.error().text()));
  if (address->port == 0) throw input_error("nobody can be reached at port 0");
  o.where = text;
}

void add_program_options(CLI::App& app, invocation& chosen) {
  app.footer(program_footer);
  app.fallthrough();
  app.set_help_all_flag("--help-all", "Print the help of all commands and exit");
  app.set_version_flag("--version", std::string("sport_tracker with joinery ") +
                                        std::string(joinery::library_version));
  app.add_option("--store", chosen.store, "The folder of this device's store")
      ->required()
      ->type_name("DIR");
  app.add_option("--space", chosen.space, "The name that all your devices share")
      ->capture_default_str()
      ->type_name("NAME");
  app.add_option("--profile", chosen.profile, "The key of the athlete who acts")
      ->capture_default_str()
      ->type_name("KEY");
  app.add_flag("-v,--verbose", chosen.verbose, "Tell on standard error what serve and sync do");
}

void add_network_commands(CLI::App& app, invocation& chosen) {
  constexpr auto console =
      " Meanwhile it takes the other commands, one a line, on its standard input";
  auto* serve =
      app.add_subcommand("serve", std::string("Let other devices connect, and stay in "
                                              "sync with them, until it is interrupted.") +
                                      console);
  auto given = std::make_shared<serve_options>();
  serve->add_option("PORT", given->port, "The port; 0 takes any that is free")->required();
  serve->add_option("--bind", given->address, "The address to listen on")->capture_default_str();
  serve->callback([&chosen, given] { chosen.serve = *given; });

  auto* sync = app.add_subcommand("sync",
                                  "Meet a device that serves: exchange what each lacks, "
                                  "compare the states, and end");
  auto peer = std::make_shared<sync_options>();
  sync->add_option_function<std::string>(
          "HOST:PORT", [peer](const std::string& text) { set_peer(*peer, text); },
          "Where the other serves")
      ->required();
  sync->add_flag("--live", peer->live,
                 std::string("Stay, exchange changes as they are made, and connect again when the "
                             "connection ends.") +
                     console);
  sync->add_option("--pace", peer->pace_ms,
                   "Take small batches and rest this long after each, to leave the link and the "
                   "device to others")
      ->check(CLI::Range(0, 10'000))
      ->type_name("MS");
  sync->callback([&chosen, peer] { chosen.sync = *peer; });
}

void add_commands(CLI::App& app, request& chosen) {
  add_import_command(app, chosen);
  add_profile_commands(app, chosen);
  add_workout_commands(app, chosen);
  add_post_commands(app, chosen);
  add_streak_commands(app, chosen);
  add_show_command(app, chosen);
  add_conflict_commands(app, chosen);
  add_status_commands(app, chosen);
  add_inspect_command(app, chosen);
  add_members_commands(app, chosen);
  add_watch_command(app, chosen);
  app.require_subcommand(1);
}

}  // namespace

CLI::App* add_noun(CLI::App& app, const std::string& name, const std::string& about,
                   request& chosen, request (*alone)()) {
  auto* noun = app.add_subcommand(name, about);
  noun->require_subcommand(0, 1);
  // It comes after that of the word behind the noun.
  noun->callback([&chosen, noun, alone] {
    if (noun->get_subcommands().empty()) chosen = alone();
  });
  return noun;
}

std::unique_ptr<CLI::App> program_grammar(invocation& chosen) {
  auto app = std::make_unique<CLI::App>(program_about, "sport_tracker");
  add_program_options(*app, chosen);
  add_network_commands(*app, chosen);
  add_commands(*app, chosen.command);
  return app;
}

std::unique_ptr<CLI::App> line_grammar(request& chosen) {
  auto app = std::make_unique<CLI::App>("Commands, one a line");
  add_commands(*app, chosen);
  return app;
}

}  // namespace sport_tracker
