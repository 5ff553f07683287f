// show --json: everything.
#include <boost/hana/for_each.hpp>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/ledger.hpp"
#include "sport_tracker/context.hpp"
#include "sport_tracker/json.hpp"

namespace sport_tracker {
namespace {

namespace hana = boost::hana;

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
  f.for_each([&](const std::string& key, std::uint64_t amount) { grants.put(key, amount); });
  json out = json::object();
  out.put("total", *f);
  out.put("grants", std::move(grants));
  return out;
}
template <class F>
json to_json(const joinery::map<std::string, F>& f) {
  json out = json::object();
  for (const auto& key : f.keys()) out.put(key, to_json(static_cast<const F&>(f[key])));
  return out;
}
/// A record, or a struct of fields in it: its members in the order of their declaration.
template <class Record>
  requires hana::Struct<Record>::value json to_json(const Record& record) {
    json out = json::object();
    hana::for_each(hana::accessors<Record>(), [&](auto member) {
      out.put(hana::first(member).c_str(), to_json(hana::second(member)(record)));
    });
    return out;
  }

template <class Record>
json table_of(database& db) {
  json out = json::object();
  db.for_each<Record>([&](std::string_view key, const Record& record) {
    out.put(std::string(key), to_json(record));
  });
  return out;
}

json conflicts_of(database& db) {
  json out = json::array();
  for (const auto& each : open_conflicts(db)) {
    json writes = json::array();
    for (const auto& w : each.writes) {
      json write = json::object();
      write.put("value", w.value);
      write.put("by", w.by);
      write.put("at_ms", w.at_ms);
      write.put("shown", w.shown);
      writes.add(std::move(write));
    }
    json entry = json::object();
    entry.put("table", each.table);
    entry.put("key", each.key);
    entry.put("field", each.field);
    entry.put("writes", std::move(writes));
    out.add(std::move(entry));
  }
  return out;
}

/// The whole state as users see it. Records stand in the order of their keys, fields in the order
/// of the schema, and what only this device knows is left out: replicas that have converged show
/// the same bytes.
int print_json(context& c) {
  auto out = json::object();
  out.put("space", c.db.status().space.hex());
  out.put("user_profiles", table_of<user_profile>(c.db));
  out.put("workout_sessions", table_of<workout_session>(c.db));
  out.put("social_posts", table_of<social_post>(c.db));
  out.put("xp_transactions", table_of<xp_transaction>(c.db));
  out.put("streak_schedules", table_of<streak_schedule>(c.db));
  out.put("conflicts", conflicts_of(c.db));
  c.out << out.text() << "\n";
  return exit_done;
}

}  // namespace

request show_json() { return {access::read, print_json}; }

}  // namespace sport_tracker
