// replica: one writer of a space, with your schema.
//
// Purpose: the façade. Open it, write in transactions, read records as your structs, and hand it to
// sessions.
// Invariants: those of the engine (engine.hpp), which it is a typed view of.
// Thread-safety: one thread at a time, sessions included, but for `reader`, which any thread may
// call meanwhile; group_writer.hpp takes writes from any. Rows belong to the replica's thread;
// readers and their rows to any. Opening, moving and destroying must not overlap anything.
#pragma once

#include <memory>

#include "joinery/replica/migration.hpp"
#include "joinery/replica/query.hpp"
#include "joinery/replica/reader.hpp"
#include "joinery/replica/space_name.hpp"
#include "joinery/replica/transaction.hpp"
#include "joinery/replica/watch.hpp"
#ifndef JOINERY_SEPARATE_COMPILATION
#include "joinery/replica/engine_face.hpp"
#endif

namespace joinery {

template <class Schema, class Storage>
class replica {
 public:
  using schema_type = Schema;
  using engine_type = engine<Storage>;
  using transaction = joinery::transaction<Schema>;
  using reader_type = joinery::reader<Schema>;

  /// Opens the replica in `storage`, or makes one. Errors: see `engine::open`.
  static result<replica> open(Storage storage, replica_options options) {
    return open_with(std::move(options), [&](replica_options with_schema) {
      return detail::open_engine(std::move(storage), std::move(with_schema));
    });
  }
  /// The same in what `where` names, as store/lmdb_options.hpp does: joinery.hpp.
  template <class Where>
  static result<replica> open_at(const Where& where, replica_options options) {
    return open_with(std::move(options), [&](replica_options with_schema) {
      return detail::open_engine_at(where, std::move(with_schema));
    });
  }

  /// Runs `body(transaction&)` and commits what it did: all of it, or nothing. What it did to
  /// tables that are not `local_only` becomes one changeset; gives its dot, or nothing when there
  /// is none. A `failure` thrown in the body comes back as its error, any other exception passes
  /// through; either way nothing stays behind.
  template <class F>
  result<std::optional<causal::dot>> write(F&& body) {
    return engine_->write([&](detail::drafts_port& drafts) {
      transaction tx{drafts};
      body(tx);
    });
  }

  /// Fills the fields that the schema migrates from former ones (schema/migration.hpp), in
  /// changesets of bounded size. Opening for writing does it already; call it when the status says
  /// `migration_due`, after a peer with an older program brought changes. Errors: those of a
  /// commit; what was done before one stays done.
  result<migration_report> migrate() {
    if (!status().migration_due) return migration_report{};
    auto done = detail::run_migrations(*engine_, static_cast<const Schema*>(nullptr));
    engine_->note_migration_error(done ? done->first_error : std::optional{done.error()});
    return done;
  }

  /// The living record under `key`, as it is now; an empty row when there is none. Throws `failure`
  /// on read errors.
  template <class Record>
  [[nodiscard]] row<Record> find(std::string_view key) {
    return row<Record>{tables<Record>().find(Schema::template find<Record>::name, key)};
  }

  /// Walks the living records of a table in key order, from `from` on: `each(key, const Record&)`,
  /// which may return false to stop. `each` may write: it is called with what a batch of records
  /// was when the batch was read, and sees what was written beyond it. Throws `failure` on read
  /// errors.
  template <class Record, class F>
  void for_each(F&& each, std::string_view from = {}) {
    tables<Record>().for_each(
        Schema::template find<Record>::name, from,
        [&](detail::row_record& access) { return detail::call_with_record<Record>(each, access); });
  }

  /// Asks for records by an indexed field, in its order: see query.hpp.
  template <class Record>
  [[nodiscard]] auto query() {
    return table_query<Schema, Record>{tables<Record>()};
  }

  /// Calls `each(const change_batch<Record>&)` after every changeset, written here or received,
  /// that changed a record of the table (or the one under `key`, or those in `range`) in a way that
  /// a reader sees; until the subscription ends. In order, each changeset once, and only what comes
  /// after this call. See change_feed.hpp for what a callback may do.
  template <class Record, class F>
  subscription watch(F&& each) {
    return watch<Record>(key_range{}, std::forward<F>(each));
  }
  template <class Record, class F>
  subscription watch(std::string_view key, F&& each) {
    return watch<Record>(key_range{std::string{key}, std::string{key} + '\0'},
                         std::forward<F>(each));
  }
  template <class Record, class F>
  subscription watch(key_range range, F&& each) {
    const auto name = Schema::template find<Record>::name;
    return engine_->watch(
        {std::string{name}, std::move(range.from), std::move(range.below),
         Schema::template find<Record>::is_local},
        [from = &tables<Record>(), each = std::forward<F>(each)](const state::change_batch& b) {
          each(detail::typed_batch<Record>(b, *from));
        });
  }

  /// The same for any table, with packed records: see `watch_filter`.
  subscription watch(watch_filter filter, std::function<void(const state::change_batch&)> each) {
    return engine_->watch(std::move(filter), std::move(each));
  }

  /// The state as it is now, durable or not, for any thread to read while this replica goes on. Any
  /// thread may call this.
  [[nodiscard]] result<reader_type> reader() {
    auto image = engine_->read_now();
    if (!image) return image.error();
    return reader_type{std::move(*image)};
  }

  /// The digest of the canonical state: equal on replicas that have integrated the same changesets.
  [[nodiscard]] result<crypto::digest> digest() { return engine_->digest(); }
  /// The open conflicts, in order of table and key.
  [[nodiscard]] result<std::vector<state::conflict>> conflicts() { return engine_->conflicts(); }
  [[nodiscard]] replica_status status() const { return engine_->status(); }

  /// Members of a space whose membership is closed: see `engine`.
  result<std::optional<causal::dot>> close_membership() { return engine_->close_membership(); }
  result<std::optional<causal::dot>> admit(const replica_id& id, const std::string& name = "") {
    return engine_->admit(id, name);
  }
  result<std::optional<causal::dot>> evict(const replica_id& id) { return engine_->evict(id); }
  [[nodiscard]] result<std::vector<member>> members() { return engine_->members(); }

  /// What is to be done now and then: lets in what waited for its time, cleans up, acknowledges.
  result<> tend() { return engine_->tend(); }

  /// Brings the snapshot up to date, so that the next opening is quick, and syncs. Call it before
  /// closing.
  result<> checkpoint() { return engine_->checkpoint(); }
  /// Makes everything committed durable; of use with `durability::interval`.
  result<> flush() { return engine_->flush(); }

  /// What sessions exchange changesets with. Its address does not change when the replica is moved.
  [[nodiscard]] engine_type& endpoint() noexcept {
    return static_cast<detail::engine_face<Storage>&>(*engine_).engine();
  }

  /// For group_writer.hpp.
  [[nodiscard]] detail::engine_port& port() noexcept { return *engine_; }

 private:
  explicit replica(std::unique_ptr<detail::engine_port> e) : engine_(std::move(e)) {}

  template <class F>
  static result<replica> open_with(replica_options options, F&& open_engine) {
    options.descriptor = Schema::describe();
    const bool migrates = options.migrate_at_open;
    options.indexes = Schema::indexes();
    options.local_descriptor = Schema::describe(true);
    options.local_indexes = Schema::indexes(true);
    auto e = open_engine(std::move(options));
    if (!e) return e.error();
    replica opened{std::move(*e)};
    // What keeps a migration from running does not keep the replica closed: the status tells it.
    if (migrates && !opened.status().read_only) static_cast<void>(opened.migrate());
    return opened;
  }

  // Where the record's table is.
  template <class Record>
  detail::tables_port& tables() {
    return engine_->tables(Schema::template find<Record>::is_local);
  }

  std::unique_ptr<detail::engine_port> engine_;
};

}  // namespace joinery
