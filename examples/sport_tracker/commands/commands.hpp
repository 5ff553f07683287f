// The commands: for each the request that does it.
//
// Purpose: what the grammar hands words to; the files beside this one are named after the nouns.
// Invariants: making a request has no effect. Words that are wrong whatever the store holds may be
// an input_error then already, others are one when it runs. Keys of workouts and posts may be given
// by their first characters. Free of the parser and of the schema: see request.hpp.
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sport_tracker/request.hpp"

namespace sport_tracker {

/// What becomes of one element of a set.
enum class set_change { add, remove };

request import_files(std::vector<std::string> files);

request show_profile();
request show_bests();
request delete_profile();
request set_profile(std::string field, std::string value);
request change_badges(set_change how, std::string badge);
request change_goals(set_change how, std::string goal);
request give_kudos(std::int64_t amount);  ///< below 0: take them back

/// Which workouts are listed.
struct workout_selection {
  std::string from, to;   ///< dates; empty: no bound
  std::size_t limit = 0;  ///< the latest ones; 0: all
};
request list_workouts(workout_selection wanted);
request show_workout(std::string key);
request delete_workout(std::string key);
request edit_workout(std::string key, std::string field, std::string value);
request change_tags(std::string key, set_change how, std::string tag);

request list_posts();
request add_post(std::string text, std::string workout);  ///< on no workout when that is empty
request show_draft();
request keep_draft(std::string text);  ///< an empty one takes the draft away
request publish_draft(std::string workout);
request delete_post(std::string key);
request edit_post(std::string key, std::string text);
request like_post(std::string key);
request unlike_post(std::string key);
request comment_post(std::string key, std::string text);
request uncomment_post(std::string key, std::string name);  ///< the comment's key

/// A new streak, or what is to change of one: what is empty, 0 or false stays.
struct streak_edit {
  std::string name, minutes;
  std::vector<std::string> days;
  std::int64_t freezes = 0;  ///< that are added
  bool pause = false, resume = false;
};
request list_streaks();
request set_streak(streak_edit edit);
request freeze_day(std::string name, std::string date);  ///< today when the date is empty
request delete_streak(std::string name);

request show_totals();
request show_json();

request list_conflicts();
/// The value that is to stand, for a field as the list names it.
struct conflict_decision {
  std::string table, key, field, value;
};
request resolve_conflict(conflict_decision decision);

request show_status();
request show_digest();
request inspect_store(std::string table, std::string key);  ///< all tables, or records, when empty

request list_members();
request close_members();
request admit_member(std::string id, std::string name);
request evict_member(std::string id);

request watch_table(std::string table);  ///< all of them when it is empty

}  // namespace sport_tracker
