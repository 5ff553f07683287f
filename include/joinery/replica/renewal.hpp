// renewal: a replica takes a new id, and what only it has goes on under that id.
//
// Purpose: a store that was copied, cloned, or put back from an older image must not write under
// its old id any more. Its changesets up to the fork keep their dots; those after it are restamped:
// the same operations and stamps, as 1, 2, 3 … of the new replica, at the same places of the log.
// So every change counts once, whatever became of the other copy.
// Invariants: one transaction; before it nothing has changed, after it the store is that of the new
// replica. A restamped changeset has seen what the old one had. Records that it touched are worked
// out anew from the log, and all others are left alone: none of them holds a dot after the fork.
// Where the log does not reach back to the beginning, they count as missing until a peer, which has
// the restamped changesets by then, gives them.
// Thread-safety: none; called by the replica that is renewed.
#pragma once

#include <set>

#include "joinery/replica/damage.hpp"
#include "joinery/replica/membership_table.hpp"
#include "joinery/replica/own_marks.hpp"
#include "joinery/replica/store_layout.hpp"

namespace joinery::detail {

struct renewal {
  struct entry {
    std::uint64_t seq = 0;  ///< under the old id
    history::log_place place;
    bytes data;
  };
  replica_id old_id;
  replica_id fresh;
  causal::replica_index old_index = 0;
  std::uint64_t common = 0;                         ///< the last seq that stays with the old id
  history::log_floor floor;                         ///< of the log
  history::origin_state old;                        ///< what the old id is to be from now on
  history::origin_state written;                    ///< and the new one
  std::vector<entry> entries;                       ///< what is restamped, in order
  std::set<std::pair<std::string, bytes>> touched;  ///< table and key of each record in them

  /// Whether the log tells all that there ever was.
  [[nodiscard]] bool from_the_beginning() const {
    return floor.position == 0 && floor.joins.empty();
  }
};

/// The same changes as of `fresh`, whose first changeset has seen `seen` and whose later ones what
/// the old ones say.
inline bytes restamped(const codec::changeset& c, const replica_id& fresh, std::uint64_t seq,
                       const std::vector<codec::seen_increase>& seen) {
  codec::changeset_writer w;
  for (const auto& op : c.ops) {
    const auto& where = c.records[op.record];
    const bool update = crdt::carries_delta(op.action);
    w.add(c.names[where.table], where.key,
          {op.action, op.incarnation, update ? c.names[op.field] : std::string_view{}, op.type,
           bytes{op.delta}});
  }
  return w.encode(fresh, seq, c.time, seen);
}

/// Everything that the first changeset of the new replica has seen: the old one up to the fork, and
/// of all others what its last version was before the first entry, and the increases in that.
inline std::vector<codec::seen_increase> whole_version(const replica_state& state, const renewal& r,
                                                       causal::version seen) {
  seen.set(r.old_index, r.common);
  std::vector<codec::seen_increase> out;
  for (causal::replica_index i = 0; i < seen.size(); ++i)
    if (seen.at(i) > 0) out.push_back({state.replicas[i], seen.at(i)});
  std::sort(out.begin(), out.end(),
            [](const codec::seen_increase& a, const codec::seen_increase& b) {
              return a.replica < b.replica;
            });
  return out;
}

inline error too_far_back(const renewal& r) {
  return {errc::gap, "the log no longer reaches back far enough to renew this replica",
          "replica " + r.old_id.hex() + ", after changeset " + std::to_string(r.common),
          "make a new store and sync into it; what only this one has can be read here"};
}

/// Reads the changesets after the fork, and the one at it. Errors: gap, when the log no longer
/// reaches back to them.
template <history::storage S>
result<> read_suffix(S& storage, const replica_state& state, renewal& r) {
  const auto last = state.seen.at(r.old_index);
  if (r.common >= last) return {};
  return storage.read([&](auto& view) -> result<> {
    r.entries.clear();
    r.old = {r.common, 1, history::chain_start(state.space, r.old_id), {}};
    if (r.common > 0) {
      auto place = history::find_changeset(view, {r.old_index, r.common}, state.log);
      if (!place) return place.error();
      if (!*place) return too_far_back(r);
      r.old.chain = (*place)->chain;
      auto data = history::changeset_at(view, (*place)->position, state.log);
      if (!data) return data.error();
      // Its stamp bounds those that follow it: where it is not known any more, nothing does.
      if (*data) r.old.time = codec::peek_time(**data).value_or(1);
    }
    for (auto seq = r.common + 1; seq <= last; ++seq) {
      auto position = history::find_position(view, {r.old_index, seq});
      if (!position) return position.error();
      if (!*position) return too_far_back(r);
      auto data = history::changeset_at(view, **position, state.log);
      if (!data) return data.error();
      if (!*data) return too_far_back(r);
      r.entries.push_back({seq, {**position, {}}, std::move(**data)});
    }
    return {};
  });
}

/// Restamps what was read.
inline result<> restamp(const replica_state& state, renewal& r) {
  std::vector<std::vector<codec::seen_increase>> seen;
  causal::version before = state.origins[r.old_index].seen;
  for (const auto& e : r.entries) {
    auto c = codec::decode_changeset(e.data);
    if (!c) return c.error();
    seen.push_back(c->seen);
  }
  for (std::size_t n = 1; n < seen.size(); ++n)
    for (const auto& s : seen[n]) {
      const auto i = *state.replicas.find(s.replica);
      before.set(i, before.at(i) - s.increase);
    }
  r.written = state.origins[r.old_index];
  r.written.seen.set(r.old_index, r.common);
  if (!seen.empty()) {
    r.old.seen = before;
    r.old.seen.set(r.old_index, r.common);
    for (const auto& s : seen[0]) {
      const auto i = *state.replicas.find(s.replica);
      r.old.seen.set(i, before.at(i) - s.increase);
    }
    seen[0] = whole_version(state, r, before);
  }
  auto chain = history::chain_start(state.space, r.fresh);
  for (std::size_t n = 0; n < r.entries.size(); ++n) {
    auto& e = r.entries[n];
    auto c = codec::decode_changeset(e.data);
    if (!c) return c.error();
    for (const auto& where : c->records)
      r.touched.emplace(std::string{c->names[where.table]}, bytes{where.key});
    auto fresh = restamped(*c, r.fresh, n + 1, seen[n]);
    if (fresh.size() > codec::max_changeset)
      return error{errc::too_large, "a changeset that is too large under a new replica id", "", ""};
    e.data = std::move(fresh);
    e.place.chain = chain = history::chain_next(chain, e.data);
  }
  r.written.seq = r.entries.size();
  r.written.chain = chain;
  return {};
}

/// The records that were touched go, and with them the snapshot's mark: the log is replayed from
/// its beginning, over the records that are there.
template <history::storage_writer W>
void undo_by_log(W& writer, const replica_state& state, const renewal& r) {
  for (const auto& [table, key] : r.touched)
    if (const auto index = state.names.find(table))
      writer.erase(history::area::records, history::record_key(*index, key));
  writer.erase(history::area::meta, "snapshot");
}

/// The records that were touched are missing, and the mark says what is there without them.
template <history::storage_writer W>
void undo_by_peers(W& writer, const replica_state& state, const renewal& r,
                   causal::replica_index fresh, std::uint64_t now_ms) {
  for (const auto& [table, key] : r.touched)
    if (const auto index = state.names.find(table))
      damage::set_aside(writer, history::area::records, history::record_key(*index, key), now_ms);
  history::snapshot_mark mark{state.last_position, state.clock.highest(), state.origins,
                              state.logged_bytes};
  mark.origins[r.old_index] = r.old;
  mark.origins[fresh] = r.written;
  mark.origins[fresh].seen.set(fresh, r.written.seq);
  history::put_sealed(writer, history::area::meta, "snapshot", history::write_mark(mark));
}

/// Puts what was restamped in its places, and the dots under the new id.
template <history::storage_writer W>
result<> replace_entries(W& writer, const replica_state& state, const renewal& r,
                         causal::replica_index fresh) {
  // Each run of dots parts at the fork.
  for (std::size_t n = 0; n < r.entries.size();) {
    auto found = history::find_run(writer, {r.old_index, r.entries[n].seq});
    if (!found) return found.error();
    if (!*found) return too_far_back(r);
    const auto run = std::move(**found);
    writer.erase(history::area::dots, history::dot_key(run.first));
    if (run.first.seq <= r.common)
      history::put_run(writer, run.beginning(r.common - run.first.seq + 1, r.old.chain));
    auto renewed = history::dot_run::begin({fresh, r.entries[n].seq - r.common},
                                           r.entries[n].place.position, r.entries[n].place.chain);
    while (++n < r.entries.size() && r.entries[n].seq <= run.last())
      renewed.extend(r.entries[n].place.position, r.entries[n].place.chain);
    history::put_run(writer, renewed);
  }
  // Each entry of the log is written once, whatever it has of them.
  for (std::size_t n = 0; n < r.entries.size();) {
    const auto begin = n;
    const auto entry = history::entry_before(writer, r.entries[n].place.position);
    if (!entry) return too_far_back(r);
    std::vector<bytes> all;
    auto read = state.log.visit(writer, entry->first, entry->second, entry->first,
                                [&](std::uint64_t position, bytes_view data) {
                                  const bool here = n < r.entries.size() &&
                                                    r.entries[n].place.position == position;
                                  all.emplace_back(here ? bytes_view{r.entries[n++].data} : data);
                                  return true;
                                });
    if (!read) return read.error();
    if (n == begin) return too_far_back(r);
    const std::vector<bytes_view> views(all.begin(), all.end());
    history::put_entry(writer, entry->first, views);
  }
  return {};
}

/// Everything that the storage needs to be the new replica's, in one transaction.
template <history::storage S>
result<> store_renewal(S& storage, replica_state& state, const renewal& r, const own_marks& marks,
                       std::uint64_t now_ms) {
  const auto fresh_index = state.index_of(r.fresh);
  auto done = storage.write([&](auto& writer) -> result<> {
    using history::area;
    put_new_names(writer, state);
    history::put_sealed(writer, area::meta, "replica", r.fresh.view());
    marks.put(writer);
    if (auto put = replace_entries(writer, state, r, fresh_index); !put) return put;
    if (r.entries.empty()) return {};
    r.from_the_beginning() ? undo_by_log(writer, state, r)
                           : undo_by_peers(writer, state, r, fresh_index, now_ms);
    // The parts of those records are another history's: no generation of the next one is theirs.
    bytes epoch;
    byte_writer{epoch}.varint(state.parts.epoch + std::uint64_t{1});
    history::put_sealed(writer, area::meta, parts_epoch, epoch);
    return {};
  });
  if (done)
    all_names_stored(state);
  else
    state.forget_unstored();
  return done;
}

/// Does it all. True when something was restamped, so that memory must be loaded anew. `floor`: of
/// the log. The snapshot must stand for all that
/// is there. Errors: gap, too_large, and the storage's.
template <history::storage S>
result<bool> renew_store(S& storage, replica_state& state, own_marks& marks,
                         const history::log_floor& floor, const replica_id& fresh,
                         std::uint64_t common, std::uint64_t now_ms) {
  renewal r;
  r.floor = floor;
  r.old_id = state.self;
  r.fresh = fresh;
  r.old_index = state.index_of(state.self);
  r.common = common;
  if (auto done = read_suffix(storage, state, r); !done) return done.error();
  if (auto done = restamp(state, r); !done) return done.error();
  // Who takes part must be known for anything to be taken from a peer.
  if (!r.from_the_beginning())
    for (const auto& [table, key] : r.touched)
      if (table == members_table || table == space_table) return too_far_back(r);
  auto after = marks;
  after.offered = 0;
  after.former.push_back(state.self);
  after.place = place_of(storage);
  if (auto done = store_renewal(storage, state, r, after, now_ms); !done) return done.error();
  marks = std::move(after);
  state.self = fresh;
  return !r.entries.empty();
}

}  // namespace joinery::detail
