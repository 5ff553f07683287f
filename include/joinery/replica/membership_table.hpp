// The system tables of membership: how they are read and written.
//
// Purpose: who is in a space stands in ordinary records, "joinery.members" by replica id and one of
// "joinery.space"; so admission and eviction are changesets, and merge, travel and are digested
// like everything else.
// Invariants: admissions and evictions are only ever added; records of another shape are ignored.
// Thread-safety: pure functions.
#pragma once

#include "joinery/codec/changeset.hpp"
#include "joinery/crdt/flag.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/or_set.hpp"
#include "joinery/state/record.hpp"

namespace joinery::detail {

inline constexpr std::string_view members_table = "joinery.members";
inline constexpr std::string_view space_table = "joinery.space";
inline constexpr std::string_view membership_key = "membership";
inline constexpr std::string_view closed_field = "closed";
inline constexpr std::string_view founder_field = "founder";
inline constexpr std::string_view name_field = "name";
inline constexpr std::string_view admitted_by_field = "admitted_by";
inline constexpr std::string_view evicted_by_field = "evicted_by";

using id_set = crdt::or_set<replica_id>;

/// One replica's say on another, and the changeset that says it.
struct vote {
  replica_id by;
  causal::dot at;
};

/// One record of "joinery.members".
struct member_record {
  replica_id id;
  std::string name;
  bool founder = false;  ///< named by who closed the membership
  std::vector<vote> admissions;
  std::vector<vote> evictions;
};

inline bytes_view system_field(bytes_view value, std::string_view field, crdt::shape type,
                               const state::name_table& names) {
  const auto name = names.find(field);
  return name ? state::field_state(value, {*name, type}) : bytes_view{};
}

inline std::vector<vote> read_votes(bytes_view packed) {
  std::vector<vote> out;
  crdt::detail::for_each_entry(packed, [&](crdt::detail::entry e) {
    const auto by = crdt::decode_value<replica_id>(e.key);
    if (!by) return;
    for (const auto at : crdt::detail::read_dots(e.payload)) out.push_back({*by, at});
  });
  return out;
}

/// Nothing when there is no living record of a replica.
inline std::optional<member_record> read_member(bytes_view key, bytes_view packed,
                                                const state::name_table& names,
                                                const causal::roster& replicas) {
  const auto id = replica_id::from_bytes(key);
  const auto cell = crdt::read_cell(packed);
  if (!id || id->is_none() || !cell.alive()) return std::nullopt;
  const auto field = [&](std::string_view name, crdt::shape type) {
    return system_field(cell.value, name, type, names);
  };
  member_record m;
  m.id = *id;
  const crdt::lww<std::string, bytes_view> name{field(name_field, crdt::kind::lww)};
  m.name = name.get(replicas).value_or("");
  m.founder = !field(founder_field, crdt::kind::flag).empty();
  m.admissions = read_votes(field(admitted_by_field, crdt::kind::or_set));
  m.evictions = read_votes(field(evicted_by_field, crdt::kind::or_set));
  return m;
}

/// The changesets that closed the membership, from the record under `membership_key`; none while it
/// is open.
inline std::vector<causal::dot> read_closings(bytes_view packed, const state::name_table& names) {
  const auto cell = crdt::read_cell(packed);
  if (!cell.alive()) return {};
  return crdt::detail::read_dots(system_field(cell.value, closed_field, crdt::kind::flag, names));
}

// --- Writing. `packed` is the record as it is now. ---

class system_record {
 public:
  system_record(codec::changeset_writer& to, std::string_view table, bytes key, bytes_view packed)
      : to_(to),
        table_(table),
        key_(std::move(key)),
        life_(crdt::incarnation_to_create(crdt::read_cell(packed))) {}

  system_record& enable(std::string_view field) {
    return update(field, crdt::kind::flag, crdt::flag::set(true));
  }
  system_record& insert(std::string_view field, const replica_id& id) {
    return update(field, crdt::kind::or_set, id_set::insert(id));
  }
  system_record& set(std::string_view field, const std::string& text) {
    return update(field, crdt::kind::lww, crdt::lww<std::string>::set(text));
  }

 private:
  system_record& update(std::string_view field, crdt::shape type, bytes delta) {
    to_.add(table_, key_, {crdt::cell_action::update, life_, field, type, std::move(delta)});
    return *this;
  }

  codec::changeset_writer& to_;
  std::string_view table_;
  bytes key_;
  std::uint64_t life_;
};

}  // namespace joinery::detail
