// import, workouts, streak: what is done, and what is planned.
#include <memory>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/grammar/grammar.hpp"

namespace sport_tracker {
namespace {

struct workout_words {
  std::string key, field, value, verb;
};

}  // namespace

void add_import_command(CLI::App& app, request& chosen) {
  const auto files = std::make_shared<std::vector<std::string>>();
  auto* command = app.add_subcommand(
      "import",
      "Store workouts from TCX and GPX files, one workout a file. A file that is refused "
      "leaves nothing behind, the others are imported, and the exit code is 2");
  command->add_option("FILE", *files, "TCX or GPX files")->required();
  command->callback([&chosen, files] { chosen = import_files(*files); });
}

void add_workout_commands(CLI::App& app, request& chosen) {
  const auto w = std::make_shared<workout_words>();
  auto* workouts = app.add_subcommand(
      "workouts",
      "List, show, edit and delete workouts; a KEY may be given by its first characters");
  workouts->require_subcommand(0, 1);
  const auto which = std::make_shared<workout_selection>();
  const auto list = [&chosen, which] { chosen = list_workouts(*which); };
  const auto add_selection = [&](CLI::App* command) {
    command->add_option("--from", which->from, "Only from this date on")->type_name("DATE");
    command->add_option("--to", which->to, "Only up to this date")->type_name("DATE");
    command->add_option("--limit", which->limit, "Only the latest N")->type_name("N");
  };
  add_selection(workouts);
  workouts->callback([workouts, list] {
    if (workouts->get_subcommands().empty()) list();
  });
  const auto add = [&](const std::string& name, const std::string& about) {
    auto* command = workouts->add_subcommand(name, about);
    command->add_option("KEY", w->key, "The workout")->required();
    return command;
  };

  auto* all = workouts->add_subcommand("list", "List them by date; also without any word");
  add_selection(all);
  all->callback(list);
  add("show", "Show one")->callback([&chosen, w] { chosen = show_workout(w->key); });
  add("delete", "Delete one; an edit made elsewhere meanwhile brings it back, and its XP stay")
      ->callback([&chosen, w] { chosen = delete_workout(w->key); });

  auto* edit = add("edit", "Set a field");
  edit->add_option("FIELD", w->field, "title, notes, sport or effort (1 to 10)")->required();
  edit->add_option("VALUE", w->value, "Its new value")->required();
  edit->callback([&chosen, w] { chosen = edit_workout(w->key, w->field, w->value); });

  auto* tag = add("tag", "Add or remove a tag");
  tag->add_option("VERB", w->verb, "add or remove")
      ->required()
      ->check(CLI::IsMember({"add", "remove"}));
  tag->add_option("TAG", w->value, "The tag")->required();
  tag->callback([&chosen, w] {
    chosen = change_tags(w->key, w->verb == "add" ? set_change::add : set_change::remove, w->value);
  });
}

void add_streak_commands(CLI::App& app, request& chosen) {
  const auto edit = std::make_shared<streak_edit>();
  const auto date = std::make_shared<std::string>();
  auto* streak =
      add_noun(app, "streak", "Plan active days, and see how they are kept", chosen, list_streaks);
  const auto add = [&](const std::string& name, const std::string& about) {
    auto* command = streak->add_subcommand(name, about);
    command->add_option("NAME", edit->name, "The streak's name, such as daily-run")->required();
    return command;
  };

  auto* set = add("set", "Make a streak, or change it");
  set->add_option("--days", edit->days, "Which days: mon,tue,wed,thu,fri,sat,sun")
      ->delimiter(',')
      ->check(CLI::IsMember({"mon", "tue", "wed", "thu", "fri", "sat", "sun"}));
  set->add_option("--minutes", edit->minutes, "The goal of each day; 0: any workout will do");
  set->add_option("--add-freezes", edit->freezes, "More days that may be missed")
      ->check(CLI::Range(1, 366));
  auto* pause = set->add_flag("--pause", edit->pause, "Let it rest");
  set->add_flag("--resume", edit->resume, "Take it up again")->excludes(pause);
  set->callback([&chosen, edit] { chosen = set_streak(*edit); });

  streak->add_subcommand("list", "List them; also without any word")->callback([&chosen] {
    chosen = list_streaks();
  });
  auto* freeze = add("freeze", "Use a freeze: a missed day does not end the streak");
  freeze->add_option("--on", *date, "The day, today if not said")->type_name("2024-05-01");
  freeze->callback([&chosen, edit, date] { chosen = freeze_day(edit->name, *date); });
  add("delete", "Delete one; an edit made elsewhere meanwhile brings it back")
      ->callback([&chosen, edit] { chosen = delete_streak(edit->name); });
}

}  // namespace sport_tracker
