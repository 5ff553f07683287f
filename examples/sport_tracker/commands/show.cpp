// show: everything, for people or as JSON.
#include <boost/hana/for_each.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/ledger.hpp"
#include "sport_tracker/commands/totals.hpp"

namespace sport_tracker {
namespace {

namespace hana = boost::hana;
using json = nlohmann::ordered_json;

template <class T>
json to_json(const joinery::lww<T>& f) {
  return f.is_set() ? json(*f) : json();
}
template <class T>
json to_json(const joinery::mv<T>& f) {
  return json(f.get());
}
template <class T>
json to_json(const joinery::or_set<T>& f) {
  return json(f.get());
}
template <class T, joinery::crdt::kind K>
json to_json(const joinery::schema::extremum_field<T, K>& f) {
  const auto value = f.get();
  return value ? json(*value) : json();
}
json to_json(const joinery::pn_counter& f) { return json(*f); }
json to_json(const joinery::flag& f) { return json(*f); }
json to_json(const joinery::tally<std::string>& f) {
  json grants = json::object();
  f.for_each([&](const std::string& key, std::uint64_t amount) { grants[key] = amount; });
  return {{"total", *f}, {"grants", std::move(grants)}};
}
template <class F>
json to_json(const joinery::map<std::string, F>& f) {
  json out = json::object();
  for (const auto& key : f.keys()) out[key] = to_json(static_cast<const F&>(f[key]));
  return out;
}
/// A record, or a struct of fields in it: its members in the order of their declaration.
template <class Record>
  requires hana::Struct<Record>::value json to_json(const Record& record) {
    json out = json::object();
    hana::for_each(hana::accessors<Record>(), [&](auto member) {
      out[hana::first(member).c_str()] = to_json(hana::second(member)(record));
    });
    return out;
  }

template <class Record>
json table_of(database& db) {
  json out = json::object();
  db.for_each<Record>(
      [&](std::string_view key, const Record& record) { out[std::string(key)] = to_json(record); });
  return out;
}

json conflicts_of(database& db) {
  json out = json::array();
  for (const auto& each : open_conflicts(db)) {
    json writes = json::array();
    for (const auto& w : each.writes)
      writes.push_back({{"value", w.value}, {"by", w.by}, {"at_ms", w.at_ms}, {"shown", w.shown}});
    out.push_back({{"table", each.table},
                   {"key", each.key},
                   {"field", each.field},
                   {"writes", std::move(writes)}});
  }
  return out;
}

/// The whole state as users see it. Records stand in the order of their keys, fields in the order
/// of the schema, and what only this device knows is left out: replicas that have converged show
/// the same bytes.
int show_json(context& c) {
  json out;
  out["space"] = c.db.status().space.hex();
  out["user_profiles"] = table_of<user_profile>(c.db);
  out["workout_sessions"] = table_of<workout_session>(c.db);
  out["social_posts"] = table_of<social_post>(c.db);
  out["xp_transactions"] = table_of<xp_transaction>(c.db);
  out["streak_schedules"] = table_of<streak_schedule>(c.db);
  out["conflicts"] = conflicts_of(c.db);
  // A peer may have stored what is no UTF-8; it is replaced, the same way everywhere.
  c.out << out.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
  return exit_done;
}

template <class Record>
std::int64_t count(database& db) {
  std::int64_t n = 0;
  db.for_each<Record>([&](std::string_view, const Record&) { ++n; });
  return n;
}

int show_totals(context& c) {
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

void add_show_command(CLI::App& app, request& chosen) {
  const auto as_json = std::make_shared<bool>(false);
  auto* show = app.add_subcommand("show", "Show how much there is, or all of it");
  show->add_flag("--json", *as_json,
                 "Everything, as JSON: the same bytes on every device that is in sync");
  show->callback([&chosen, as_json] {
    chosen = {access::read, *as_json ? show_json : show_totals};
  });
}

}  // namespace sport_tracker
