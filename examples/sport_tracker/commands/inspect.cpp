// inspect: what the store holds, as any program sees it that has no schema.
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/context.hpp"
#include "sport_tracker/engine.hpp"

namespace sport_tracker {
namespace {

int print_store(context& c, const std::string& table, const std::string& key) {
  const auto done = inspect(c.db, c.out, table, key.empty() ? std::nullopt : std::optional{key});
  if (!done && done.error().code == joinery::errc::not_found)
    throw input_error(printable(done.error().text()));
  done.value();
  return exit_done;
}

}  // namespace

request inspect_store(std::string table, std::string key) {
  return {access::read, [table = std::move(table), key = std::move(key)](context& c) {
            return print_store(c, table, key);
          }};
}

}  // namespace sport_tracker
