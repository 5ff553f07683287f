// show: how much there is of everything.
#include "sport_tracker/commands/totals.hpp"

#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/ledger.hpp"
#include "sport_tracker/context.hpp"

namespace sport_tracker {
namespace {

template <class Record>
std::int64_t count(database& db) {
  std::int64_t n = 0;
  db.for_each<Record>([&](std::string_view, const Record&) { ++n; });
  return n;
}

int print_totals(context& c) {
  for (const auto& each : totals_of(c.db))
    c.out << each.name << std::string(18 - each.name.size(), ' ') << each.amount << "\n";
  return exit_done;
}

}  // namespace

std::vector<total> totals_of(database& db) {
  std::int64_t xp = 0;
  db.for_each<user_profile>([&](std::string_view, const user_profile& p) { xp += *p.xp; });
  return {{"profiles", count<user_profile>(db)},
          {"workouts", count<workout_session>(db)},
          {"posts", count<social_post>(db)},
          {"XP records", count<xp_transaction>(db)},
          {"streaks", count<streak_schedule>(db)},
          {"XP", xp},
          {"open conflicts", static_cast<std::int64_t>(open_conflicts(db).size())}};
}

request show_totals() { return {access::read, print_totals}; }

}  // namespace sport_tracker
