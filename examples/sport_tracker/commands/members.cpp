// members: who takes part in the space.
#include <memory>
#include <ostream>

#include "sport_tracker/commands/commands.hpp"

namespace sport_tracker {
namespace {

int list_members(context& c) {
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

int close_members(context& c) {
  decided(c.db.close_membership());
  c.out << "closed: only members take part from now on\n";
  return list_members(c);
}

struct member_arguments {
  std::string id, name;
};

int admit_member(context& c, const member_arguments& a) {
  const auto id = read_id(a.id);
  decided(c.db.admit(id, a.name));
  c.out << "admitted " << id.hex() << "\n";
  return exit_done;
}

int evict_member(context& c, const member_arguments& a) {
  const auto id = read_id(a.id);
  decided(c.db.evict(id));
  c.out << "evicted " << id.hex() << "\n";
  return exit_done;
}

}  // namespace

void add_members_commands(CLI::App& app, request& chosen) {
  auto* members = app.add_subcommand("members", "List who takes part in the space, or decide it");
  members->require_subcommand(0, 1);
  // The parent's callback comes after its subcommand's.
  members->callback([&chosen, members] {
    if (members->get_subcommands().empty()) chosen = {access::read, list_members};
  });
  members->add_subcommand("close", "From now on only members take part; those known now are")
      ->callback([&chosen] {
        chosen = {access::write, close_members};
      });
  const auto a = std::make_shared<member_arguments>();
  auto* admit = members->add_subcommand("admit", "Let another store take part, or name a member");
  admit->add_option("ID", a->id, "Its replica id, as its `status` shows it")->required();
  admit->add_option("NAME", a->name, "What to call it");
  admit->callback([&chosen, a] {
    chosen = {access::write, [args = *a](context& c) { return admit_member(c, args); }};
  });
  auto* evict = members->add_subcommand("evict", "Let a store take part no longer");
  evict->add_option("ID", a->id, "Its replica id")->required();
  evict->callback([&chosen, a] {
    chosen = {access::write, [args = *a](context& c) { return evict_member(c, args); }};
  });
}

}  // namespace sport_tracker
