// draft: a record inside a write transaction.
//
// Purpose: collects the operations on one record. What was written is visible to later reads in the
// same transaction; only a field that is read again after a change is copied, never the record.
// Invariants: operations stand in the order in which they were made, coalesced where that changes
// nothing; an update of a dead record is refused.
// Thread-safety: none; lives in its transaction.
#pragma once

#include <map>

#include "joinery/codec/changeset.hpp"
#include "joinery/crdt/coalesce.hpp"
#include "joinery/replica/row.hpp"

namespace joinery::detail {

/// What a draft needs of its transaction.
class draft_source {
 public:
  virtual ~draft_source() = default;
  /// The committed record, packed. Valid until the next call.
  virtual bytes_view committed(std::string_view table, bytes_view key) = 0;
  [[nodiscard]] virtual const state::name_table& names() const = 0;
  [[nodiscard]] virtual const causal::roster& replicas() const = 0;
  /// The stamp that the transaction will have.
  [[nodiscard]] virtual causal::stamp stamp() const = 0;
};

class draft final : public schema::record_access {
 public:
  using op = codec::changeset_writer::op;

  /// For changes that are no touch, and yield to all others: see `crdt::cell_action::amend`.
  struct amending {};
  static constexpr amending amends{};

  draft(draft_source& from, std::string_view table, schema::delete_rule rule, bytes key, amending)
      : draft(from, table, rule, std::move(key), crdt::yielding_rank) {
    update_ = crdt::cell_action::amend;
  }
  draft(draft_source& from, std::string_view table, schema::delete_rule rule, bytes key,
        std::int64_t rank = 0)
      : from_(from), table_(table), rule_(rule), rank_(rank), key_(std::move(key)) {
    const auto cell = crdt::read_cell(from_.committed(table_, key_));
    incarnation_ = cell.incarnation;
    alive_ = cell.alive();
  }

  [[nodiscard]] bool is_from(const draft_source& s) const noexcept { return &from_ == &s; }
  [[nodiscard]] bool alive() const noexcept { return alive_; }
  [[nodiscard]] std::string_view table() const noexcept { return table_; }
  [[nodiscard]] bytes_view key() const noexcept { return key_; }
  [[nodiscard]] std::vector<op>& ops() noexcept { return ops_; }

  /// Makes the record: afresh when it is dead, as a touch when it lives. Every other change is a
  /// touch too.
  void create() {
    if (!alive_) {
      ++incarnation_;
      if (incarnation_ > codec::max_incarnation)
        throw failure(
            {errc::overflow, "a record was re-created too often", where(), "use another key"});
      fresh_ = true;
      alive_ = true;
      start_over();
    }
    if (std::exchange(touched_, true)) return;
    ops_.push_back({crdt::cell_action::create, incarnation_, {}, {}, {}});
  }
  /// False when there is nothing to erase.
  bool erase() {
    if (!alive_) return false;
    alive_ = false;
    ops_.push_back({rule_ == schema::delete_rule::delete_wins ? crdt::cell_action::erase_final
                                                              : crdt::cell_action::erase,
                    incarnation_,
                    {},
                    {},
                    {}});
    start_over();
    return true;
  }

  bytes_view state(std::string_view field, crdt::shape type) override {
    const auto changed = changed_.find({field, type});
    if (changed == changed_.end()) return base(field, type);
    auto& c = changed->second;
    if (!c.copied) {
      c.state = base(field, type);
      c.copied = true;
    }
    for (; c.applied < c.deltas.size(); ++c.applied)
      crdt::apply(type, c.state, c.deltas[c.applied], from_.stamp()).onto(c.state);
    return c.state;
  }

  void change(std::string_view field, crdt::shape type, bytes delta) override {
    if (!alive_)
      throw failure({errc::dead_record, "a change to a record that is deleted or was never made",
                     where() + " field " + std::string{field}, "create it first"});
    touched_ = touched_ || update_ == crdt::cell_action::update;
    auto& c = changed_[{field, type}];
    c.deltas.push_back(delta);
    const auto [last, fresh] =
        c.last_op.try_emplace(bytes{crdt::coalescing_key(type, delta)}, ops_.size());
    if (!fresh) {
      if (auto both = crdt::coalesce(type, ops_[last->second].delta, delta)) {
        ops_[last->second].delta = std::move(*both);
        return;
      }
      last->second = ops_.size();
    }
    ops_.push_back({update_, incarnation_, field, type, std::move(delta)});
  }

  [[nodiscard]] const causal::roster& replicas() const override { return from_.replicas(); }
  [[nodiscard]] causal::replica_index self() const override { return from_.stamp().at.replica; }
  [[nodiscard]] std::int64_t rank() const override { return rank_; }
  [[nodiscard]] std::string where() const override {
    return std::string{table_} + "[" + row_access::printable(key_) + "]";
  }

 private:
  struct changed_field {
    std::vector<bytes> deltas;
    std::map<bytes, std::size_t> last_op;  // by coalescing key: index into ops_
    bytes state;
    std::size_t applied = 0;
    bool copied = false;
  };

  // Operations before this point concern another life of the record: they are neither seen nor
  // coalesced with.
  void start_over() {
    changed_.clear();
    touched_ = false;
  }

  bytes_view base(std::string_view field, crdt::shape type) {
    if (fresh_ || !alive_) return {};
    const auto name = from_.names().find(field);
    if (!name) return {};
    return state::field_state(crdt::read_cell(from_.committed(table_, key_)).value, {*name, type});
  }

  draft_source& from_;
  std::string_view table_;
  schema::delete_rule rule_;
  std::int64_t rank_;
  crdt::cell_action update_ = crdt::cell_action::update;
  bytes key_;
  std::uint64_t incarnation_ = 0;
  bool alive_ = false;
  bool fresh_ = false;
  bool touched_ = false;  // by an operation of this life
  std::vector<op> ops_;
  std::map<std::pair<std::string_view, crdt::shape>, changed_field> changed_;
};

}  // namespace joinery::detail
