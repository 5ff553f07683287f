// status and digest: how the store is doing, and whether two of them are the same.
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/context.hpp"
#include "sport_tracker/engine.hpp"

namespace sport_tracker {
namespace {

/// One figure of the status, under its name.
template <class T>
void line(std::ostream& out, std::string_view name, const T& value) {
  out << name << std::string(name.size() < 18 ? 18 - name.size() : 1, ' ') << value << "\n";
}

/// What is wrong, in plain words; nothing when nothing is.
void show_faults(std::ostream& out, const joinery::replica_status& s,
                 const joinery::store::lmdb_status& disk) {
  const auto at = [](std::uint64_t ms) { return utc_time(static_cast<std::int64_t>(ms)); };
  if (s.blocked) {
    line(out, "writing", "paused since " + at(s.blocked->since_ms) + ": the device is full");
    if (s.blocked->free_bytes) line(out, "bytes free", *s.blocked->free_bytes);
  }
  if (s.poisoned) line(out, "writing", "stopped: the device failed; open the store again");
  if (s.stopped_at)
    line(out, "writing",
         "stopped: changeset " + std::to_string(*s.stopped_at) +
             " is damaged; sync with a device that has it");
  if (s.damaged > 0) line(out, "damaged entries", s.damaged);
  for (const auto& d : s.damaged_entries) line(out, "  since " + at(d.when_ms), printable(d.place));
  if (s.repaired > 0) line(out, "mended just now", s.repaired);
  if (!disk.network_file_system.empty())
    line(out, "warning", "the store is on a network drive: " + printable(disk.network_file_system));
  for (const auto& f : s.forks)
    line(out, "forked",
         f.origin.hex() + " at changeset " + std::to_string(f.seq) +
             ": two histories of one store; the part they share goes on");
  if (s.last_snapshot_error) line(out, "snapshot error", printable(s.last_snapshot_error->text()));
  if (s.last_retention_error) line(out, "log error", printable(s.last_retention_error->text()));
}

void show_membership(std::ostream& out, const joinery::membership_status& m) {
  if (!m.closed) return;
  line(out, "members", m.members);
  line(out, "this store is", name_of(m.self));
  line(out, "known to all", m.stable_position);
  for (const auto& id : m.waiting_for) line(out, "waiting for", id.hex());
}

int print_status(context& c) {
  // First what reads everything: it finds what is wrong.
  const auto digest = c.db.digest();
  const auto conflicts = c.db.conflicts();
  const auto s = c.db.status();
  const auto disk = disk_status(c.db).value();
  line(c.out, "space", s.space.hex());
  line(c.out, "replica", s.self.hex());
  line(c.out, "changesets", s.changesets);
  line(c.out, "durable", s.durable);
  line(c.out, "in the snapshot", s.snapshot);
  line(c.out, "log floor", s.log_floor);
  line(c.out, "bytes of log", s.log_bytes);
  line(c.out, "replicas", s.replicas);
  for (const auto& id : s.former_ids) line(c.out, "once wrote as", id.hex());
  line(c.out, "held", s.held);
  show_membership(c.out, s.membership);
  line(c.out, "bytes on disk", disk.file_bytes);
  if (conflicts) line(c.out, "conflicts", conflicts->size());
  line(c.out, "digest", digest ? digest->hex() : "none: " + printable(digest.error().text()));
  show_faults(c.out, s, disk);
  return exit_done;
}

int print_digest(context& c) {
  c.out << c.db.digest().value().hex() << "\n";
  return exit_done;
}

}  // namespace

request show_status() { return {access::read, print_status}; }

request show_digest() { return {access::read, print_digest}; }

}  // namespace sport_tracker
