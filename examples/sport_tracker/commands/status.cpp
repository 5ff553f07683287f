// status and digest: how the store is doing, and whether two of them are the same.
#include <ostream>

#include "sport_tracker/commands/commands.hpp"

namespace sport_tracker {
namespace {

int show_status(context& c) {
  const auto s = c.db.status();
  const auto disk = c.db.endpoint().storage().status().value();
  const auto line = [&](std::string_view name, const auto& value) {
    c.out << name << std::string(name.size() < 18 ? 18 - name.size() : 1, ' ') << value << "\n";
  };
  line("space", s.space.hex());
  line("replica", s.self.hex());
  line("changesets", s.changesets);
  line("durable", s.durable);
  line("in the snapshot", s.snapshot);
  line("replicas", s.replicas);
  line("held", s.held);
  line("bytes on disk", disk.file_bytes);
  line("conflicts", c.db.conflicts().value().size());
  line("digest", c.db.digest().value().hex());
  if (s.last_snapshot_error) line("snapshot error", printable(s.last_snapshot_error->text()));
  return exit_done;
}

int show_digest(context& c) {
  c.out << c.db.digest().value().hex() << "\n";
  return exit_done;
}

}  // namespace

void add_status_commands(CLI::App& app, request& chosen) {
  app.add_subcommand("status", "Show how the store is doing")->callback([&chosen] {
    chosen = {access::read, show_status};
  });
  app.add_subcommand("digest", "Print the digest of the state alone: equal on devices in sync")
      ->callback([&chosen] {
        chosen = {access::read, show_digest};
      });
}

}  // namespace sport_tracker
