// schema_ledger: keeps a program's schema and its space's together.
//
// Purpose: adds a table's descriptor to the first changeset that touches it, and knows what the
// space says otherwise than the program.
// Invariants: reading never writes; a descriptor that the space has is not written again.
// Thread-safety: none; guarded by its engine.
#pragma once

#include <set>

#include "joinery/codec/descriptor.hpp"
#include "joinery/replica/space_schema.hpp"

namespace joinery::detail {

class schema_ledger {
 public:
  explicit schema_ledger(const schema::descriptor& ours) : told_(ours.tables.size(), false) {}

  /// `changes` with the descriptors of the tables in it that the space lacks; nothing when it lacks
  /// none. `read(key) -> result<bytes_view>` gives a record of `schema_table`.
  template <class Read>
  result<std::optional<codec::changeset_writer>> completed(const schema::descriptor& ours,
                                                           const codec::changeset_writer& changes,
                                                           const state::name_table& names,
                                                           Read&& read) {
    std::optional<codec::changeset_writer> out;
    for (std::size_t t = 0; t < ours.tables.size(); ++t) {
      const auto& table = ours.tables[t];
      if (told_[t] || !changes.has_table(table.name)) continue;
      const auto packed = read(table.name);
      if (!packed) return packed.error();
      auto missing = missing_of(table, schema_record{*packed, names});
      if (missing.empty()) {
        told_[t] = true;
        continue;
      }
      if (!out) out = changes;
      for (auto& op : missing) out->add(schema_table, table.name, std::move(op));
    }
    return out;
  }

  /// Compares the program's tables with the space's.
  template <class Read>
  result<> compare(const schema::descriptor& ours, const state::name_table& names,
                   const causal::roster& replicas, Read&& read) {
    std::vector<error> found;
    for (const auto& table : ours.tables) {
      const auto packed = read(table.name);
      if (!packed) return packed.error();
      auto more = contradictions(table, read_described(table.name, *packed, names, replicas));
      std::move(more.begin(), more.end(), std::back_inserter(found));
    }
    conflicts_ = std::move(found);
    return {};
  }

  // --- Whether migrations have run: noted in the store, for this program, until a change to a
  // field that is migrated from comes in, or another program writes ---

  void load_mark(const schema::descriptor& ours, std::optional<bytes_view> stored) {
    for (const auto& table : ours.tables)
      for (const auto& f : table.fields)
        for (const auto& was : f.formers) formers_.insert(was.name);
    own_mark_ = mark_of(ours);
    mark_there_ = stored.has_value();
    done_ = mark_there_ && *stored == own_mark_;
  }
  [[nodiscard]] bool migration_due() const noexcept { return !formers_.empty() && !done_; }
  [[nodiscard]] const bytes& own_mark() const noexcept { return own_mark_; }
  void marked() noexcept { mark_there_ = done_ = true; }

  /// Whether the mark must go with the changesets that are being stored.
  template <class Accepted>
  [[nodiscard]] bool undoes_mark(const Accepted& changesets, bool own) const {
    if (!mark_there_) return false;
    if (!done_) return true;  // another program's
    if (own) return false;
    return std::any_of(changesets.begin(), changesets.end(), [&](const auto& a) {
      const auto& names = a->parsed.names;
      return std::any_of(names.begin(), names.end(),
                         [&](bytes_view name) { return formers_.contains(std::string{name}); });
    });
  }
  /// Whether an own change undoes it: only a mark of another program.
  [[nodiscard]] bool own_undoes_mark() const noexcept { return mark_there_ && !done_; }
  void mark_undone() noexcept { mark_there_ = done_ = false; }

  std::optional<error> last_migration_error;

  [[nodiscard]] const std::vector<error>& conflicts() const noexcept { return conflicts_; }

 private:
  static bytes mark_of(const schema::descriptor& ours) {
    bytes out;
    byte_writer{out}.fixed64(codec::fingerprint(ours));
    return out;
  }

  std::vector<bool> told_;  // by table: whether the space was seen to have its descriptor
  std::vector<error> conflicts_;
  std::set<std::string> formers_;  // names of fields that are migrated from
  bytes own_mark_;
  bool mark_there_ = false;
  bool done_ = false;
};

}  // namespace joinery::detail
