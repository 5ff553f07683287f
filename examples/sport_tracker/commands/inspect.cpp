// inspect: what the store holds, as any program sees it that has no schema.
#include <memory>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/engine.hpp"

namespace sport_tracker {
namespace {

struct inspect_arguments {
  std::string table, key;
};

int inspect_store(context& c, const inspect_arguments& a) {
  const auto done =
      inspect(c.db, c.out, a.table, a.key.empty() ? std::nullopt : std::optional{a.key});
  if (!done && done.error().code == joinery::errc::not_found)
    throw input_error(printable(done.error().text()));
  done.value();
  return exit_done;
}

}  // namespace

void add_inspect_command(CLI::App& app, request& chosen) {
  const auto a = std::make_shared<inspect_arguments>();
  auto* inspect = app.add_subcommand(
      "inspect", "Show what the store holds, without the schema: an overview, or records as JSON");
  inspect->add_option("TABLE", a->table, "Show this table's records");
  inspect->add_option("KEY", a->key, "Show this record alone, deleted or not");
  inspect->callback([&chosen, a] {
    chosen = {access::read, [args = *a](context& c) { return inspect_store(c, args); }};
  });
}

}  // namespace sport_tracker
