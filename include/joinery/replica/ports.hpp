// ports: what the façade asks of an engine, whatever that stores in.
//
// Purpose: the line between a program's schema and everything else. Above it are templates over the
// schema that only bind structs to records; below it is an engine, which a program compiles once
// (replica/separate.hpp).
// Invariants: those of the engine. What reads gives what it finds or throws `failure`.
// Thread-safety: as the engine; an image's are for any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "joinery/base/function_ref.hpp"
#include "joinery/base/result.hpp"
#include "joinery/causal/version.hpp"
#include "joinery/crypto/hash.hpp"
#include "joinery/replica/change_feed.hpp"
#include "joinery/replica/index_query.hpp"
#include "joinery/replica/options.hpp"
#include "joinery/replica/status.hpp"
#include "joinery/schema/access.hpp"
#include "joinery/state/conflict.hpp"

namespace joinery {

template <class Storage>
class engine;

namespace detail {

template <class Storage>
class engine_face;

/// A record that was read.
class row_record : public schema::record_access {
 public:
  [[nodiscard]] virtual bytes_view key() const noexcept = 0;
};

/// A record inside a write transaction.
class draft_record : public schema::record_access {
 public:
  [[nodiscard]] virtual bool alive() const noexcept = 0;
  /// Makes the record: afresh when it is dead, as a touch when it lives.
  virtual void create() = 0;
  /// False when there is nothing to erase.
  virtual bool erase() = 0;
};

/// Where the record of a table stands: its declaration, as far as writing needs it.
struct table_place {
  std::string_view name;
  schema::delete_rule rule{};
  std::int64_t rank = 0;
  bool local = false;  ///< one that never leaves the device
};

/// A transaction's records.
class drafts_port {
 public:
  virtual ~drafts_port() = default;
  /// The draft of a record, the same for the same key. Throws `failure`: invalid_argument,
  /// too_large, and read errors.
  virtual draft_record& draft_of(const table_place& table, std::string_view key) = 0;
};

/// A record that migrations look at.
class migrated_record {
 public:
  virtual ~migrated_record() = default;
  /// A fresh draft of it, whose changes yield to all others.
  virtual draft_record& fresh_draft() = 0;
  /// Whether the last draft has changes.
  [[nodiscard]] virtual bool changed() = 0;
  /// The changes of the last draft are to be made.
  virtual void keep() = 0;
};

/// Tables to be read: the shared ones, or those that never leave the device.
class reading_port {
 public:
  virtual ~reading_port() = default;
  /// The living record; null when there is none.
  virtual std::unique_ptr<row_record> find(std::string_view table, bytes_view key) = 0;
  /// Walks the living records in key order, from `from` on; `each` may return false to stop.
  virtual void for_each(std::string_view table, bytes_view from,
                        function_ref<bool(row_record&)> each) = 0;
};

class tables_port : public reading_port {
 public:
  /// What is in `packed`, as the record under `key`; null when it does not live.
  virtual std::unique_ptr<row_record> row(std::string_view table, bytes_view key,
                                          shared_bytes packed) = 0;
  /// Walks the living records that an index lists, behind `cursor` when it is not empty:
  /// `each(value, key, packed)`.
  virtual void scan_index(index_query q, bytes_view cursor,
                          function_ref<bool(bytes_view, bytes_view, const shared_bytes&)> each) = 0;
  /// The cursor that stands behind an entry.
  virtual bytes cursor_behind(const index_query& q, bytes_view value, bytes_view key) = 0;
  /// Shows the living records of a table to `fill`, and commits what it keeps in changesets of
  /// bounded size; gives how many records it changed.
  virtual result<std::size_t> amend(const table_place& table,
                                    function_ref<void(migrated_record&)> fill) = 0;
  virtual result<> note_migrated() = 0;
};

/// The state at one version.
class image_port {
 public:
  virtual ~image_port() = default;
  virtual reading_port& tables(bool local) = 0;
  [[nodiscard]] virtual const causal::version& seen() const noexcept = 0;
  [[nodiscard]] virtual const causal::roster& replicas() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t position() const noexcept = 0;
  virtual result<crypto::digest> digest() = 0;
  virtual result<std::vector<state::conflict>> conflicts() = 0;
};

/// What became of a transaction in a group.
struct gathered {
  std::optional<causal::dot> at;  ///< its changeset's; nothing when it shares none
  bool waits = false;             ///< it is durable once `commit_gathered` returns
  bool enough = false;            ///< and that should be called now
};

class engine_port {
 public:
  virtual ~engine_port() = default;
  virtual tables_port& tables(bool local) = 0;
  /// Runs `body` and commits what it did. See `replica::write`.
  virtual result<std::optional<causal::dot>> write(function_ref<void(drafts_port&)> body) = 0;
  /// The same without storing it yet: see committing.hpp. `settle` is called when what was gathered
  /// before has to be committed first; what it gives as an error fails this call.
  virtual result<gathered> gather(function_ref<void(drafts_port&)> body,
                                  function_ref<result<>()> settle) = 0;
  virtual result<> commit_gathered() = 0;
  virtual subscription watch(watch_filter filter, change_feed::callback call) = 0;
  virtual result<std::shared_ptr<image_port>> read_now() = 0;
  virtual result<crypto::digest> digest() = 0;
  virtual result<std::vector<state::conflict>> conflicts() = 0;
  [[nodiscard]] virtual replica_status status() const = 0;
  virtual void note_migration_error(std::optional<error> e) = 0;
  virtual result<std::optional<causal::dot>> close_membership() = 0;
  virtual result<std::optional<causal::dot>> admit(const replica_id& id,
                                                   const std::string& name) = 0;
  virtual result<std::optional<causal::dot>> evict(const replica_id& id) = 0;
  virtual result<std::vector<member>> members() = 0;
  virtual result<> tend() = 0;
  virtual result<> checkpoint() = 0;
  virtual result<> flush() = 0;
};

/// Opens an engine over `storage`. Defined in replica/engine_face.hpp.
template <class Storage>
result<std::unique_ptr<engine_port>> open_engine(Storage storage, replica_options options);
/// Opens one in what `where` names. Defined with each kind of storage.
template <class Where>
result<std::unique_ptr<engine_port>> open_engine_at(Where where, replica_options options);

}  // namespace detail
}  // namespace joinery
