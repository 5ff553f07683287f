// streak: plans to be active, and how well they are kept.
#include <algorithm>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/records.hpp"
#include "sport_tracker/streak.hpp"

namespace sport_tracker {
namespace {

constexpr std::int64_t day_ms = 86'400'000;

int set(context& c, const streak_edit& a) {
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

int freeze(context& c, const std::string& name, const std::string& on) {
  if (!on.empty() && !days_of_date(on))
    throw input_error("a date is written like 2024-05-01, not " + printable(on));
  const auto date = on.empty() ? utc_date(c.now_ms()) : on;
  c.db.write([&](database::transaction& tx) {
        auto s = tx.find<streak_schedule>(name);
        if (!s) throw input_error("there is no streak " + printable(name));
        if (s->frozen_days.contains(date)) throw input_error(date + " is frozen already");
        if (*s->freezes <= 0) throw input_error("the streak has no freezes left");
        s->frozen_days.insert(date);
        s->freezes -= 1;
      })
      .value();
  c.out << "froze " << date << "\n";
  return exit_done;
}

int erase(context& c, const std::string& name) {
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

int list(context& c) {
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

request list_streaks() { return {access::read, list}; }

request set_streak(streak_edit edit) {
  return {access::write, [e = std::move(edit)](context& c) { return set(c, e); }};
}

request freeze_day(std::string name, std::string date) {
  return {access::write, [name = std::move(name), date = std::move(date)](context& c) {
            return freeze(c, name, date);
          }};
}

request delete_streak(std::string name) {
  return {access::write, [name = std::move(name)](context& c) { return erase(c, name); }};
}

}  // namespace sport_tracker
