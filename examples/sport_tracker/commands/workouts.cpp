// workouts: what was imported, and what the athlete writes about it.
#include <functional>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/records.hpp"
#include "sport_tracker/import/sport.hpp"

namespace sport_tracker {
namespace {

std::string title_of(const workout_session& w) {
  const auto own = *w.title;
  return own.empty() ? *w.recorded.title : own;
}
std::string sport_of(const workout_session& w) {
  const auto own = *w.sport;
  return own.empty() ? *w.recorded.sport : own;
}

std::string line_of(std::string_view key, const workout_session& w, bool imperial) {
  const auto& r = w.recorded;
  const auto padded = [](std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text + "  ";
  };
  std::string line = padded(short_key(key), 8);
  line += padded(r.started_at_ms.is_set() ? utc_date(*r.started_at_ms) : "-", 10);
  line += padded(printable(sport_of(w)), 5);
  line += padded(r.distance_m.is_set() ? distance_text(*r.distance_m, imperial) : "-", 10);
  line += padded(r.duration_s.is_set() ? duration_text(*r.duration_s) : "-", 8);
  line += printable(title_of(w), 50);
  if (w.title.in_conflict() || w.sport.in_conflict() || w.notes.in_conflict())
    line += "  (conflict)";
  return line;
}

constexpr std::int64_t ms_of_day = 86'400'000;

std::int64_t start_of(const std::string& date) {
  const auto days = days_of_date(date);
  if (!days) throw input_error("a date is written 2024-05-01, not " + printable(date));
  return *days * ms_of_day;
}

int list(context& c, const workout_selection& wanted) {
  const bool imperial = is_imperial(c);
  if (wanted.from.empty() && wanted.to.empty() && wanted.limit == 0) {
    // Those without a date are in no order, so the index does not have them.
    c.db.for_each<workout_session>([&](std::string_view key, const workout_session& w) {
      if (!w.recorded.started_at_ms.is_set()) c.out << line_of(key, w, imperial) << "\n";
    });
  }
  auto query = c.db.query<workout_session>()
                   .by<&workout_session::recorded, &recorded_facts::started_at_ms>();
  if (!wanted.from.empty()) query = query.from(start_of(wanted.from));
  if (!wanted.to.empty()) query = query.below(start_of(wanted.to) + ms_of_day);
  if (wanted.limit == 0) {
    query.for_each([&](std::string_view key, const workout_session& w) {
      c.out << line_of(key, w, imperial) << "\n";
    });
    return exit_done;
  }
  const auto latest = query.descending().limit(wanted.limit).page();
  for (auto r = latest.rows.rbegin(); r != latest.rows.rend(); ++r)
    c.out << line_of(r->key(), **r, imperial) << "\n";
  return exit_done;
}

int show(context& c, const std::string& name) {
  const auto key = full_key<workout_session>(c.db, name, "workout");
  const auto w = c.db.find<workout_session>(key);
  const auto& r = w->recorded;
  const auto line = [&](std::string_view label, const std::string& value) {
    if (!value.empty())
      c.out << label << std::string(label.size() < 14 ? 14 - label.size() : 1, ' ') << value
            << "\n";
  };
  const auto number = [&](std::string_view label, const joinery::lww<std::uint32_t>& field,
                          std::string_view unit) {
    if (field.is_set()) line(label, std::to_string(*field) + std::string(unit));
  };
  line("workout", key);
  line("athlete", printable(*w->athlete));
  line("sport", printable(sport_of(*w)));
  line("title", printable(title_of(*w)));
  if (r.started_at_ms.is_set()) line("started", utc_time(*r.started_at_ms));
  if (r.duration_s.is_set()) line("duration", duration_text(*r.duration_s));
  if (r.distance_m.is_set()) line("distance", distance_text(*r.distance_m, is_imperial(c)));
  number("elevation", r.elevation_gain_m, " m up");
  number("heart rate", r.average_heart_rate_bpm, " on average");
  number("", r.max_heart_rate_bpm, " at most");
  number("energy", r.calories_kcal, " kcal");
  if (*w->effort > 0) line("effort", std::to_string(*w->effort) + " of 10");
  w->tags.for_each([&](const std::string& tag) { line("tag", printable(tag)); });
  for (const auto& notes : w->notes.get())
    line(w->notes.in_conflict() ? "notes (one)" : "notes", printable(notes));
  w->source_files.for_each([&](const std::string& file) { line("file", printable(file)); });
  return exit_done;
}

int edit(context& c, const std::string& name, const std::function<void(workout_session)>& how) {
  const auto key = full_key<workout_session>(c.db, name, "workout");
  c.db.write([&](database::transaction& tx) { how(tx.edit<workout_session>(key)); }).value();
  return exit_done;
}

int erase(context& c, const std::string& name) {
  const auto key = full_key<workout_session>(c.db, name, "workout");
  c.db.write([&](database::transaction& tx) { tx.erase<workout_session>(key); }).value();
  c.out << "deleted workout " << short_key(key) << "\n";
  return exit_done;
}

}  // namespace

void set_workout_field(workout_session w, const std::string& field, const std::string& value) {
  if (field == "title") {
    w.title = checked_text("the title", value);
  } else if (field == "notes") {
    w.notes = checked_text("the notes", value, true);
  } else if (field == "sport") {
    if (!value.empty() && value != name_of(sport_from(value)))
      throw input_error("a sport is run, ride, swim, walk, hike, sup or other, not " +
                        printable(value));
    w.sport = value;
  } else if (field == "effort") {
    w.effort = number_from("the effort", value, 0, 10);
  } else {
    throw input_error("a workout has no field " + printable(field) +
                      " to edit; there are title, notes, sport and effort");
  }
}

request list_workouts(workout_selection wanted) {
  return {access::read, [w = std::move(wanted)](context& c) { return list(c, w); }};
}

request show_workout(std::string key) {
  return {access::read, [key = std::move(key)](context& c) { return show(c, key); }};
}

request delete_workout(std::string key) {
  return {access::write, [key = std::move(key)](context& c) { return erase(c, key); }};
}

request edit_workout(std::string key, std::string field, std::string value) {
  return {access::write,
          [key = std::move(key), field = std::move(field), value = std::move(value)](context& c) {
            return edit(c, key, [&](workout_session w) { set_workout_field(w, field, value); });
          }};
}

request change_tags(std::string key, set_change how, std::string tag) {
  return {access::write, [key = std::move(key), how, tag = std::move(tag)](context& c) {
            const auto text = checked_text("the tag", tag);
            if (text.empty()) throw input_error("the tag is empty");
            return edit(c, key, [&](workout_session w) {
              if (how == set_change::add) {
                w.tags.insert(text);
              } else {
                w.tags.erase(text);
              }
            });
          }};
}

}  // namespace sport_tracker
