// members: who takes part in the space.
#include <ostream>

#include "sport_tracker/commands/commands.hpp"
#include "sport_tracker/context.hpp"

namespace sport_tracker {
namespace {

int list(context& c) {
  const auto all = c.db.members().value();
  if (all.empty()) {
    c.out << "open: whoever knows the space takes part; to decide who does: members close\n";
    return exit_done;
  }
  const auto self = c.db.status().self;
  for (const auto& m : all) {
    c.out << m.id.hex() << "  " << name_of(m.state) << "  "
          << (m.last_ms == 0 ? "wrote nothing yet"
                             : utc_time(static_cast<std::int64_t>(m.last_ms)));
    if (m.lag > 0) c.out << "  " << m.lag << " behind";
    if (!m.name.empty()) c.out << "  " << printable(m.name);
    c.out << (m.id == self ? "  (this store)\n" : "\n");
  }
  return exit_done;
}

joinery::replica_id read_id(const std::string& text) {
  const auto id = joinery::replica_id::from_hex(text);
  if (!id || id->is_none())
    throw input_error("\"" + printable(text) +
                      "\" is no replica id; `status` on that device shows its 32 digits");
  return *id;
}

/// What the membership's rules refuse is the wrong thing asked for.
void decided(const joinery::result<std::optional<joinery::causal::dot>>& done) {
  using joinery::errc;
  if (!done &&
      (done.error().code == errc::invalid_argument || done.error().code == errc::not_found))
    throw input_error(printable(done.error().text()));
  static_cast<void>(done.value());
}

int close(context& c) {
  decided(c.db.close_membership());
  c.out << "closed: only members take part from now on\n";
  return list(c);
}

int admit(context& c, const std::string& member, const std::string& name) {
  const auto id = read_id(member);
  decided(c.db.admit(id, name));
  c.out << "admitted " << id.hex() << "\n";
  return exit_done;
}

int evict(context& c, const std::string& member) {
  const auto id = read_id(member);
  decided(c.db.evict(id));
  c.out << "evicted " << id.hex() << "\n";
  return exit_done;
}

}  // namespace

request list_members() { return {access::read, list}; }

request close_members() { return {access::write, close}; }

request admit_member(std::string id, std::string name) {
  return {access::write,
          [id = std::move(id), name = std::move(name)](context& c) { return admit(c, id, name); }};
}

request evict_member(std::string id) {
  return {access::write, [id = std::move(id)](context& c) { return evict(c, id); }};
}

}  // namespace sport_tracker
