// conflicts: what two devices wrote differently, each without knowing of the other.
#include <algorithm>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/ledger.hpp"
#include "sport_tracker/commands/records.hpp"

namespace sport_tracker {
namespace {

/// An encoded value in words. The encoding tells integers, texts and fractions apart by itself.
std::string value_text(joinery::bytes_view encoded) {
  using joinery::crdt::decode_value;
  if (auto text = decode_value<std::string>(encoded)) return *text;
  if (const auto number = decode_value<std::int64_t>(encoded)) return std::to_string(*number);
  if (const auto fraction = decode_value<double>(encoded)) return std::to_string(*fraction);
  if (auto said = decode_value<comment>(encoded))
    return std::get<0>(*said) + ": " + std::get<2>(*said);
  return "0x" + joinery::to_hex(encoded);
}

int list(context& c) {
  const auto entries = open_conflicts(c.db);
  for (const auto& each : entries) {
    c.out << printable(each.table) << " "
          << printable(each.key.size() > 24 ? each.key.substr(0, 8) : each.key) << " "
          << printable(each.field) << "\n";
    for (const auto& w : each.writes) {
      c.out << "  " << (w.shown ? "* " : "  ") << utc_time(w.at_ms) << "  by " << w.by.substr(0, 8)
            << "  " << printable(w.value, 60) << "\n";
    }
  }
  if (entries.empty()) {
    c.out << "no open conflicts\n";
  } else {
    c.out
        << entries.size() << (entries.size() == 1 ? " open conflict" : " open conflicts")
        << "; * is what the other commands show, or show first; to decide: conflicts resolve TABLE "
           "KEY FIELD VALUE\n";
  }
  return exit_done;
}

int resolve(context& c, const conflict_decision& a) {
  auto key = a.key;
  if (a.table == "workout_sessions") key = full_key<workout_session>(c.db, a.key, "workout");
  if (a.table == "social_posts") key = full_key<social_post>(c.db, a.key, "post");
  const auto entries = open_conflicts(c.db);
  const auto open = [&](const ledger_entry& e) {
    return e.table == a.table && e.key == key && e.field == a.field;
  };
  if (std::none_of(entries.begin(), entries.end(), open)) {
    throw input_error("there is no open conflict of " + printable(a.table) + " " +
                      printable(a.key) + " " + printable(a.field) + "; `conflicts` lists them");
  }
  // A write that saw both values is all that it takes.
  c.db.write([&](database::transaction& tx) {
        if (a.table == "user_profiles") {
          set_profile_field(tx.edit<user_profile>(key), a.field, a.value);
        } else if (a.table == "workout_sessions") {
          set_workout_field(tx.edit<workout_session>(key), a.field, a.value);
        } else if (a.table == "social_posts" && a.field == "text") {
          set_post_text(tx.edit<social_post>(key), a.value);
        } else if (a.table == "streak_schedules" && a.field == "goal_minutes") {
          set_streak_minutes(tx.edit<streak_schedule>(key), a.value);
        } else {
          throw input_error("no command writes " + a.table + " " + printable(a.field));
        }
      })
      .value();
  return exit_done;
}

}  // namespace

std::vector<ledger_entry> open_conflicts(database& db) {
  std::vector<ledger_entry> out;
  for (const auto& each : db.conflicts().value()) {
    ledger_entry entry{each.table, each.key, each.field, {}};
    for (const auto& step : each.path) entry.field += "[" + value_text(step) + "]";
    for (const auto& w : each.writes) {
      entry.writes.push_back({value_text(w.value), w.by.hex(),
                              static_cast<std::int64_t>(joinery::causal::hlc_ms(w.time)), w.shown});
    }
    out.push_back(std::move(entry));
  }
  return out;
}

request list_conflicts() { return {access::read, list}; }

request resolve_conflict(conflict_decision decision) {
  return {access::write, [d = std::move(decision)](context& c) { return resolve(c, d); }};
}

}  // namespace sport_tracker
