// engine: a replica without its types.
//
// Purpose: opens a store, takes in changesets of its own and of peers, keeps log, state and
// snapshot in step, and shows peers what is durable. It models the `endpoint` of a session, so a
// relay is an engine without a schema.
// Invariants: a changeset is in the log, in one transaction with everything that it needs, before
// it is folded into memory; a sequence number is allocated in that transaction's changeset and
// never used twice; only durable changesets are shown to peers; every fault leaves memory and
// storage as they were.
// Thread-safety: one thread at a time, but for `read_now`, which any thread may call meanwhile, and
// what it gives.
#pragma once

#include <span>

#include "joinery/replica/bootstrap.hpp"
#include "joinery/replica/committing.hpp"
#include "joinery/replica/describing.hpp"
#include "joinery/replica/durable_log.hpp"
#include "joinery/replica/identity.hpp"
#include "joinery/replica/intake.hpp"
#include "joinery/replica/large_fields.hpp"
#include "joinery/replica/local_side.hpp"
#include "joinery/replica/membership_methods.hpp"
#include "joinery/replica/mending.hpp"
#include "joinery/replica/observing.hpp"
#include "joinery/replica/options.hpp"
#include "joinery/replica/readers.hpp"
#include "joinery/replica/report.hpp"
#include "joinery/replica/snapshotting.hpp"
#include "joinery/replica/status.hpp"
#include "joinery/replica/tail_folding.hpp"
#include "joinery/state/canonical.hpp"
#include "joinery/state/conflicts.hpp"

namespace joinery {

template <class Storage>
class engine : public detail::mending<engine<Storage>>,
               public detail::identity_of<engine<Storage>>,
               public detail::committing<engine<Storage>>,
               public detail::describing<engine<Storage>>,
               public detail::membership_methods<engine<Storage>>,
               public detail::observing<engine<Storage>>,
               public detail::tail_folding<engine<Storage>>,
               public detail::bootstrap<engine<Storage>>,
               public detail::local_side<engine<Storage>>,
               public detail::large_fields<engine<Storage>> {
  friend detail::mending<engine>;
  friend detail::committing<engine>;
  friend detail::large_fields<engine>;
  friend detail::describing<engine>;
  friend detail::membership_methods<engine>;
  friend detail::observing<engine>;
  friend detail::tail_folding<engine>;
  friend detail::bootstrap<engine>;
  friend detail::local_side<engine>;
  friend detail::local_schema<engine>;
  using mending = detail::mending<engine>;
  using describing = detail::describing<engine>;
  using describing::schema_;
  using mending::gate_;
  using mending::mends;
  using mending::repairs_;

 public:
  using describing::described_tables;
  using describing::note_migrated;
  using detail::observing<engine>::scan_index;
  using detail::committing<engine>::next_own_stamp;
  using local_side = detail::local_side<engine>;

  /// Opens the replica in `storage`, or makes one there. Errors: wrong_space, unsupported (another
  /// format), schema_conflict (the space knows a field otherwise), checksum or malformed (damage),
  /// not_found (read-only and empty), and the storage's.
  static result<engine> open(Storage storage, replica_options options) {
    engine e{std::move(storage), std::move(options)};
    if (auto done = e.load(); !done) return done.error();
    return e;
  }

  // --- Writing ---

  /// Commits a transaction's operations as one changeset; nothing when there are none. Those on
  /// `local` tables are stored with it, or alone. All is durable when this returns, or, with
  /// `durability::interval`, after the next `flush`.
  result<std::optional<causal::dot>> commit(const codec::changeset_writer& changes,
                                            const codec::changeset_writer& local = {}) {
    return this->with_local(local, [&] {
      return changes.empty() ? this->write_local() : this->commit_shared(changes);
    });
  }
  /// The tables that never leave the device: another set of the same methods.
  [[nodiscard]] local_side& local() noexcept { return *this; }

  /// Integrates changesets from a peer: all of the batch, or on an error none. Duplicates are
  /// dropped; what comes too early is held. Errors: malformed, unsupported, fork, flooded, and the
  /// storage's.
  result<ingest_report> ingest(std::span<const bytes_view> changesets) {
    return take(changesets, false);
  }
  /// As `ingest`, from a peer that is known: its own changesets are judged more strictly
  /// (replica/admission.hpp). Errors: also not_a_member.
  result<ingest_report> ingest_from(const replica_id& peer,
                                    std::span<const bytes_view> changesets) {
    return take(changesets, false, peer);
  }

  /// Lets in what was held and whose time has come, drops some of the log below what is retained,
  /// and syncs when `sync_interval_ms` is over. To be called now and then.
  result<> tend() {
    if (auto done = this->known(); !done) return done;
    readers_->end_old(now_ms(), options_.max_reader_age_ms);
    if (storage_.read_only()) return {};
    if (auto probed = gate_.probe(storage_, now_ms(), options_.full_retry_ms); !probed)
      return probed;
    if (gate_.block()) return {};
    if (auto done = this->go_on(); !done || repairs_.stopped_at()) return done;
    if (auto done = this->fold_some(this->tail_step); !done) return done;
    if (this->scrub_is_due())
      if (auto done = this->scrub(options_.scrub_step_entries); !done) return done.error();
    if (!held_.empty())
      if (auto done = take({}, false); !done) return done.error();
    if (auto done = this->bootstrap_step(); !done) return done;
    if (auto done = this->tend_members(); !done) return done;
    if (auto done = this->sweep_parts(); !done) return done;
    static_cast<void>(this->trim_log());
    const bool unsynced = durable_.position() < state_.last_position || this->local_unsynced();
    if (unsynced && sync_is_due()) return flush();
    return {};
  }

  /// Makes everything committed so far durable.
  result<> flush() {
    if (storage_.read_only() || repairs_.stopped_at()) return {};
    last_sync_ms_ = now_ms();
    if (durable_.position() == state_.last_position && !this->local_unsynced()) return {};
    if (auto done = storage_.sync(); !done) return done;
    this->local_synced();
    all_is_durable();
    return {};
  }

  /// Writes the snapshot up to date, in bounded transactions, and syncs.
  result<> checkpoint() {
    if (storage_.read_only()) return {};
    if (auto bad = this->unwritable()) return *bad;
    if (auto done = this->fold_rest(); !done) return done;
    for (;;) {
      auto done = snapshots_.step(storage_, state_, options_);
      if (!done) return done.error();
      if (*done) break;
    }
    static_cast<void>(this->sweep_parts());
    state_.records.shrink(options_.cache_bytes);
    if (auto kept = upkeep_.checkpoint(storage_); !kept) return kept;
    for (auto more = this->trim_log(); more && *more;) more = this->trim_log();
    return flush();
  }

  // --- Reading ---

  /// A record's packed bytes (state/record.hpp) as they are now; empty when there never was one.
  result<shared_bytes> record(std::string_view table, bytes_view key) {
    if (auto done = this->known(); !done) return done.error();
    const auto index = state_.names.find(table);
    if (!index) return shared_bytes{};
    state_.records.shrink(this->room_for_records());
    auto slot = this->load_folded(*index, key);
    if (!slot && mends(slot.error())) slot = this->load_folded(*index, key);
    if (!slot) return slot.error();
    return (*slot)->packed;
  }

  /// Walks a table in key order: `each(key, packed) -> bool`, false stops. Dead
  /// records are among them. `each` may read and write through this engine: it is called with what
  /// a batch of records was when the batch was read, and what is written beyond the batch is seen.
  /// Errors: quarantined, at the end, when a record of the range is missing.
  template <class F>
  result<> for_each(std::string_view table, bytes_view from, F&& each) {
    if (auto done = this->known_whole(); !done) return done;
    const auto index = state_.names.find(table);
    if (!index) return {};
    return this->walk(*index, table, from, each);
  }

  /// How many changesets are in the log, durable or not.
  [[nodiscard]] std::uint64_t log_size() const noexcept { return state_.last_position; }

  [[nodiscard]] const state::name_table& names() const noexcept { return state_.names; }
  [[nodiscard]] const causal::roster& replicas() const noexcept { return state_.replicas; }
  [[nodiscard]] const causal::version& seen() const noexcept { return state_.seen; }

  /// The digest of the canonical state, at the version that `heads` shows afterwards: what is not
  /// durable yet, is then.
  result<crypto::digest> digest() {
    if (auto done = this->known_whole(); !done) return done.error();
    if (auto running = repairs_.running(); !running) return running.error();
    if (auto synced = flush(); !synced) return synced.error();
    for (;;) {
      if (!repairs_.ledger().missing_records().empty())
        return detail::damage::quarantined("the state");
      auto found = digest_of_all();
      if (found || !mends(found.error())) return found;
    }
  }

  /// The open conflicts, ascending by table name and key.
  result<std::vector<state::conflict>> conflicts() {
    if (auto done = this->known_whole(); !done) return done.error();
    return state::all_conflicts(
        state_.names, state_.replicas,
        [&](auto table, auto&& each) { return this->walk(table, state_.names[table], {}, each); },
        [&](const auto& of, auto&& each) { return this->walk_parts(of, {}, each); });
  }

  /// The state as it is now, for any thread, while this engine goes on. Any thread may call this.
  result<std::shared_ptr<detail::reader_image<Storage>>> read_now() {
    return readers_->make(storage_, state_, this->pending_, this->tail_, now_ms());
  }

  [[nodiscard]] replica_status status() const {
    replica_status s;
    s.space = state_.space;
    s.self = state_.self;
    s.changesets = state_.seen.total();
    s.log_floor = retention_.floor().position;
    s.log_bytes = retention_.log_bytes(state_);
    s.durable = durable_.position();
    s.snapshot = snapshots_.position();
    for (causal::replica_index r = 0; r < state_.seen.size(); ++r)
      s.replicas += state_.seen.at(r) > 0 ? 1 : 0;
    s.held = held_.count();
    s.records_in_memory = state_.records.size();
    s.memory_bytes = state_.records.memory() + held_.size() + history::memory_of(state_.origins) +
                     (this->tail_ ? this->tail_->memory() : 0);
    s.dirty_records = state_.records.dirty_count();
    std::tie(s.readers, s.oldest_reader_ms) = readers_->figures(now_ms());
    s.read_only = read_only_;
    this->tell_schema(s);
    this->tell_observing(s);
    s.last_snapshot_error = snapshots_.last_error();
    this->tell_faults(s);
    this->tell_identity(s);
    s.membership = upkeep_.status(state_);
    return s;
  }

  // --- What a session sees: only what is durable ---

  [[nodiscard]] space_id space() const { return state_.space; }
  [[nodiscard]] replica_id self() const { return state_.self; }
  [[nodiscard]] const schema::descriptor& descriptor() const { return options_.descriptor; }
  [[nodiscard]] std::uint64_t log_end() const { return durable_.position() + 1; }

  [[nodiscard]] std::vector<history::head> heads() const { return durable_.heads(state_); }

  /// Visits the durable log: `each(position, origin, seq, changeset) -> bool`, false stops.
  template <class F>
  result<> read_log(std::uint64_t position, F&& each) {
    auto next = position;
    auto read = storage_.read([&](auto& view) -> result<> {
      result<> outcome;
      const auto visit = [&](std::uint64_t at, bytes_view data) {
        if (at > durable_.position()) return false;
        next = at + 1;
        const auto name = codec::peek_dot(data);
        if (name) return static_cast<bool>(each(at, name->first, name->second, data));
        outcome = error{errc::malformed, "a log entry that is no changeset",
                        "log position " + std::to_string(at), "restore the store"};
        return false;
      };
      auto scanned = history::scan_log(view, position, state_.log, visit);
      return scanned ? outcome : scanned;
    });
    return this->found_while_reading_log(next, read);
  }

  [[nodiscard]] Storage& storage() noexcept { return storage_; }

 private:
  friend class detail::identity_of<engine>;
  static_assert(history::storage<Storage>);

  engine(Storage storage, replica_options options)
      : describing(options.descriptor),
        local_side(options.local_descriptor),
        storage_(std::move(storage)),
        options_(std::move(options)) {}

  [[nodiscard]] std::uint64_t now_ms() const {
    return options_.time != nullptr ? options_.time->now_ms() : system_clock{}.now_ms();
  }
  // The last moment for stamps of peers.
  [[nodiscard]] std::uint64_t latest_ms() {
    const auto now = now_ms();
    return now + std::min(options_.max_clock_drift_ms, ~std::uint64_t{0} - now);
  }
  [[nodiscard]] bool sync_is_due() {
    const auto now = now_ms();
    return now < last_sync_ms_ /* the clock was set back */ ||
           now - last_sync_ms_ >= options_.sync_interval_ms;
  }
  [[nodiscard]] causal::hlc next_stamp() { return state_.clock.next(now_ms()); }

  result<crypto::digest> digest_of_all() {
    auto cold = this->cold();
    return state::canonical_digest(state_.replicas, state_.seen, state_.names, state_.records,
                                   cold);
  }

  result<ingest_report> take(std::span<const bytes_view> changesets, bool own,
                             std::optional<replica_id> from = {}) {
    if (auto bad = this->unwritable()) return *bad;
    if (auto bad = this->in_group()) return *bad;
    auto done = take_all(changesets, own, from);
    while (!done) {
      state_.forget_unstored();
      if (!mends(done.error())) break;
      done = take_all(changesets, own, from);
    }
    if (!done && done.error().code == errc::fork) this->keep_evidence(changesets);
    this->deliver_changes();
    return done;
  }

  result<ingest_report> take_all(std::span<const bytes_view> changesets, bool own,
                                 std::optional<replica_id> from) {
    if (!this->tail_) snapshots_.board(state_, options_);
    auto cold = this->cold_but_tail();
    if (auto done = upkeep_.refresh(state_, cold); !done) return done.error();
    detail::intake batch{state_,
                         held_,
                         {own, latest_ms(), options_.max_held_bytes, options_.max_held_changesets},
                         {upkeep_.members(), from},
                         spare_changesets_};
    for (const auto data : changesets)
      if (auto done =
              batch.take(data, [&](auto at, auto d) { return this->same_as_logged(at, d); });
          !done)
        return done.error();
    if (!own)
      if (auto done = batch.release(); !done) return done.error();

    ingest_report report;
    report.duplicates = batch.known;
    report.held = batch.to_hold.size();
    report.dropped = batch.to_drop.size() + batch.left_out;
    if (batch.accepted.empty() && batch.to_hold.empty() && batch.to_drop.empty()) {
      state_.forget_unstored();
      return report;
    }
    const auto damaged =
        own ? detail::damaged_records::refused : detail::damaged_records::known_left_out;
    for (const auto& a : batch.accepted) state_.look_up(a->parsed, a->here);
    for (std::size_t i = 0; i < batch.accepted.size(); ++i) {
      auto& a = *batch.accepted[i];
      if (i == 0) state_.expect(a.here);
      if (i + 1 < batch.accepted.size()) state_.expect(batch.accepted[i + 1]->here);
      if (auto done = this->make_ready(a.parsed, damaged, a.here); !done) return done.error();
    }

    if (auto admitted = gate_.admit(now_ms(), options_.full_retry_ms); !admitted)
      return admitted.error();
    const bool migrates_again = schema_.undoes_mark(batch.accepted, own);
    const auto store = [&](bool snapshot) {
      return storage_.write([&](auto& writer) -> result<> {
        detail::put_new_names(writer, state_);
        if (snapshot) snapshots_.ride_along(writer, state_, options_);
        if (migrates_again) writer.erase(history::area::meta, describing::migration_mark);
        batch.store(writer);
        if (own) this->note_commit(writer, batch.accepted.back()->at.seq);
        if (own) this->put_local(writer);
        return {};
      });
    };
    auto stored = store(true);
    if (!stored && snapshots_.riding()) {
      snapshots_.fell_off(state_, stored.error());
      auto alone = store(false);  // a snapshot that cannot be written fails no write
      if (alone || alone.error().code != errc::poisoned) stored = std::move(alone);
    }
    gate_.tried(stored, batch.size(), now_ms());
    if (!stored) return stored.error();
    snapshots_.rode_along(state_);

    detail::all_names_stored(state_);
    if (own) this->committed(batch.accepted.back()->at.seq);
    if (migrates_again) schema_.mark_undone();
    for (auto& [name, data] : batch.to_hold) held_.add(name, std::move(data));
    for (const auto& name : batch.to_drop) held_.erase(name);
    batch.for_each_accepted([&](const auto& a) {
      if (!held_.empty()) held_.erase({a.parsed.origin, a.parsed.seq});
      state_.fold(a.at, a.parsed, a.here, a.place.chain, a.place.position, this->feed());
      if (own) this->tell_local();
      this->feed().finish({a.parsed.origin, a.parsed.seq, a.parsed.time, own, false});
      snapshots_.logged(a.data.size());
      state_.logged_bytes += a.data.size();
      upkeep_.took(a.parsed, own, now_ms());
      report.operations += a.parsed.ops.size();
      report.records += a.parsed.records.size();
    });
    report.integrated = batch.accepted.size();
    for (const auto& [name, data] : batch.outrun)
      static_cast<void>(this->note_fork(name.first, name.second, data));
    after_write();
    if (!own) this->integrated(batch);
    return report;
  }

  void after_write() {
    if (storage_.mode() == history::durability::commit) all_is_durable();
    this->members_after_write();
    readers_->end_old(now_ms(), options_.max_reader_age_ms);
    this->keep_snapshot_up();
    static_cast<void>(this->trim_log());
    static_cast<void>(this->bootstrap_step());
    if (storage_.mode() == history::durability::interval && sync_is_due())
      static_cast<void>(flush());
  }

  void all_is_durable() {
    durable_.reaches(state_, storage_.mode() == history::durability::commit);
  }

  result<> load() {
    read_only_ = storage_.read_only();
    state_.parts.threshold = options_.large_field_bytes;
    history::log_floor floor;
    auto existing = detail::load_store(storage_, options_.space, state_, held_, snapshots_, floor);
    if (!existing) return existing.error();
    retention_.restored(std::move(floor));
    if (!*existing) {
      if (read_only_)
        return error{errc::not_found, "there is no replica in this store", "",
                     "open it for writing once to make one"};
      if (auto done = detail::make_store(storage_, options_.space, this->random(), state_); !done)
        return done;
    }
    if (auto done = this->load_identity(); !done) return done;
    if (auto done = this->load_local(); !done) return done;
    if (auto done = this->load_bootstrap(); !done) return done;
    if (auto done = state_.indexes.open(storage_, options_.indexes, state_.vocabulary()); !done)
      return done;
    state_.records.follow_changes = !state_.indexes.empty();
    auto marks = storage_.read([&](auto& view) -> result<> {
      repairs_.ledger().load(view);
      return {};
    });
    if (!marks) return marks;
    if (auto done = this->read_tail(); !done)
      if (auto stopped = repairs_.stop(storage_, state_, done.error(), now_ms()); !stopped)
        return stopped;
    if (!repairs_.stopped_at())
      static_cast<void>(this->gather_indexed());  // or queries lack what cannot be read
    state_.refresh_indexes();
    // What an earlier process wrote and did not sync is as little durable as what this one writes.
    if (!read_only_)
      if (auto done = storage_.sync(); !done) return done;
    if (repairs_.stopped_at()) return this->show_whole_log();
    state_.parts.stored = state_.last_position;
    all_is_durable();
    static_cast<void>(repairs_.settle(storage_, state_, now_ms()));
    if (auto done = this->load_schema(); !done) return done;
    auto cold = this->cold_but_tail();
    upkeep_.load(storage_, state_, cold);
    return this->take_place();
  }

  Storage storage_;
  replica_options options_;
  detail::replica_state state_;
  detail::held_changesets held_;
  detail::snapshotting snapshots_;
  detail::upkeep upkeep_;
  detail::retention retention_;
  detail::changeset_pool spare_changesets_;
  detail::durable_log durable_;
  std::uint64_t last_sync_ms_ = 0;
  bool read_only_ = false;
  // Last: closed before what they read from.
  std::unique_ptr<detail::readers<Storage>> readers_ = std::make_unique<detail::readers<Storage>>();
};

}  // namespace joinery
