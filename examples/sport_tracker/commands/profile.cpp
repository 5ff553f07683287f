// profile: the athlete's own page.
#include <charconv>
#include <cmath>
#include <memory>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/commands/records.hpp"

namespace sport_tracker {
namespace {

struct profile_arguments {
  std::string field, value, verb;
  std::int64_t amount = 1;
};

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

int show_profile(context& c) {
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

int show_bests(context& c) {
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

/// `badge` and `goal`: sets of short texts.
void add_set_command(CLI::App& profile, const std::string& name, const std::string& about,
                     joinery::or_set<std::string> user_profile::*set, request& chosen,
                     const std::shared_ptr<profile_arguments>& a) {
  auto* command = profile.add_subcommand(name, about);
  command->add_option("VERB", a->verb, "add or remove")
      ->required()
      ->check(CLI::IsMember({"add", "remove"}));
  command->add_option("TEXT", a->value, "What to add or remove")->required();
  command->callback([&chosen, a, name, set] {
    const auto text = checked_text("the " + name, a->value);
    if (text.empty()) throw input_error("the " + name + " is empty");
    chosen = change([text, add = a->verb == "add", set](user_profile p) {
      if (add) {
        (p.*set).insert(text);
      } else {
        (p.*set).erase(text);
      }
    });
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

void add_profile_commands(CLI::App& app, request& chosen) {
  const auto a = std::make_shared<profile_arguments>();
  auto* profile = app.add_subcommand("profile", "Show and change the athlete's profile");
  profile->require_subcommand(0, 1);
  profile->callback([&chosen, profile] {
    if (profile->get_subcommands().empty()) chosen = {access::read, show_profile};
  });

  profile->add_subcommand("show", "Show it; also without any word")->callback([&chosen] {
    chosen = {access::read, show_profile};
  });
  profile->add_subcommand("bests", "Show the longest workouts, all told and for each sport")
      ->callback([&chosen] {
        chosen = {access::read, show_bests};
      });
  profile
      ->add_subcommand("delete",
                       "Delete it, with its XP, badges and goals; an edit made "
                       "elsewhere meanwhile brings it back")
      ->callback([&chosen] { chosen = delete_profile(); });

  auto* set = profile->add_subcommand("set", "Set a field");
  set->add_option("FIELD", a->field,
                  "name, bio, birth-date (1990-05-17), units (metric or imperial), weight (in "
                  "kilograms) or coach (on or off: whether a coach may look)")
      ->required();
  set->add_option("VALUE", a->value, "Its new value")->required();
  set->callback([&chosen, a] {
    chosen = change([field = a->field, value = a->value](user_profile p) {
      set_profile_field(p, field, value);
    });
  });

  add_set_command(*profile, "badge", "Add or remove a badge", &user_profile::badges, chosen, a);
  add_set_command(*profile, "goal", "Add or remove a goal", &user_profile::goals, chosen, a);

  auto* kudos = profile->add_subcommand("kudos", "Give kudos, or take them back");
  kudos->add_option("VERB", a->verb, "give or take")
      ->required()
      ->check(CLI::IsMember({"give", "take"}));
  kudos->add_option("AMOUNT", a->amount, "How many; one if not said")
      ->check(CLI::Range(1, 1'000'000));
  kudos->callback([&chosen, a] {
    chosen = change([amount = a->verb == "give" ? a->amount : -a->amount](user_profile p) {
      p.kudos += amount;
    });
  });
}

}  // namespace sport_tracker
