// part_sweep: erases the parts that no record names any more.
//
// Purpose: deleting a large field, making its record anew or cleaning it touches the record alone;
// what its parts take on the device comes back here, a little at a time.
// Invariants: a part goes only when the stored record, as well as the one in memory, does without
// its generation. Finding out costs one look for each generation, not for each part. After a crash
// everything is looked at again.
// Thread-safety: none; guarded by its owner.
#pragma once

#include "joinery/history/snapshot.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

class part_sweep {
 public:
  static constexpr std::size_t step_groups = 64;
  static constexpr std::size_t step_parts = 256;

  /// Looks at a few generations, or erases some of the parts of one.
  template <history::storage S, state::cold_records C>
  result<> step(S& storage, replica_state& state, C& cold) {
    if (state.joining) {  // what stands in the storage is still to be joined, parts included
      under_way_ = false;
      state.parts.sweep_due = true;
      return {};
    }
    if (!under_way_ && !state.parts.sweep_due) return {};
    if (!std::exchange(under_way_, true)) {
      state.parts.sweep_due = again_ = false;
      next_ = history::index_key(state::parts_of(0));
    }
    for (std::size_t n = 0; n < step_groups; ++n) {
      auto found = next_part(storage);
      if (!found) return found.error();
      if (found->empty()) {
        under_way_ = false;
        state.parts.sweep_due = state.parts.sweep_due || again_;
        return {};
      }
      const auto parts = history::index_of(*found);
      const auto name = state::read_part_key(parts, history::after_index(*found));
      if (!name) {
        next_ = *found + '\0';
        continue;
      }
      auto group = name->first;
      if (!is_over(state, cold, group)) {
        ++group.made.made;
        next_ = history::record_key(parts, state::parts_prefix(group));
        continue;
      }
      next_ = std::move(*found);
      return erase_some(storage, history::record_key(parts, state::parts_prefix(group)));
    }
    return {};
  }

 private:
  template <history::storage S>
  result<bytes> next_part(S& storage) {
    bytes found;
    auto read = storage.read([&](auto& view) -> result<> {
      view.scan(history::area::records, next_, [&](bytes_view key, bytes_view) {
        found.assign(key);
        return false;
      });
      return {};
    });
    if (!read) return read.error();
    return found;
  }

  /// Whether nothing stored and nothing that is to be stored belongs to the generation.
  template <state::cold_records C>
  bool is_over(replica_state& state, C& cold, const state::part_group& of) {
    const auto slot = state.records.load(cold, of.table, of.key);
    if (!slot) return false;
    const auto value = crdt::read_cell((*slot)->packed).value;
    if (state::find_field(value, of.field).parts == of.made) return false;
    bool waits = (*slot)->dirty();
    const auto prefix = state::parts_prefix(of);
    state.records.for_each_dirty(state::parts_of(of.table), prefix, [&](const auto& part) {
      const auto name = part.name();
      waits = waits || (name.table == state::parts_of(of.table) && name.key.starts_with(prefix));
      return false;
    });
    again_ = again_ || waits;
    return !waits;
  }

  template <history::storage S>
  static result<> erase_some(S& storage, const bytes& prefix) {
    return storage.write([&](auto& writer) -> result<> {
      std::vector<bytes> keys;
      writer.scan(history::area::records, prefix, [&](bytes_view key, bytes_view) {
        if (!key.starts_with(prefix) || keys.size() == step_parts) return false;
        keys.emplace_back(key);
        return true;
      });
      for (const auto& key : keys) writer.erase(history::area::records, key);
      return {};
    });
  }

  bool under_way_ = false;
  bool again_ = false;  // something could not be told yet
  bytes next_;
};

}  // namespace joinery::detail
