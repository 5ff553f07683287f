// describing: the part of an engine that knows its space's schema.
//
// Purpose: completes commits with descriptors, compares the program's schema with the space's, and
// notes in the store whether the program's migrations have run. A base of `engine`, whose members
// it uses.
// Invariants: as `schema_ledger`. A contradiction stops an opening, never a running replica.
// Thread-safety: as the engine: one thread at a time.
#pragma once

#include "joinery/history/log.hpp"
#include "joinery/replica/intake.hpp"
#include "joinery/replica/options.hpp"
#include "joinery/replica/schema_ledger.hpp"
#include "joinery/replica/status.hpp"

namespace joinery::detail {

template <class Engine>
class describing {
 public:
  /// What the space says of its tables, written there by the programs that use it; ascending by
  /// name.
  result<std::vector<described_table>> described_tables() {
    std::vector<described_table> out;
    const auto& state = self().state_;
    auto walked = self().for_each(schema_table, {}, [&](bytes_view key, bytes_view packed) {
      if (crdt::read_cell(packed).alive())
        out.push_back(read_described(key, packed, state.names, state.replicas));
      return true;
    });
    if (!walked) return walked.error();
    return out;
  }

  /// Notes in the store that this program's migrations have run. For `replica::migrate`.
  result<> note_migrated() {
    if (!schema_.migration_due()) return {};
    auto done = self().storage_.write([&](auto& writer) -> result<> {
      history::put_sealed(writer, history::area::meta, migration_mark, schema_.own_mark());
      return {};
    });
    if (done) schema_.marked();
    return done;
  }
  void note_migration_error(std::optional<error> e) { schema_.last_migration_error = std::move(e); }
  /// Records have come in other than by changesets: fields that are migrated from may be among
  /// them, and descriptors.
  result<> schema_may_have_changed() {
    schema_.mark_undone();
    auto done = self().storage_.write([&](auto& writer) -> result<> {
      writer.erase(history::area::meta, migration_mark);
      return {};
    });
    return done ? compare_schemas() : done;
  }

 protected:
  static constexpr std::string_view migration_mark = "migrated";

  explicit describing(const schema::descriptor& ours) : schema_(ours) {}

  /// `changes` with the descriptors that the space lacks; nothing when it lacks none.
  auto with_descriptors(const codec::changeset_writer& changes) {
    return schema_.completed(self().options_.descriptor, changes, self().state_.names, reader());
  }
  void tell_schema(replica_status& s) const {
    s.schema_conflicts = conflicts_;
    s.migration_due = schema_.migration_due() || self().local_migration_due();
    s.last_migration_error = schema_.last_migration_error;
  }
  /// For the end of an opening. Errors: schema_conflict, and those of reading.
  result<> load_schema() {
    auto marked = self().storage_.read([&](auto& view) -> result<> {
      // A damaged mark is none: the migrations look through their tables once more.
      auto mark = history::get_sealed(view, history::area::meta, migration_mark);
      schema_.load_mark(self().options_.descriptor, mark ? *mark : std::optional<bytes_view>{});
      return {};
    });
    if (!marked) return marked;
    if (auto done = compare_schemas(); !done && done.error().code != errc::quarantined) return done;
    if (!conflicts_.empty() && !self().options_.accept_schema_conflicts) return conflicts_.front();
    return {};
  }
  /// After changesets of peers. What cannot be read now is compared at the next opening.
  void integrated(const intake& batch) {
    if (batch.names(schema_table)) static_cast<void>(compare_schemas());
  }

  schema_ledger schema_;

 private:
  Engine& self() noexcept { return static_cast<Engine&>(*this); }
  const Engine& self() const noexcept { return static_cast<const Engine&>(*this); }
  auto reader() {
    return [this](std::string_view table) { return self().record(schema_table, table); };
  }
  result<> compare_schemas() {
    auto done = schema_.compare(self().options_.descriptor, self().state_.names,
                                self().state_.replicas, reader());
    if (!done) return done;
    auto found = schema_.conflicts();
    done = self().compare_local(found);
    conflicts_ = std::move(found);
    return done;
  }

  std::vector<error> conflicts_;
};

}  // namespace joinery::detail
