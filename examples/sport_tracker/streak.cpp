#include "sport_tracker/streak.hpp"

#include "sport_tracker/text.hpp"

namespace sport_tracker {

std::uint32_t streak_length(const streak_plan& plan, const minutes_by_day& minutes,
                            std::int64_t today) {
  constexpr std::int64_t day_ms = 86'400'000;
  std::uint32_t length = 0;
  std::uint32_t skipped = 0;
  // Days that are not planned are passed over; a week of them means that none is planned.
  for (auto day = today; skipped < 7; --day) {
    const auto date = utc_date(day * day_ms);
    const bool planned = plan.weekdays.contains(std::string(weekday_of(day)));
    skipped = planned ? 0 : skipped + 1;
    if (!planned) continue;
    const auto done = minutes.find(date);
    const bool kept = plan.frozen_days.contains(date) ||
                      (done != minutes.end() && done->second >= plan.goal_minutes);
    if (!kept && day != today) break;
    if (kept) ++length;
  }
  return length;
}

}  // namespace sport_tracker
