// import: one file is one workout, in one transaction.
#include <filesystem>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/records.hpp"
#include "sport_tracker/import/workout_file.hpp"
#include "sport_tracker/import/xp.hpp"
#include "sport_tracker/progress.hpp"

namespace sport_tracker {
namespace {

void record_facts(recorded_facts& facts, const workout_summary& w) {
  const auto set = [](auto& field, const auto& value) {
    if (value) field = *value;
  };
  facts.sport = std::string(w.sport_name());
  facts.title = w.title;
  set(facts.started_at_ms, w.started_at_ms);
  set(facts.duration_s, w.duration_s);
  set(facts.distance_m, w.distance_m);
  set(facts.elevation_gain_m, w.elevation_gain_m);
  set(facts.average_heart_rate_bpm, w.average_heart_rate_bpm);
  set(facts.max_heart_rate_bpm, w.max_heart_rate_bpm);
  set(facts.calories_kcal, w.calories_kcal);
  facts.points = w.points;
}

/// The workout, its XP as a record, and the athlete's tally and bests. What is there already is
/// left alone; a workout that was deleted comes back without a second grant.
void store_workout(database::transaction& tx, const context& c, const std::string& file,
                   const std::string& key, const workout_summary& w, std::uint32_t xp) {
  auto session = tx.create<workout_session>(key);
  session.athlete = c.profile;
  session.source_files.insert(file);
  record_facts(session.recorded, w);

  auto grant = tx.create<xp_transaction>(key);
  grant.athlete = c.profile;
  grant.reason = "import";
  grant.workout = key;
  grant.amount.put(xp);
  grant.granted_at_ms.put(c.now_ms());

  auto profile = tx.create<user_profile>(c.profile);
  profile.xp.grant(key, xp);
  if (w.duration_s) profile.longest_duration_s.put(*w.duration_s);
  if (w.distance_m) {
    profile.longest_distance_m.put(*w.distance_m);
    profile.best_distance_m[std::string(w.sport_name())].put(*w.distance_m);
  }
}

void import_workout(context& c, const std::string& file, const workout_summary& w) {
  const auto key = w.content_hash.hex();
  if (const auto known = c.db.find<workout_session>(key)) {
    c.out << "already imported " << file << ": workout " << short_key(key);
    if (*known->athlete != c.profile) c.out << " of " << printable(*known->athlete);
    c.out << "\n";
    return;
  }
  const auto xp = xp_for(w);
  const bool granted = static_cast<bool>(c.db.find<xp_transaction>(key));
  c.db.write([&](database::transaction& tx) { store_workout(tx, c, file, key, w, xp); }).value();
  const bool imperial = is_imperial(c);
  c.out << "imported " << file << ": " << w.sport_name();
  if (w.distance_m) c.out << ", " << distance_text(*w.distance_m, imperial);
  if (w.duration_s) c.out << ", " << duration_text(*w.duration_s);
  c.out << ", " << xp << " XP" << (granted ? " (granted before)" : "") << ", workout "
        << short_key(key) << "\n";
}

int import_all(context& c, const std::vector<std::string>& files) {
  progress_bar bar(files.size());
  int exit_code = exit_done;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::filesystem::path path{files[i]};
    const auto name = printable(path.filename().string());
    const auto workout =
        read_workout_file(path, [&](auto done, auto total) { bar.show(i, name, done, total); });
    bar.clear();
    if (!workout) {
      c.err << "error: " << printable(workout.error().text()) << "\n";
      exit_code = exit_input;
      continue;
    }
    import_workout(c, name, *workout);
  }
  return exit_code;
}

}  // namespace

request import_files(std::vector<std::string> files) {
  return {access::write, [all = std::move(files)](context& c) { return import_all(c, all); }};
}

}  // namespace sport_tracker
