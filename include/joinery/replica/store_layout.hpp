// How a replica lies in its storage, and how it is brought back.
//
// Purpose: makes a new store, loads an existing one, and reads the log that the snapshot does not
// cover.
// Keys: `meta` has "format", "space", "replica", "snapshot", "floor" and "parts" (the epoch of
// generations; absent: 0); `roster` and `names` have fixed32 index → id or name.
// Invariants: whatever is loaded has passed its checksum; a format that is not known is refused.
// Thread-safety: none; called while a replica opens.
#pragma once

#include "joinery/history/floor.hpp"
#include "joinery/replica/held.hpp"
#include "joinery/replica/replica_state.hpp"
#include "joinery/replica/snapshotting.hpp"

namespace joinery::detail {

inline constexpr std::string_view store_format = "joinery store 3";
inline constexpr std::string_view parts_epoch = "parts";

/// Stores the roster entries and names that the storage has not got. `all_names_stored` once that
/// is committed.
template <history::storage_writer W>
void put_new_names(W& to, const replica_state& state) {
  for (auto r = state.stored_replicas; r < state.replicas.size(); ++r)
    history::put_sealed(to, history::area::roster,
                        history::index_key(static_cast<std::uint32_t>(r)),
                        state.replicas[static_cast<causal::replica_index>(r)].view());
  for (auto n = state.stored_names; n < state.names.size(); ++n)
    history::put_sealed(to, history::area::names, history::index_key(static_cast<std::uint32_t>(n)),
                        state.names[static_cast<state::name_index>(n)]);
}
inline void all_names_stored(replica_state& state) {
  const std::lock_guard lock(state.publication);
  state.stored_replicas = state.replicas.size();
  state.stored_names = state.names.size();
}

template <history::storage S>
result<> make_store(S& storage, const space_id& space, random_source& random,
                    replica_state& state) {
  if (space.is_none())
    return error{errc::invalid_argument, "a new store needs the id of its space", "",
                 "set replica_options::space, for example with space_named(\"my-app\")"};
  state.space = space;
  state.self = new_replica_id(random);
  state.index_of(state.self);
  auto done = storage.write([&](auto& writer) -> result<> {
    history::put_sealed(writer, history::area::meta, "format", store_format);
    history::put_sealed(writer, history::area::meta, "space", space.view());
    history::put_sealed(writer, history::area::meta, "replica", state.self.view());
    put_new_names(writer, state);
    return {};
  });
  if (done) all_names_stored(state);
  return done;
}

/// Walks an area whose keys are dense indexes, each value with its checksum taken off.
template <class View, class F>
result<> load_indexed(View& view, history::area where, F&& each) {
  result<> outcome;
  std::uint32_t expected = 0;
  view.scan(where, {}, [&](bytes_view key, bytes_view value) {
    auto content = history::open_sealed(where, key, value);
    if (!content)
      outcome = content.error();
    else if (history::index_of(key) != expected++ || !each(*content))
      outcome = error{errc::malformed, "the store's index of ids or names has a hole", "",
                      "restore the store from a backup"};
    return outcome.has_value();
  });
  return outcome;
}

inline error log_gap(std::uint64_t position) {
  return {errc::gap, "the log lacks a changeset", "log position " + std::to_string(position),
          "restore the store from a backup, or sync into a new one"};
}

template <class View>
result<bool> load_identity(View& view, const space_id& wanted, replica_state& state) {
  using history::area;
  auto format = history::get_sealed(view, area::meta, "format");
  if (!format) return format.error();
  if (!*format) {
    if (!view.last(area::meta) && !view.last(area::roster) && !view.last(area::log)) return false;
    return error{errc::malformed, "a store that does not say its format", "meta entry format",
                 "restore the store from a backup"};
  }
  if (**format != store_format)
    return error{errc::unsupported, "a store of format \"" + std::string{**format} + "\"", "",
                 "this program reads \"" + std::string{store_format} + "\": update it"};
  auto space = history::get_sealed(view, area::meta, "space");
  if (!space) return space.error();
  auto self = history::get_sealed(view, area::meta, "replica");
  if (!self) return self.error();
  const auto space_there = space_id::from_bytes(space->value_or(bytes_view{}));
  const auto self_there = replica_id::from_bytes(self->value_or(bytes_view{}));
  if (!space_there || !self_there)
    return error{errc::malformed, "the store does not say whose it is", "meta", "restore it"};
  if (!wanted.is_none() && wanted != *space_there)
    return error{errc::wrong_space, "the store holds space " + space_there->hex(),
                 "asked for " + wanted.hex(), "open it under its own name, or another directory"};
  state.space = *space_there;
  state.self = *self_there;
  return true;
}

/// The floor, and whether the log begins where it says.
template <class View>
result<history::log_floor> load_floor(View& view) {
  using history::area;
  history::log_floor floor;
  auto stored = history::get_sealed(view, area::meta, "floor");
  if (!stored) return stored.error();
  if (*stored) {
    auto there = history::read_floor(**stored);
    if (!there) return there;
    floor = std::move(*there);
  }
  std::optional<std::uint64_t> first;
  view.scan(area::log, history::position_key(0), [&](bytes_view key, bytes_view) {
    first = history::position_of(key);
    return false;
  });
  if (first && *first != floor.first()) return log_gap(floor.first());
  return floor;
}

/// Everything but the log. False when there is no replica in the storage.
template <history::storage S>
result<bool> load_store(S& storage, const space_id& wanted, replica_state& state,
                        held_changesets& held, snapshotting& snapshots, history::log_floor& floor) {
  using history::area;
  bool exists = false;
  auto done = storage.read([&](auto& view) -> result<> {
    auto identity = load_identity(view, wanted, state);
    if (!identity) return identity.error();
    exists = *identity;
    if (!exists) return {};
    auto ids = load_indexed(view, area::roster, [&](bytes_view id) {
      const auto replica = replica_id::from_bytes(id);
      if (replica) state.index_of(*replica);
      return replica.has_value();
    });
    if (!ids) return ids;
    auto names = load_indexed(view, area::names, [&](bytes_view name) {
      state.names.add(name);
      return true;
    });
    if (!names) return names;
    all_names_stored(state);
    auto epoch = history::get_sealed(view, area::meta, parts_epoch);
    if (!epoch) return epoch.error();
    if (*epoch)
      state.parts.epoch = static_cast<std::uint32_t>(byte_reader{**epoch}.varint_up_to(~0u));

    state.numbers.load(view);
    auto below = load_floor(view);
    if (!below) return below.error();
    floor = std::move(*below);
    auto stored = history::get_sealed(view, area::meta, "snapshot");
    if (!stored) return stored.error();
    if (*stored) {
      auto mark = history::read_mark(**stored);
      if (!mark) return mark.error();
      for (std::size_t r = 0; r < mark->origins.size() && r < state.origins.size(); ++r) {
        state.origins[r] = std::move(mark->origins[r]);
        state.seen.set(static_cast<causal::replica_index>(r), state.origins[r].seq);
      }
      state.clock.observe(mark->time);
      state.last_position = mark->position;
      state.logged_bytes = mark->logged_bytes;
      const auto end = std::max(history::log_end(view), floor.last_without_entry());
      if (mark->position > end) return log_gap(mark->position);
      snapshots.restored(mark->position);
    }

    result<> outcome;
    view.scan(area::held, {}, [&](bytes_view key, bytes_view value) {
      auto content = history::open_sealed(area::held, key, value);
      const auto name = held_changesets::name_of(key);
      if (!content)
        outcome = content.error();
      else if (name)
        held.add(*name, bytes{*content});
      return outcome.has_value();
    });
    return outcome;
  });
  if (!done) return done.error();
  return exists;
}

/// Reads what the log has beyond `state.last_position`: `each(changeset) -> result<>`, which moves
/// that on by one. Verifies each entry's place on the way.
template <history::storage S, class F>
result<> read_log_after(S& storage, const replica_state& state, F&& each) {
  constexpr std::size_t most_count = 256, most_bytes = codec::max_changeset;
  history::log_reader reader;  // what it keeps must not stay in memory
  for (;;) {
    // Copied out in batches: folding reads cold records, and reads do not nest.
    std::vector<bytes> batch;
    bool hole = false, more = false;
    const auto from = state.last_position + 1;
    auto read = storage.read([&](auto& view) -> result<> {
      batch.clear();
      more = false;
      std::size_t size = 0;
      return history::scan_log(view, from, reader, [&](std::uint64_t at, bytes_view data) {
        hole = at != from + batch.size();
        if (hole) return false;
        batch.emplace_back(data);
        more = batch.size() == most_count || (size += data.size()) >= most_bytes;
        return !more;
      });
    });
    for (auto& data : batch)
      if (result<> done = each(std::move(data)); !done) return done;
    if (!read) return read;  // what stood before the fault is in
    if (hole) return log_gap(state.last_position + 1);
    if (!more) return {};
  }
}

}  // namespace joinery::detail
