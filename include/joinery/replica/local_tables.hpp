// local_tables: the tables that never leave the device.
//
// Purpose: their names, their indexes, and the changes of the commit under way. There is no log for
// them: a commit writes its records itself, in the transaction that stores its changeset, if it has
// one.
// Invariants: a world of its own. All of it is the work of one writer, who has seen all of it:
// every change carries the same stamp, as if it were one transaction without an end. So nothing in
// it is ever concurrent, no dot of the space is used, and no id in it has to change when the
// replica takes a new one. Dead records are gone at once: nobody else knows of them.
// Stored: area `local`: fixed32 table, key → sealed varint 0, packed record (as in `records`).
// Under table 0, which is none, fixed32 name index from 1 on → sealed name; these indexes are not
// those of `names`.
// Thread-safety: none, but for `published`: under `replica_state::publication`.
#pragma once

#include "joinery/codec/changeset.hpp"
#include "joinery/replica/directory.hpp"
#include "joinery/replica/index_set.hpp"
#include "joinery/state/overlay.hpp"

namespace joinery::detail {

/// What readers that are made now have to know of the local tables, besides the storage.
struct local_view {
  std::shared_ptr<const state::overlay> newer;  ///< before what a commit is storing
  std::shared_ptr<const directory> indexes;
};

class local_tables {
 public:
  struct change {
    state::name_index table = 0;
    bytes key;
    shared_bytes before;
    shared_bytes after;  ///< empty: there is none
  };

  local_tables() {
    names.add("joinery.local");  // is not stored: under this index stand the names themselves
    replica_id writer;
    constexpr std::string_view id = "joinery.local...";
    std::copy_n(id.begin(), writer.data.size(), writer.data.begin());
    replicas.add(writer);
    seen.raise(at);
  }

  state::name_table names;
  causal::roster replicas;
  causal::version seen;  ///< `at`, and nothing else
  index_set indexes{local_index_place};
  static constexpr causal::dot at{0, 1};

  [[nodiscard]] record_vocabulary vocabulary() const noexcept { return {names, replicas}; }
  /// No snapshot is ever joined into them.
  static constexpr bool joining = false;
  /// Nothing is ever newer than its stored form.
  void refresh_indexes() const noexcept {}

  /// The stamp of every change. Valid while this stays where it is.
  [[nodiscard]] causal::stamp stamp(causal::hlc time) const { return {at, time, seen}; }

  /// Takes in the names. Errors: checksum, malformed.
  template <history::storage_view V>
  result<> load(V& view) {
    result<> outcome;
    const auto prefix = history::index_key(0);
    std::size_t n = 1;
    view.scan(history::area::local, prefix, [&](bytes_view key, bytes_view value) {
      if (!key.starts_with(prefix)) return false;
      auto name = history::open_sealed(history::area::local, key, value);
      if (!name)
        outcome = name.error();
      else if (key != name_key(static_cast<state::name_index>(n)) || names.add(*name) != n++)
        outcome = error{errc::malformed, "the names of the local tables have a hole", "area local",
                        "restore the store from a backup"};
      return outcome.has_value();
    });
    stored_names_ = n;
    return outcome;
  }

  // --- A commit ---

  /// Works out what `changes` make of the stored records. Errors: those of reading.
  template <state::cold_records C>
  result<> prepare(C& cold, const codec::changeset_writer& changes, causal::hlc time) {
    const auto by = stamp(time);
    result<> done;
    changes.for_each_record([&](std::string_view in, bytes_view key, auto ops) {
      if (!done) return;
      const auto table = names.add(in);
      auto stored = cold.load(table, key);
      if (!stored) return static_cast<void>(done = stored.error());
      bytes packed{*stored ? (*stored)->packed.view() : bytes_view{}};
      change c{table, bytes{key}, packed, {}};
      for (const auto* e : ops) {
        const auto& op = e->what;
        state::field_id field;
        if (crdt::carries_delta(op.action)) field = {names.add(op.field), op.type};
        state::apply_op(packed, op.action, op.incarnation, field, op.delta, by);
      }
      if (crdt::read_cell(packed).alive()) c.after = std::move(packed);
      changes_.push_back(std::move(c));
    });
    return done;
  }
  /// Adds a record of another store; `portable` as in state/portable_record.hpp.
  void add(change c) { changes_.push_back(std::move(c)); }
  [[nodiscard]] const std::vector<change>& changes() const noexcept { return changes_; }

  /// Writes it. To be called in the commit's transaction.
  template <history::storage_writer W>
  void put(W& to) const {
    for (auto n = stored_names_; n < names.size(); ++n) {
      const auto index = static_cast<state::name_index>(n);
      history::put_sealed(to, history::area::local, name_key(index), names[index]);
    }
    for (const auto& c : changes_) {
      indexes.store(to, vocabulary(), c.table, c.key, c.after);
      if (c.after.empty())
        to.erase(history::area::local, history::record_key(c.table, c.key));
      else
        history::put_record(to, c.table, c.key, 0, 0, c.after, history::area::local);
    }
  }

  /// What was changed, once it is stored. Nothing is under way afterwards.
  [[nodiscard]] std::vector<change> take_changes() { return std::exchange(changes_, {}); }
  /// The commit under way came to nothing.
  void drop() {
    changes_.clear();
    names.shrink(stored_names_);
  }

  // --- What readers see; under `replica_state::publication` ---

  /// From here to `publish` readers that are made see the records as they are now, whatever has
  /// been stored: the rest of the commit is not there yet.
  void hide() {
    if (changes_.empty()) return;
    std::vector<state::overlay::record> before;
    for (const auto& c : changes_) before.push_back({{c.table, c.key}, c.before});
    std::sort(before.begin(), before.end(),
              [](const auto& a, const auto& b) { return state::record_order{}(a.name, b.name); });
    before_ = std::make_shared<const state::overlay>(std::move(before));
  }
  /// The commit is there, or came to nothing; `stored`: its names are in the storage.
  void publish(bool stored) {
    before_.reset();
    if (stored && !changes_.empty()) stored_names_ = names.size();
  }
  [[nodiscard]] local_view view() const {
    if (!directory_ || directory_->names.size() != stored_names_)
      directory_ = std::make_shared<const directory>(
          directory{names.first(stored_names_), replicas.first(1)});
    return {before_, directory_};
  }

 private:
  static bytes name_key(state::name_index n) {
    return history::record_key(0, history::index_key(n));
  }

  std::size_t stored_names_ = 1;
  std::vector<change> changes_;
  std::shared_ptr<const state::overlay> before_;
  mutable std::shared_ptr<const directory> directory_;
};

}  // namespace joinery::detail
