// local_schema: what a store says of its local tables, and whether the program agrees.
//
// Purpose: descriptors of local tables stay with them: records of a table "joinery.schema" among
// the local ones, which no peer sees. A field's kind or type is changed as in a shared table: by a
// declared migration, or not at all. A table cannot become local, or shared, under its name.
// Invariants: as `schema_ledger`, which it uses. A contradiction stops an opening, never a running
// replica.
// Thread-safety: as the engine: one thread at a time.
#pragma once

#include "joinery/replica/local_tables.hpp"
#include "joinery/replica/schema_ledger.hpp"

namespace joinery::detail {

/// The ledger of the local tables, with its mark in the store.
class local_ledger : public schema_ledger {
 public:
  using schema_ledger::schema_ledger;

  template <history::storage_view V>
  void load(V& view, const schema::descriptor& ours) {
    auto mark = history::get_sealed(view, history::area::meta, migration_mark);
    load_mark(ours, mark ? *mark : std::optional<bytes_view>{});
  }
  /// With every commit to local tables.
  template <history::storage_writer W>
  void put(W& to) const {
    if (own_undoes_mark()) to.erase(history::area::meta, migration_mark);
  }
  void stored() noexcept {
    if (own_undoes_mark()) mark_undone();
  }
  /// The migrations of this program have run.
  template <history::storage S>
  result<> note(S& storage) {
    auto done = storage.write([&](auto& writer) -> result<> {
      history::put_sealed(writer, history::area::meta, migration_mark, own_mark());
      return {};
    });
    if (done) marked();
    return done;
  }

 private:
  static constexpr std::string_view migration_mark = "migrated local";
};

/// A base of `local_side`.
template <class Engine>
class local_schema {
 public:
  /// What the store says of its local tables; ascending by name.
  result<std::vector<described_table>> described_tables() {
    std::vector<described_table> out;
    auto& side = static_cast<typename Engine::local_side&>(self());
    auto walked = side.for_each(schema_table, {}, [&](bytes_view key, bytes_view packed) {
      out.push_back(read_described(key, packed, side.names(), side.replicas()));
      return true;
    });
    if (!walked) return walked.error();
    return out;
  }
  /// Notes that this program's migrations of local tables have run. For `replica::migrate`.
  result<> note_migrated() {
    return schema_of_local_.migration_due() ? schema_of_local_.note(self().storage_) : result<>{};
  }

 protected:
  explicit local_schema(const schema::descriptor& ours) : schema_of_local_(ours) {}

  /// `changes` with the descriptors that the store lacks; nothing when it lacks none.
  auto with_local_descriptors(const codec::changeset_writer& changes) {
    return schema_of_local_.completed(self().options_.local_descriptor, changes,
                                      self().state_.local.names, reader());
  }
  [[nodiscard]] bool local_migration_due() const noexcept {
    return schema_of_local_.migration_due();
  }

  /// What the store or the space says otherwise of local tables. Errors: those of reading.
  result<> compare_local(std::vector<error>& found) {
    const auto& options = self().options_;
    const auto& local = self().state_.local;
    if (auto done = schema_of_local_.compare(options.local_descriptor, local.names, local.replicas,
                                             reader());
        !done)
      return done;
    const auto& own = schema_of_local_.conflicts();
    found.insert(found.end(), own.begin(), own.end());
    for (const auto& t : options.local_descriptor.tables) {
      const auto shared = self().record(schema_table, t.name);
      if (!shared) return shared.error();
      if (crdt::read_cell(*shared).alive())
        found.push_back(other_side(t.name, "local_only", "shares it with its peers"));
    }
    for (const auto& t : options.descriptor.tables) {
      bool any = false;
      auto walked = static_cast<typename Engine::local_side&>(self()).for_each(
          t.name, {}, [&](bytes_view, bytes_view) {
            any = true;
            return false;
          });
      if (!walked && walked.error().code != errc::checksum) return walked;
      if (any) found.push_back(other_side(t.name, "shared", "has local records of it"));
    }
    return {};
  }

  Engine& self() noexcept { return static_cast<Engine&>(*this); }
  const Engine& self() const noexcept { return static_cast<const Engine&>(*this); }

  local_ledger schema_of_local_;

 private:
  static error other_side(const std::string& table, const std::string& ours,
                          const std::string& there) {
    return {errc::schema_conflict,
            "this program says that the table is " + ours + ", and the space " + there, table,
            "give the table a new name, and move its records in a transaction"};
  }
  // A descriptor that was damaged is written anew.
  auto reader() {
    return [this](std::string_view table) -> result<shared_bytes> {
      auto packed = static_cast<typename Engine::local_side&>(self()).record(schema_table, table);
      if (!packed && packed.error().code == errc::checksum) return shared_bytes{};
      return packed;
    };
  }
};

}  // namespace joinery::detail
