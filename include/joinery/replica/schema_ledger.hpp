// schema_ledger: keeps a program's schema and its space's together.
//
// Purpose: adds a table's descriptor to the first changeset that touches it, and knows what the
// space says otherwise than the program.
// Invariants: reading never writes; a descriptor that the space has is not written again.
// Thread-safety: none; guarded by its engine.
#pragma once

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
      if (told_[t] || !touches(changes, table.name)) continue;
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

  [[nodiscard]] const std::vector<error>& conflicts() const noexcept { return conflicts_; }

 private:
  static bool touches(const codec::changeset_writer& changes, std::string_view table) {
    const auto at = changes.records().lower_bound({table, bytes{}});
    return at != changes.records().end() && at->first.first == table;
  }

  std::vector<bool> told_;  // by table: whether the space was seen to have its descriptor
  std::vector<error> conflicts_;
};

}  // namespace joinery::detail
