// portable_record: a record as it leaves its replica, and as it comes in.
//
// Purpose: what a replica hands to another as a state, not as changesets: fields under their names,
// replica indexes over a list of ids that both know. It is the canonical form with the values of
// dead cells left in, since the receiver goes on merging.
// Format: docs/format.md: a cell whose value is (block name, varint shape, block state)*, ascending
// by (name, shape), no state empty.
// Invariants: what `valid_portable` lets through, `local_record` turns into a well-formed record;
// no local index leaves the replica.
// Thread-safety: pure functions, apart from the table that names are added to.
#pragma once

#include "joinery/codec/limits.hpp"
#include "joinery/state/record.hpp"

namespace joinery::state {

/// One field of a portable record.
struct portable_field {
  std::string_view name;
  crdt::shape type;
  bytes_view state;
};

inline portable_field read_portable_field(byte_reader& in) {
  portable_field f;
  f.name = in.block();
  f.type = crdt::shape::from_code(static_cast<std::uint32_t>(in.varint_up_to(0xFFFFFFFF)));
  f.state = in.block();
  return f;
}

/// `map` gives each replica index its place in the list of ids that goes with the record.
inline bytes portable_record(bytes_view record, const crdt::reindexing& map,
                             const name_table& names) {
  auto whole = map;
  whole.canonical = false;
  return canonical_record(record, whole, names);
}

/// Whether `portable` is a portable record over a list of `replicas` ids.
inline bool valid_portable(bytes_view portable, causal::replica_index replicas) {
  if (crdt::read_cell(portable).incarnation > codec::max_incarnation) return false;
  return crdt::detail::valid_cell(portable, replicas, [&](bytes_view value) {
    byte_reader in{value};
    portable_field last;
    while (!in.at_end()) {
      const auto f = read_portable_field(in);
      const bool ascends = std::tie(last.name, last.type) < std::tie(f.name, f.type);
      if (!in.ok() || !ascends || f.name.empty() || f.name.size() > codec::max_name ||
          !f.type.valid() || f.state.empty() || !crdt::valid(f.type, f.state, replicas))
        return false;
      last = f;
    }
    return in.ok();
  });
}

/// The record under this replica's own indexes: `map` gives each place in the list of ids its index
/// here. New field names are added to `names`. Precondition: `valid_portable`.
inline bytes local_record(bytes_view portable, const crdt::reindexing& map, name_table& names) {
  auto whole = map;
  whole.canonical = false;
  return crdt::detail::reindex_cell(portable, whole, [&](bytes_view value) {
    std::vector<std::pair<field_id, bytes_view>> fields;
    for (byte_reader in{value}; !in.at_end();) {
      const auto f = read_portable_field(in);
      if (in.ok()) fields.push_back({{names.add(f.name), f.type}, f.state});
    }
    std::sort(fields.begin(), fields.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    bytes out;
    byte_writer w{out};
    for (const auto& [id, state] : fields) write_field(w, id, crdt::reindex(id.type, state, whole));
    return out;
  });
}

}  // namespace joinery::state
