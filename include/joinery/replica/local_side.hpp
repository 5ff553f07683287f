// local_side: the part of an engine that keeps the tables which never leave the device.
//
// Purpose: reads, walks, queries and changes local tables. It has the methods of the engine that
// rows, queries, transactions and migrations use, each for the local tables alone: whoever holds
// this side cannot reach the space's records through it, nor does anything that the engine gives
// to peers come from here. A base of `engine`, whose members it uses.
// Invariants: a table's name says nothing about its side: a peer's operations on a table of the
// same name go to the space's. A commit's local changes are stored in the transaction that stores
// its changeset, or in one of their own when it has none.
// Thread-safety: as the engine: one thread at a time.
#pragma once

#include "joinery/replica/change_feed.hpp"
#include "joinery/replica/index_scan.hpp"
#include "joinery/replica/local_cold_reader.hpp"
#include "joinery/replica/local_schema.hpp"
#include "joinery/replica/options.hpp"
#include "joinery/state/portable_record.hpp"

namespace joinery::detail {

template <class Engine>
class local_side : public local_schema<Engine> {
  using local_schema<Engine>::self;
  using local_schema<Engine>::schema_of_local_;

 public:
  // --- As the engine's methods of the same names ---

  result<shared_bytes> record(std::string_view table, bytes_view key) {
    const auto index = local().names.find(table);
    if (!index) return shared_bytes{};
    damage met;
    local_cold_reader cold{self().storage_, &met};
    auto stored = cold.load(*index, key);
    if (!stored) return lost(met, stored.error());
    return *stored ? shared_bytes{std::move((*stored)->packed)} : shared_bytes{};
  }
  template <class F>
  result<> for_each(std::string_view table, bytes_view from, F&& each) {
    const auto index = local().names.find(table);
    if (!index) return {};
    damage met;
    local_cold_reader cold{self().storage_, &met};
    auto walked = state::walk_records([](auto, auto, auto) { return state::newer_batch{}; }, cold,
                                      *index, from, each);
    return walked ? walked : lost(met, walked.error());
  }
  template <class F>
  result<> scan_index(const index_query& q, F&& each) {
    return detail::scan_index(*this, self().storage_, local(), q, each);
  }
  [[nodiscard]] const state::name_table& names() const noexcept { return local().names; }
  [[nodiscard]] const causal::roster& replicas() const noexcept { return local().replicas; }
  [[nodiscard]] const causal::version& seen() const noexcept { return local().seen; }
  [[nodiscard]] std::pair<causal::dot, causal::hlc> next_own_stamp() {
    return {local_tables::at, self().next_stamp()};
  }
  [[nodiscard]] causal::stamp stamp(causal::hlc time) const { return local().stamp(time); }
  result<std::optional<causal::dot>> commit(const codec::changeset_writer& changes) {
    return self().commit({}, changes);
  }

  /// How many commits have changed local tables since the replica was opened.
  [[nodiscard]] std::uint64_t local_commits() const noexcept { return commits_; }

  /// Takes over the records of another store's local tables, those that are not here, once for
  /// each `of`; how many. In bounded transactions; a broken-off run is run again. Errors: those of
  /// reading and writing.
  template <class Other>
  result<std::size_t> adopt(Other& from, const replica_id& of) {
    const auto mark = "local of " + of.hex();
    bool done = false;
    auto read = self().storage_.read([&](auto& view) -> result<> {
      done = view.get(history::area::meta, mark).has_value();
      return {};
    });
    if (!read) return read.error();
    std::size_t count = 0;
    if (done) return count;
    for (state::name_index n = 1; n < from.names().size(); ++n) {
      auto adopted = adopt_table(from, from.names()[n]);
      if (!adopted) return adopted;
      count += *adopted;
    }
    auto marked = self().storage_.write([&](auto& writer) -> result<> {
      history::put_sealed(writer, history::area::meta, mark, {});
      return {};
    });
    if (!marked) return marked.error();
    return count;
  }

 protected:
  explicit local_side(const schema::descriptor& ours) : local_schema<Engine>(ours) {}

  // --- For the engine ---

  /// Once the store is there, before the log is replayed.
  result<> load_local() {
    auto loaded = self().storage_.read([&](auto& view) -> result<> {
      schema_of_local_.load(view, self().options_.local_descriptor);
      return local().load(view);
    });
    if (!loaded) return loaded;
    return local().indexes.open(self().storage_, self().options_.local_indexes,
                                local().vocabulary());
  }

  /// Runs `body`, which is to store `changes` and whatever belongs with them.
  template <class Body>
  result<std::optional<causal::dot>> with_local(const codec::changeset_writer& changes,
                                                Body&& body) {
    if (changes.empty()) return body();
    const dropped_at_end end{*this};
    if (auto bad = self().unwritable()) return *bad;
    if (auto done = prepare(changes); !done) return done.error();
    hide();
    return body();
  }
  /// A commit without a changeset.
  result<std::optional<causal::dot>> write_local() {
    std::optional<causal::dot> none;
    if (local().changes().empty()) return none;
    auto& gate = self().gate_;
    const auto& options = self().options_;
    if (auto admitted = gate.admit(self().now_ms(), options.full_retry_ms); !admitted)
      return admitted.error();
    auto stored = self().storage_.write([&](auto& writer) -> result<> {
      put_local(writer);
      return {};
    });
    gate.tried(stored, size_, self().now_ms());
    if (!stored) return stored.error();
    {
      const std::lock_guard lock(self().state_.publication);
      local().publish(true);
    }
    tell_local();
    self().feed().finish({self().state_.self, 0, self().next_stamp(), true, false});
    unsynced_ = self().storage_.mode() == history::durability::interval;
    if (unsynced_ && self().sync_is_due()) static_cast<void>(self().flush());
    self().deliver_changes();
    return none;
  }
  /// In the transaction that stores the commit.
  template <history::storage_writer W>
  void put_local(W& to) {
    if (local().changes().empty()) return;
    local().put(to);
    schema_of_local_.put(to);
    if (self().repairs_.ledger().count() == 0) return;
    for (const auto& c : local().changes()) to.erase(history::area::quarantine, quarantined(c));
  }
  /// After `replica_state::fold`, or in its place.
  void tell_local() {
    if (local().changes().empty()) return;
    ++commits_;
    schema_of_local_.stored();
    for (auto& c : local().take_changes()) {
      self().repairs_.ledger().given_up(quarantined(c));
      const auto table = local().names[c.table];
      if (self().feed().wants(table, c.key, true))
        self().feed().changed(table, c.key, std::move(c.before), c.after, false, true);
    }
  }
  /// Whether something local may not be on the device yet that is not in the log.
  [[nodiscard]] bool local_unsynced() const noexcept { return unsynced_; }
  void local_synced() noexcept { unsynced_ = false; }

  /// A scrub found a damaged record.
  void found_local_damaged(bytes_view key) {
    damage met;
    met.met(history::index_of(key), history::after_index(key));
    set_aside(met);
  }

 private:
  struct dropped_at_end {
    local_side& side;
    ~dropped_at_end() {
      const std::lock_guard lock(side.self().state_.publication);
      side.local().publish(false);
      side.local().drop();
    }
  };

  local_tables& local() noexcept { return self().state_.local; }
  const local_tables& local() const noexcept { return self().state_.local; }

  void hide() {
    const std::lock_guard lock(self().state_.publication);
    local().hide();
  }
  result<> prepare(const codec::changeset_writer& changes) {
    size_ = 0;
    changes.for_each_record([&](auto, bytes_view key, auto ops) {
      size_ += key.size();
      for (const auto* e : ops) size_ += e->what.delta.size() + 8;
    });
    const auto limit = self().options_.max_changeset_bytes;
    if (size_ > limit)
      return error{errc::too_large, "a transaction of " + std::to_string(size_) + " local bytes",
                   "", "split it: the limit is " + std::to_string(limit)};
    const auto described = this->with_local_descriptors(changes);
    if (!described) return described.error();
    damage met;
    local_cold_reader cold{self().storage_, &met};
    auto done = local().prepare(cold, *described ? **described : changes, self().next_stamp());
    return done ? done : lost(met, done.error());
  }

  template <class Other>
  result<std::size_t> adopt_table(Other& from, std::string_view table) {
    std::size_t count = 0;
    bytes next;
    for (bool more = true; more;) {
      const dropped_at_end end{*this};
      if (auto gathered = gather(from, table, next, more); !gathered) return gathered.error();
      count += local().changes().size();
      hide();
      if (auto done = write_local(); !done) return done.error();
    }
    return count;
  }
  // The next records that are not here, as changes.
  template <class Other>
  result<> gather(Other& from, std::string_view table, bytes& next, bool& more) {
    constexpr std::size_t max_records = 256, max_bytes = 256u << 10;
    std::size_t records = 0;
    size_ = 0;
    more = false;
    result<> outcome;
    auto walked = from.for_each(table, next, [&](bytes_view key, bytes_view packed) {
      more = records == max_records || size_ >= max_bytes;
      if (more) return false;
      ++records;
      size_ += packed.size();
      next.assign(key).push_back('\0');
      auto here = record(table, key);
      if (!here) return outcome = here.error(), false;
      if (!here->empty()) return true;
      const crdt::reindexing same{{0}};
      const auto portable = state::portable_record(packed, same, from.names());
      local().add({local().names.add(table),
                   bytes{key},
                   {},
                   state::local_record(portable, same, local().names)});
      return true;
    });
    return walked ? outcome : walked;
  }

  // What a read gives that met damage: nobody else has the records, so they are gone from now on.
  error lost(const damage& met, error e) {
    if (!met.met_any()) return e;
    set_aside(met);
    e.what = "a record of a local table was found damaged";
    e.advice = "nobody else has it: restore the store, or make the record anew";
    return e;
  }
  void set_aside(const damage& met) {
    if (self().storage_.read_only()) return;
    const auto now = self().now_ms();
    auto done = self().storage_.write([&](auto& writer) -> result<> {
      for (const auto& r : met.met_records())
        damage::set_aside(writer, history::area::local, history::record_key(r.table, r.key), now);
      return {};
    });
    if (!done) return;  // it is met again
    for (const auto& r : met.met_records())
      self().repairs_.ledger().note(
          damage::quarantine_key(history::area::local, history::record_key(r.table, r.key)), now);
  }
  static bytes quarantined(const local_tables::change& c) {
    return damage::quarantine_key(history::area::local, history::record_key(c.table, c.key));
  }

  std::size_t size_ = 0;  // of the commit under way, about
  std::uint64_t commits_ = 0;
  bool unsynced_ = false;
};

}  // namespace joinery::detail
