// watch: a line for every change, while the network runs.
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/context.hpp"

namespace sport_tracker {
namespace {

std::string changer(const joinery::change_origin& from) {
  if (from.local) return "here";
  return "by replica " + from.replica.hex().substr(0, 8);
}

void print_changes(std::ostream& out, const joinery::state::change_batch& batch) {
  if (batch.from.from_snapshot) {
    out << "changed: a snapshot was merged, anything may have changed" << std::endl;
    return;
  }
  for (const auto& r : batch.records) {
    if (joinery::schema::is_system_table(r.table)) continue;
    out << "changed: " << printable(r.table) << " " << printable(r.key, 40) << " "
        << name_of(r.kind) << " " << changer(batch.from) << ", changeset " << batch.from.seq
        << std::endl;
  }
}

int watch(context& c, const std::string& table) {
  if (!c.stays)
    throw input_error("watch is typed into a running serve or sync --live: it tells what changes");
  bool known = table.empty();
  for (const auto& t : sport_schema::describe().tables) known = known || t.name == table;
  if (!known) throw input_error("there is no table " + printable(table));
  c.watching.push_back(c.db.watch(
      {table, {}, {}}, [&out = c.out](const auto& batch) { print_changes(out, batch); }));
  c.out << "watching " << (table.empty() ? "everything" : table) << std::endl;
  return exit_done;
}

}  // namespace

request watch_table(std::string table) {
  return {access::read, [table = std::move(table)](context& c) { return watch(c, table); }};
}

}  // namespace sport_tracker
