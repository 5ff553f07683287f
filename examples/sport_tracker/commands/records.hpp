// What several commands need of records: keys given in part, and the user's edits by field name.
//
// Purpose: a workout or post is named by the first characters of its key, as git names commits;
// `set`, `edit` and `conflicts resolve` write fields through the same functions, so that each value
// is checked in one place.
// Invariants: a name that fits no record, or several, is an input_error that says so.
// Thread-safety: none.
#pragma once

#include "sport_tracker/context.hpp"

namespace sport_tracker {

/// The one key of `Record`'s table that begins with `prefix`.
template <class Record>
std::string full_key(database& db, const std::string& prefix, const std::string& noun) {
  if (prefix.empty()) throw input_error("the key of a " + noun + " is empty");
  std::vector<std::string> found;
  db.for_each<Record>(
      [&](std::string_view key, const Record&) {
        if (!key.starts_with(prefix)) return false;
        found.emplace_back(key);
        return key != prefix && found.size() < 2;
      },
      prefix);
  if (found.empty()) throw input_error("there is no " + noun + " " + printable(prefix));
  if (found.size() > 1) {
    throw input_error("several keys of a " + noun + " begin with " + printable(prefix) + ": " +
                      printable(found[0]) + " and " + printable(found[1]) + "; give more of it");
  }
  return found[0];
}

/// Whole numbers as users type them; input_error beyond the bounds.
std::uint32_t number_from(const std::string& what, const std::string& text, std::uint32_t least,
                          std::uint32_t most);

bool is_imperial(context& c);

void set_profile_field(user_profile profile, const std::string& field, const std::string& value);
void set_workout_field(workout_session workout, const std::string& field, const std::string& value);
void set_post_text(social_post post, const std::string& text);
void set_streak_minutes(streak_schedule schedule, const std::string& value);

}  // namespace sport_tracker
