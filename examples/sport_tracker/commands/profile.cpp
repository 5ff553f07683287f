// profile: the athlete's own page.
#include <array>
#include <charconv>
#include <cstdio>
#include <functional>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/records.hpp"

namespace sport_tracker {
namespace {

double weight_from(const std::string& value) {
  double kg = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), kg);
  if (fault != std::errc{} || end != value.data() + value.size() || !(kg >= 0 && kg <= 1000))
    throw input_error("a weight is a number of kilograms, not " + printable(value));
  return kg;
}

bool switch_from(const std::string& value) {
  if (value != "on" && value != "off")
    throw input_error("this is either on or off, not " + printable(value));
  return value == "on";
}

std::string joined(const joinery::or_set<std::string>& set) {
  std::string out;
  set.for_each(
      [&](const std::string& each) { out += (out.empty() ? "" : ", ") + printable(each); });
  return out;
}

int show(context& c) {
  const auto p = c.db.find<user_profile>(c.profile);
  if (!p) {
    c.out << "There is no profile " << printable(c.profile) << " yet.\n";
    return exit_done;
  }
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty())
      c.out << name << std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') << value << "\n";
  };
  line("profile", printable(p.key()));
  line("name", printable(*p->display_name));
  line("bio", printable(*p->bio));
  line("born", printable(*p->birth_date));
  line("units", printable(*p->units));
  if (p->weight_kg.is_set()) {
    std::array<char, 40> weight{};
    std::snprintf(weight.data(), weight.size(), "%.1f kg", *p->weight_kg);
    line("weight", weight.data());
  }
  line("coach", *p->shares_with_coach ? "may look" : "");
  line("badges", joined(p->badges));
  line("goals", joined(p->goals));
  line("XP", std::to_string(*p->xp));
  line("kudos", std::to_string(*p->kudos));
  return exit_done;
}

int list_bests(context& c) {
  const auto p = c.db.find<user_profile>(c.profile);
  if (!p) throw input_error("there is no profile " + printable(c.profile));
  const bool imperial = *p->units == "imperial";
  if (const auto metres = p->longest_distance_m.get())
    c.out << "longest way   " << distance_text(*metres, imperial) << "\n";
  if (const auto seconds = p->longest_duration_s.get())
    c.out << "longest time  " << duration_text(*seconds) << "\n";
  for (const auto& sport : p->best_distance_m.keys()) {
    const auto name = printable(sport);
    if (const auto metres = p->best_distance_m[sport].get())
      c.out << name << std::string(name.size() < 14 ? 14 - name.size() : 1, ' ')
            << distance_text(*metres, imperial) << "\n";
  }
  return exit_done;
}

request change(std::function<void(user_profile)> how) {
  return {access::write, [how = std::move(how)](context& c) {
            c.db.write([&](database::transaction& tx) {
                  how(tx.create<user_profile>(checked_text("the profile's key", c.profile)));
                })
                .value();
            return exit_done;
          }};
}

/// An element comes or goes of a set of short texts; `noun` names it in messages.
request change_set(const std::string& noun, joinery::or_set<std::string> user_profile::*set,
                   set_change how, std::string element) {
  const auto text = checked_text("the " + noun, std::move(element));
  if (text.empty()) throw input_error("the " + noun + " is empty");
  return change([set, how, text](user_profile p) {
    if (how == set_change::add) {
      (p.*set).insert(text);
    } else {
      (p.*set).erase(text);
    }
  });
}

}  // namespace

std::uint32_t number_from(const std::string& what, const std::string& text, std::uint32_t least,
                          std::uint32_t most) {
  std::uint32_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    throw input_error(what + " is a number from " + std::to_string(least) + " to " +
                      std::to_string(most) + ", not " + printable(text));
  }
  return number;
}

bool is_imperial(context& c) {
  const auto p = c.db.find<user_profile>(c.profile);
  return p && *p->units == "imperial";
}

void set_profile_field(user_profile p, const std::string& field, const std::string& value) {
  if (field == "name" || field == "display_name") {
    p.display_name = checked_text("the name", value);
  } else if (field == "bio") {
    p.bio = checked_text("the bio", value, true);
  } else if (field == "birth-date" || field == "birth_date") {
    if (!value.empty() && !days_of_date(value))
      throw input_error("a date is written like 1990-05-17, not " + printable(value));
    p.birth_date = value;
  } else if (field == "units") {
    if (value != "metric" && value != "imperial")
      throw input_error("units are metric or imperial, not " + printable(value));
    p.units = value;
  } else if (field == "weight" || field == "weight_kg") {
    p.weight_kg = weight_from(value);
  } else if (field == "coach") {
    p.shares_with_coach = switch_from(value);
  } else {
    throw input_error("a profile has no field " + printable(field) +
                      " to set; there are name, bio, birth-date, units, weight and coach");
  }
}

request show_profile() { return {access::read, show}; }

request show_bests() { return {access::read, list_bests}; }

request delete_profile() {
  return {access::write, [](context& c) {
            c.db.write([&](database::transaction& tx) {
                  if (!tx.erase<user_profile>(c.profile))
                    throw input_error("there is no profile " + printable(c.profile));
                })
                .value();
            return exit_done;
          }};
}

request set_profile(std::string field, std::string value) {
  return change([field = std::move(field), value = std::move(value)](user_profile p) {
    set_profile_field(p, field, value);
  });
}

request change_badges(set_change how, std::string badge) {
  return change_set("badge", &user_profile::badges, how, std::move(badge));
}

request change_goals(set_change how, std::string goal) {
  return change_set("goal", &user_profile::goals, how, std::move(goal));
}

request give_kudos(std::int64_t amount) {
  return change([amount](user_profile p) { p.kudos += amount; });
}

}  // namespace sport_tracker
