// show, conflicts, status, digest, inspect, members, watch: the store itself, and who shares it.
#include <memory>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/grammar/grammar.hpp"

namespace sport_tracker {

void add_show_command(CLI::App& app, request& chosen) {
  const auto as_json = std::make_shared<bool>(false);
  auto* show = app.add_subcommand("show", "Show how much there is, or all of it");
  show->add_flag("--json", *as_json,
                 "Everything, as JSON: the same bytes on every device that is in sync");
  show->callback([&chosen, as_json] { chosen = *as_json ? show_json() : show_totals(); });
}

void add_conflict_commands(CLI::App& app, request& chosen) {
  const auto d = std::make_shared<conflict_decision>();
  auto* conflicts =
      add_noun(app, "conflicts", "List open conflicts, and decide them", chosen, list_conflicts);
  conflicts->add_subcommand("list", "List them; also without any word")->callback([&chosen] {
    chosen = list_conflicts();
  });
  auto* resolve = conflicts->add_subcommand("resolve", "Write the value that is to stand");
  resolve->add_option("TABLE", d->table, "As the list has it")->required();
  resolve->add_option("KEY", d->key, "As the list has it")->required();
  resolve->add_option("FIELD", d->field, "As the list has it")->required();
  resolve->add_option("VALUE", d->value, "The value")->required();
  resolve->callback([&chosen, d] { chosen = resolve_conflict(*d); });
}

void add_status_commands(CLI::App& app, request& chosen) {
  app.add_subcommand("status", "Show how the store is doing")->callback([&chosen] {
    chosen = show_status();
  });
  app.add_subcommand("digest", "Print the digest of the state alone: equal on devices in sync")
      ->callback([&chosen] { chosen = show_digest(); });
}

void add_inspect_command(CLI::App& app, request& chosen) {
  const auto table = std::make_shared<std::string>();
  const auto key = std::make_shared<std::string>();
  auto* inspect = app.add_subcommand(
      "inspect", "Show what the store holds, without the schema: an overview, or records as JSON");
  inspect->add_option("TABLE", *table, "Show this table's records");
  inspect->add_option("KEY", *key, "Show this record alone, deleted or not");
  inspect->callback([&chosen, table, key] { chosen = inspect_store(*table, *key); });
}

void add_members_commands(CLI::App& app, request& chosen) {
  auto* members = add_noun(app, "members", "List who takes part in the space, or decide it", chosen,
                           list_members);
  members->add_subcommand("close", "From now on only members take part; those known now are")
      ->callback([&chosen] { chosen = close_members(); });
  const auto id = std::make_shared<std::string>();
  const auto name = std::make_shared<std::string>();
  auto* admit = members->add_subcommand("admit", "Let another store take part, or name a member");
  admit->add_option("ID", *id, "Its replica id, as its `status` shows it")->required();
  admit->add_option("NAME", *name, "What to call it");
  admit->callback([&chosen, id, name] { chosen = admit_member(*id, *name); });
  auto* evict = members->add_subcommand("evict", "Let a store take part no longer");
  evict->add_option("ID", *id, "Its replica id")->required();
  evict->callback([&chosen, id] { chosen = evict_member(*id); });
}

void add_watch_command(CLI::App& app, request& chosen) {
  const auto table = std::make_shared<std::string>();
  auto* watch = app.add_subcommand(
      "watch",
      "Print a line for every change, made here or received; for the standard input of "
      "serve and sync --live");
  watch->add_option("TABLE", *table, "Of this table alone, such as workout_sessions");
  watch->callback([&chosen, table] { chosen = watch_table(*table); });
}

}  // namespace sport_tracker
