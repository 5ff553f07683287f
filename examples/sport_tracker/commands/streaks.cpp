// streak: plans to be active, and how well they are kept.
#include <algorithm>
#include <memory>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/records.hpp"
#include "sport_tracker/streak.hpp"

namespace sport_tracker {
namespace {

constexpr std::int64_t day_ms = 86'400'000;

struct streak_arguments {
  std::string name, date, minutes;
  std::vector<std::string> days;
  std::int64_t freezes = 0;
  bool pause = false, resume = false;
};

int set_streak(context& c, const streak_arguments& a) {
  const auto key = checked_text("the streak's name", a.name);
  if (key.empty()) throw input_error("the streak's name is empty");
  const bool fresh = !c.db.find<streak_schedule>(key);
  if (fresh && a.days.empty()) throw input_error("a new streak needs --days");
  c.db.write([&](database::transaction& tx) {
        auto s = tx.create<streak_schedule>(key);
        if (fresh) {
          s.athlete = c.profile;
          s.active = true;
        }
        if (!a.days.empty()) {
          for (const auto& day : s.days.get())
            if (std::find(a.days.begin(), a.days.end(), day) == a.days.end()) s.days.erase(day);
          for (const auto& day : a.days) s.days.insert(day);
        }
        if (!a.minutes.empty()) set_streak_minutes(s, a.minutes);
        if (a.freezes > 0) s.freezes += a.freezes;
        if (a.pause) s.active = false;
        if (a.resume) s.active = true;
      })
      .value();
  return exit_done;
}

int freeze_day(context& c, const streak_arguments& a) {
  if (!a.date.empty() && !days_of_date(a.date))
    throw input_error("a date is written like 2024-05-01, not " + printable(a.date));
  const auto date = a.date.empty() ? utc_date(c.now_ms()) : a.date;
  c.db.write([&](database::transaction& tx) {
        auto s = tx.find<streak_schedule>(a.name);
        if (!s) throw input_error("there is no streak " + printable(a.name));
        if (s->frozen_days.contains(date)) throw input_error(date + " is frozen already");
        if (*s->freezes <= 0) throw input_error("the streak has no freezes left");
        s->frozen_days.insert(date);
        s->freezes -= 1;
      })
      .value();
  c.out << "froze " << date << "\n";
  return exit_done;
}

int delete_streak(context& c, const std::string& name) {
  c.db.write([&](database::transaction& tx) {
        if (!tx.erase<streak_schedule>(name))
          throw input_error("there is no streak " + printable(name));
      })
      .value();
  return exit_done;
}

minutes_by_day minutes_of(context& c, const std::string& athlete) {
  minutes_by_day out;
  c.db.for_each<workout_session>([&](std::string_view, const workout_session& w) {
    if (*w.athlete == athlete && w.recorded.started_at_ms.is_set())
      out[utc_date(*w.recorded.started_at_ms)] += *w.recorded.duration_s / 60;
  });
  return out;
}

int list_streaks(context& c) {
  c.db.for_each<streak_schedule>([&](std::string_view key, const streak_schedule& s) {
    streak_plan plan{{}, *s.goal_minutes, {}};
    for (const auto& day : s.days.get()) plan.weekdays.insert(day);
    for (const auto& day : s.frozen_days.get()) plan.frozen_days.insert(day);
    c.out << printable(key) << ":";
    for (const auto* day : {"mon", "tue", "wed", "thu", "fri", "sat", "sun"})
      if (plan.weekdays.contains(day)) c.out << " " << day;
    if (plan.goal_minutes > 0) c.out << ", " << plan.goal_minutes << " minutes";
    if (s.goal_minutes.in_conflict()) c.out << " (conflict)";
    // Two devices may use the last freeze while apart: the count then is below zero.
    c.out << ", " << std::max<std::int64_t>(*s.freezes, 0) << " freezes left, ";
    c.out << streak_length(plan, minutes_of(c, *s.athlete), c.now_ms() / day_ms) << " in a row";
    c.out << (*s.active ? "\n" : ", paused\n");
  });
  return exit_done;
}

}  // namespace

void set_streak_minutes(streak_schedule s, const std::string& value) {
  s.goal_minutes = number_from("the goal", value, 0, 1440);
}

void add_streak_commands(CLI::App& app, request& chosen) {
  const auto a = std::make_shared<streak_arguments>();
  auto* streak = app.add_subcommand("streak", "Plan active days, and see how they are kept");
  streak->require_subcommand(0, 1);
  streak->callback([&chosen, streak] {
    if (streak->get_subcommands().empty()) chosen = {access::read, list_streaks};
  });
  const auto add = [&](const std::string& name, const std::string& about) {
    auto* command = streak->add_subcommand(name, about);
    command->add_option("NAME", a->name, "The streak's name, such as daily-run")->required();
    return command;
  };

  auto* set = add("set", "Make a streak, or change it");
  set->add_option("--days", a->days, "Which days: mon,tue,wed,thu,fri,sat,sun")
      ->delimiter(',')
      ->check(CLI::IsMember({"mon", "tue", "wed", "thu", "fri", "sat", "sun"}));
  set->add_option("--minutes", a->minutes, "The goal of each day; 0: any workout will do");
  set->add_option("--add-freezes", a->freezes, "More days that may be missed")
      ->check(CLI::Range(1, 366));
  auto* pause = set->add_flag("--pause", a->pause, "Let it rest");
  set->add_flag("--resume", a->resume, "Take it up again")->excludes(pause);
  set->callback([&chosen, a] {
    chosen = {access::write, [args = *a](context& c) { return set_streak(c, args); }};
  });

  streak->add_subcommand("list", "List them; also without any word")->callback([&chosen] {
    chosen = {access::read, list_streaks};
  });
  auto* freeze = add("freeze", "Use a freeze: a missed day does not end the streak");
  freeze->add_option("--on", a->date, "The day, today if not said")->type_name("2024-05-01");
  freeze->callback([&chosen, a] {
    chosen = {access::write, [args = *a](context& c) { return freeze_day(c, args); }};
  });
  add("delete", "Delete one; an edit made elsewhere meanwhile brings it back")
      ->callback([&chosen, a] {
        chosen = {access::write, [name = a->name](context& c) { return delete_streak(c, name); }};
      });
}

}  // namespace sport_tracker
