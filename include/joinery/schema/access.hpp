// record_access: where a field handle reads from and writes to.
//
// Purpose: the edge between the handles in the user's struct and whoever holds the packed record: a
// row that was read, a transaction, or an entry of a map.
// Invariants: `state` is the packed state of the field's CRDT, empty when it was never written; the
// view is valid until the next call. Fields of entries (sets, tallies, maps) may be large, and are
// asked part by part.
// Thread-safety: as the object behind it.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "joinery/base/error.hpp"
#include "joinery/base/shared_bytes.hpp"
#include "joinery/causal/roster.hpp"
#include "joinery/crdt/kind.hpp"

namespace joinery::schema {

/// A state that holds some of a field's entries. The view is valid until the field is changed.
struct part_of_field {
  shared_bytes keeps;
  bytes_view state;
};

class record_access {
 public:
  /// Gets parts, in order, until it says false. It may read and change the record.
  using part_visitor = std::function<bool(bytes_view)>;

  virtual ~record_access() = default;
  virtual bytes_view state(std::string_view field, crdt::shape type) = 0;
  /// For fields of entries: what holds the entry under `element` (encoded), if there is one.
  virtual part_of_field part(std::string_view field, crdt::shape type, bytes_view element) {
    static_cast<void>(element);
    return {{}, state(field, type)};
  }
  /// Visits all entries from that under `element` on; some before it may be among them.
  virtual void for_each_part(std::string_view field, crdt::shape type, bytes_view element,
                             const part_visitor& each) {
    static_cast<void>(element);
    const bytes copy{state(field, type)};
    each(copy);
  }
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
