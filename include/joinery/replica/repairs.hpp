// repairs: what a replica does about damage in its store.
//
// Purpose: moves what was found damaged out of the way, makes records anew from the log, takes
// changesets and records back from peers, and holds the replica still where its log cannot be read.
// Invariants: a missing record is rebuilt whole or stays missing; a replica that stopped at a
// damaged changeset folds nothing beyond it, and goes on from there once it is back.
// Thread-safety: none; guarded by its owner.
#pragma once

#include "joinery/replica/log_repair.hpp"
#include "joinery/replica/record_repair.hpp"
#include "joinery/replica/wanted.hpp"

namespace joinery::detail {

class repairs {
 public:
  [[nodiscard]] damage& ledger() noexcept { return ledger_; }
  [[nodiscard]] const damage& ledger() const noexcept { return ledger_; }

  /// Where replay had to stop, if it did.
  [[nodiscard]] const std::optional<std::uint64_t>& stopped_at() const noexcept { return stopped_; }
  /// What stops everything but reading and sending. Errors: quarantined.
  [[nodiscard]] result<> running() const {
    if (!stopped_) return {};
    return error{errc::quarantined, "a changeset of the log was found damaged",
                 "log position " + std::to_string(*stopped_),
                 "sync with a replica that has it: it is fetched again, and everything goes on"};
  }
  void go_on() noexcept { stopped_.reset(); }
  /// Whether it stopped, and the entry that it stopped in is whole again.
  [[nodiscard]] bool may_go_on() const {
    return stopped_ && !ledger_.log_entries().contains(stopped_in_);
  }

  /// Replay failed at the end of what was folded: stops there if the entry that follows is damaged.
  /// Errors: `cause`, when it is not; those of the storage. What had stopped before stays so.
  template <history::storage S>
  result<> stop(S& storage, const replica_state& state, const error& cause, std::uint64_t now_ms) {
    const auto position = state.last_position + 1;
    if (stopped_) stopped_ = position;
    if (cause.code != errc::checksum) return cause;
    auto damaged = log_damaged(storage, state, position, now_ms);
    if (!damaged) return damaged.error();
    if (!*damaged) return cause;
    stopped_ = position;
    stopped_in_ = *std::prev(ledger_.log_entries().upper_bound(position));
    return {};
  }

  // --- Records ---

  /// Moves the records that reads met as damaged into quarantine, and rebuilds what can be. In a
  /// store that is open for reading they only count as missing. Errors: those of the storage; then
  /// everything is as it was.
  template <history::storage S>
  result<> settle(S& storage, const replica_state& state, std::uint64_t now_ms) {
    if (!ledger_.met_any()) return {};
    if (state.joining) ledger_.meet_owners(false);
    std::vector<bytes> keys;
    for (const auto& r : ledger_.met_records()) keys.push_back(history::record_key(r.table, r.key));
    result<> aside;
    if (!storage.read_only())
      aside = storage.write([&](auto& writer) -> result<> {
        for (const auto& key : keys)
          damage::set_aside(writer, history::area::records, key, now_ms, state.joining);
        return {};
      });
    ledger_.forget_met();
    if (!aside) return aside;
    for (const auto& key : keys)
      ledger_.note(damage::quarantine_key(history::area::records, key), now_ms);
    if (!storage.read_only()) static_cast<void>(rebuild(storage, state));  // or it stays missing
    return {};
  }

  /// Rebuilds every missing record from the log, if that can be read.
  template <history::storage S>
  result<> rebuild(S& storage, const replica_state& state) {
    if (ledger_.missing_records().empty() || stopped_) return {};
    record_bases records;
    for (const auto& r : ledger_.missing_records()) records[r];
    return finish(storage, state, std::move(records), true);
  }

  // --- The log ---

  /// Whether the entry that `position` is in is damaged; marks it then. Errors: those of the
  /// storage.
  template <history::storage S>
  result<bool> log_damaged(S& storage, const replica_state& state, std::uint64_t position,
                           std::uint64_t now_ms) {
    std::optional<std::uint64_t> first;
    auto done = storage.read([&](auto& view) -> result<> {
      first.reset();
      const auto entry = history::entry_before(view, position);
      if (!entry || history::last_of_entry(view, entry->first, entry->second) < position) return {};
      history::keys_by_number keys{view};
      if (ledger_.log_entries().contains(entry->first) ||
          !history::is_whole_entry(keys, history::position_key(entry->first), entry->second))
        first = entry->first;
      return {};
    });
    if (!done) return done.error();
    if (!first || ledger_.log_entries().contains(*first)) return first.has_value();
    const auto key = history::position_key(*first);
    if (!storage.read_only())
      done = storage.write([&](auto& writer) -> result<> {
        damage::set_aside(writer, history::area::log, key, now_ms);
        return {};
      });
    if (!done) return done.error();
    ledger_.note(damage::quarantine_key(history::area::log, key), now_ms);
    state.proven.doubt();  // it may be the keys that were lost
    return true;
  }

  /// What a peer that needs a damaged changeset is told.
  static error lost_to_peer(std::uint64_t position) {
    return {errc::gap, "a changeset that the peer lacks is damaged here",
            "log position " + std::to_string(position),
            "sync both with a replica that has it: it is fetched again"};
  }

  /// Takes `data` for the changeset `at`, if that is damaged; puts its entry back once all of it is
  /// proven.
  template <history::storage S>
  result<given_back> restore(S& storage, causal::dot at, bytes_view data) {
    if (ledger_.log_entries().empty()) return given_back::refused;
    if (auto done = look_up_lost(storage, ledger_.log_entries(), lost_); !done) return done.error();
    auto entry = lost_.end();
    auto given = given_back::refused;
    auto read = storage.read([&](auto& view) -> result<> {
      auto position = history::find_position(view, at);
      if (!position) return position.error();
      // Of the entries that may hold it the last: one that was the log's last has no end.
      const auto after = *position ? lost_.upper_bound(**position) : lost_.begin();
      entry = after == lost_.begin() ? lost_.end() : std::prev(after);
      if (entry != lost_.end() && !entry->second.holds(**position)) entry = lost_.end();
      if (entry == lost_.end()) return {};
      auto taken = entry->second.take(view, at, data);
      if (!taken) return taken.error();
      given = *taken;
      return {};
    });
    if (!read) return read.error();
    if (given != given_back::mended) return given;
    const auto first = entry->first;
    auto done = storage.write([&](auto& writer) -> result<> {
      entry->second.put(writer);
      const auto key = history::position_key(first);
      writer.erase(history::area::quarantine, damage::quarantine_key(history::area::log, key));
      return {};
    });
    lost_.erase(entry);
    if (!done) return done.error();
    ledger_.restored(first);
    return given;
  }

  // --- With peers ---

  /// What peers are to be asked for.
  template <history::storage S>
  result<std::vector<wanted>> list_wanted(S& storage, const replica_state& state) {
    constexpr std::size_t most = 64;
    std::vector<wanted> out;
    if (auto done = look_up_lost(storage, ledger_.log_entries(), lost_); !done) return done.error();
    // Some of each: what one peer has not got of one must not keep the others waiting.
    const auto each = most / std::clamp<std::size_t>(lost_.size(), 1, most);
    for (const auto& [first, entry] : lost_) {
      const auto end = std::min(most, out.size() + each);
      entry.each_wanted([&](causal::dot at) {
        if (out.size() < end && at.replica < state.replicas.size())
          out.push_back({state.replicas[at.replica], at.seq});
        return out.size() < end;
      });
    }
    for (const auto& r : ledger_.missing_records()) {
      bytes key{r.key.view()};
      if (const auto part = part_of(r)) key = part->first.key;
      wanted record{{}, 0, std::string{state.names[state::table_of(r.table)]}, std::move(key)};
      if (out.size() < most && (out.empty() || out.back() != record))
        out.push_back(std::move(record));
    }
    return out;
  }

  /// Takes a missing record from a peer. True when it is there again. A peer that knows more than
  /// this replica, or too little, cannot help now.
  template <history::storage S>
  result<bool> take_record(S& storage, replica_state& state, const wanted& what, bytes_view data) {
    const auto table = state.names.find(what.table);
    if (!table || stopped_ || missing_of({*table, what.key}).empty()) return false;
    const auto answer = read_record_answer(data);
    if (!answer)
      return error{errc::malformed, "a record that cannot be read", what.table,
                   "the peer is at fault"};
    record_base base;
    crdt::reindexing map;
    for (const auto& [id, seq] : answer->seen) {
      const auto index = state.replicas.find(id);
      if (!index || state.seen.at(*index) < seq) return false;
      base.seen.set(*index, seq);
      map.to.push_back(*index);
    }
    const auto names = state.names.size();
    base.packed = state::local_record(answer->portable, map, state.names);
    if (state.names.size() > names) {  // fields of changesets that are not here: it lies
      state.names.shrink(names);
      return false;
    }
    record_bases records;
    for (const auto& missing : missing_of({*table, what.key}))
      records[missing] = is_whole(missing) ? base : part_base(base, missing);
    auto done = finish(storage, state, std::move(records), false);
    if (done) return true;
    const bool log_is_short = done.error().code == errc::checksum || done.error().code == errc::gap;
    return log_is_short ? result<bool>{false} : done.error();
  }

 private:
  static std::optional<std::pair<state::part_group, bytes_view>> part_of(
      const state::record_name& r) {
    return is_whole(r) ? std::nullopt : state::read_part_key(r.table, r.key);
  }
  static bool is_whole(const state::record_name& r) { return !state::is_parts(r.table); }

  /// What is missing of a record: itself, or parts of its large fields.
  [[nodiscard]] std::vector<state::record_name> missing_of(const state::record_name& record) const {
    std::vector<state::record_name> out;
    const auto& all = ledger_.missing_records();
    if (all.contains(record)) out.push_back(record);
    const auto parts = state::parts_of(record.table);
    const auto prefix = state::parts_prefix(record.key);
    for (auto at = all.lower_bound(state::record_name_view{parts, prefix});
         at != all.end() && at->table == parts && at->key.starts_with(prefix); ++at)
      out.push_back(*at);
    return out;
  }
  /// What a record in one piece has of a part.
  static record_base part_base(const record_base& whole, const state::record_name& name) {
    const auto cell = crdt::read_cell(whole.packed);
    record_base out{{}, whole.seen, cell.incarnation};
    const auto part = part_of(name);
    if (!part) return out;
    byte_writer w{out.packed};
    crdt::detail::for_each_entry(state::field_state(cell.value, part->first.field),
                                 [&](crdt::detail::entry e) {
                                   if (state::beginning(e.key) == part->second)
                                     crdt::detail::write_entry(w, e.key, e.payload);
                                 });
    return out;
  }

  template <history::storage S>
  result<> finish(S& storage, const replica_state& state, record_bases records, bool anew) {
    bool whole = !anew;
    for (const auto& [name, base] : records) whole = whole && base.seen == state.seen;
    if (!whole)
      if (auto done = rebuild_from_log(storage, state, records); !done) return done;
    if (auto done = put_rebuilt(storage, state, records); !done) return done;
    for (const auto& [name, base] : records) ledger_.rebuilt(name);
    return {};
  }

  damage ledger_;
  lost_entries lost_;
  std::optional<std::uint64_t> stopped_;
  std::uint64_t stopped_in_ = 0;  ///< the first position of that entry
};

}  // namespace joinery::detail
