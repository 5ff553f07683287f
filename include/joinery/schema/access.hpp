// record_access: where a field handle reads from and writes to.
//
// Purpose: the edge between the handles in the user's struct and whoever holds the packed record: a
// row that was read, a transaction, or an entry of a map.
// Invariants: `state` is the packed state of the field's CRDT, empty when it was never written; the
// view is valid until the next call.
// Thread-safety: as the object behind it.
#pragma once

#include <memory>
#include <string_view>

#include "joinery/base/error.hpp"
#include "joinery/causal/roster.hpp"
#include "joinery/crdt/kind.hpp"

namespace joinery::schema {

class record_access {
 public:
  virtual ~record_access() = default;
  virtual bytes_view state(std::string_view field, crdt::shape type) = 0;
  /// Makes a delta part of the transaction. Throws `failure`: read_only outside one, dead_record
  /// after a delete.
  virtual void change(std::string_view field, crdt::shape type, bytes delta) = 0;
  [[nodiscard]] virtual const causal::roster& replicas() const = 0;
  /// The index of the replica that writes.
  [[nodiscard]] virtual causal::replica_index self() const = 0;
  /// What a write to a register carries as its authority.
  [[nodiscard]] virtual std::int64_t rank() const { return 0; }
  /// The record's name, for messages.
  [[nodiscard]] virtual std::string where() const = 0;
  /// A copy for whoever may outlive this, when this is part of a handle; null when this lives as
  /// long as its row or transaction.
  [[nodiscard]] virtual std::shared_ptr<record_access> keep() const { return nullptr; }
};

}  // namespace joinery::schema
