// draft: a record inside a write transaction.
//
// Purpose: collects the operations on one record. What was written is visible to later reads in the
// same transaction; only a field that is read again after a change is copied, never the record; of
// a large one the parts that were changed.
// Invariants: operations stand in the order in which they were made, coalesced where that changes
// nothing; an update of a dead record is refused.
// Thread-safety: none; lives in its transaction.
#pragma once

#include <map>

#include "joinery/codec/changeset.hpp"
#include "joinery/crdt/coalesce.hpp"
#include "joinery/replica/row_access.hpp"

namespace joinery::detail {

/// What a draft needs of its transaction.
class draft_source {
 public:
  virtual ~draft_source() = default;
  /// The committed record, packed. Valid until the next call.
  virtual bytes_view committed(std::string_view table, bytes_view key) = 0;
  /// Where large fields are read from; null where there are none.
  virtual state::part_source* parts() { return nullptr; }
  [[nodiscard]] virtual const state::name_table& names() const = 0;
  [[nodiscard]] virtual const causal::roster& replicas() const = 0;
  /// The stamp that the transaction will have.
  [[nodiscard]] virtual causal::stamp stamp() const = 0;
};

class draft final : public draft_record {
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
  [[nodiscard]] bool alive() const noexcept override { return alive_; }
  [[nodiscard]] std::string_view table() const noexcept { return table_; }
  [[nodiscard]] bytes_view key() const noexcept { return key_; }
  [[nodiscard]] std::vector<op>& ops() noexcept { return ops_; }

  /// Makes the record: afresh when it is dead, as a touch when it lives. Every other change is a
  /// touch too.
  void create() override {
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
  bool erase() override {
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
    if (changed == changed_.end()) return whole_base(field, type);
    auto& c = changed->second;
    if (!c.copied) {
      c.state = whole_base(field, type);
      c.copied = true;
    }
    for (; c.applied < c.deltas.size(); ++c.applied)
      crdt::apply(type, c.state, c.deltas[c.applied], from_.stamp()).onto(c.state);
    return c.state;
  }

  schema::part_of_field part(std::string_view field, crdt::shape type,
                             bytes_view element) override {
    const auto found = base(field, type);
    if (!found.parts) return {{}, state(field, type)};
    if (auto* c = changed_part(field, type, state::beginning(element)))
      return {{}, now(*c, field, type, found, element)};
    schema::part_of_field out{from_.parts()->part(group(found), element), {}};
    out.state = out.keeps;
    return out;
  }

  void for_each_part(std::string_view field, crdt::shape type, bytes_view element,
                     const part_visitor& each) override {
    const auto found = base(field, type);
    if (!found.parts) return record_access::for_each_part(field, type, element, each);
    bytes next{state::beginning(element)};
    // Shows the parts that were changed from `next` on, to below `end`, or to the last.
    const auto show_changed = [&](std::optional<bytes_view> end) {
      for (;;) {
        auto* all = changed_parts(field, type);
        if (all == nullptr) return true;
        const auto at = all->lower_bound(next);
        if (at == all->end() || (end && at->first >= *end)) return true;
        next = at->first + '\0';
        const bytes copy{now(at->second, field, type, found, at->first)};
        if (!each(copy)) return false;
      }
    };
    bool going = true;
    from_.parts()->for_each_part(group(found), element, [&](bytes_view begins, bytes_view part) {
      going = show_changed(begins);
      if (!going || next > begins) return going;
      const bool changed = changed_part(field, type, begins) != nullptr;
      const bytes until{begins};
      going = changed ? show_changed(until + '\0') : each(part);
      next = std::max(next, until + '\0');
      return going;
    });
    if (going) show_changed({});
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
  // A part with the deltas that concern it.
  struct changed_copy {
    std::vector<std::size_t> deltas;  // indexes into those of the field
    bytes state;
    std::size_t applied = 0;
    bool copied = false;
  };
  struct changed_field {
    std::vector<bytes> deltas;
    std::map<bytes, std::size_t> last_op;  // by coalescing key: index into ops_
    bytes state;
    std::size_t applied = 0;
    bool copied = false;
    std::map<bytes, changed_copy, std::less<>> parts;  // of a large one that is read; by beginning
    std::size_t sorted = 0;                            // deltas that are in `parts`
  };

  // Operations before this point concern another life of the record: they are neither seen nor
  // coalesced with.
  void start_over() {
    changed_.clear();
    touched_ = false;
  }

  [[nodiscard]] state::packed_field base(std::string_view field, crdt::shape type) {
    if (fresh_ || !alive_) return {};
    const auto name = from_.names().find(field);
    if (!name) return {};
    return state::find_field(crdt::read_cell(from_.committed(table_, key_)).value, {*name, type});
  }
  // A large field is put together: for those who cannot go from part to part.
  bytes_view whole_base(std::string_view field, crdt::shape type) {
    const auto found = base(field, type);
    if (!found.parts) return found.state;
    auto& whole = whole_[{field, type}];
    whole.clear();
    from_.parts()->for_each_part(group(found), {}, [&](bytes_view, bytes_view part) {
      whole += part;
      return true;
    });
    return whole;
  }

  [[nodiscard]] state::part_group group(const state::packed_field& f) const {
    return {from_.names().find(table_).value_or(0), key_, f.id, f.parts};
  }
  std::map<bytes, changed_copy, std::less<>>* changed_parts(std::string_view field,
                                                            crdt::shape type) {
    const auto changed = changed_.find({field, type});
    if (changed == changed_.end()) return nullptr;
    auto& c = changed->second;
    for (; c.sorted < c.deltas.size(); ++c.sorted) {
      const auto element = crdt::coalescing_key(type, c.deltas[c.sorted]);
      c.parts[bytes{state::beginning(element)}].deltas.push_back(c.sorted);
    }
    return &c.parts;
  }
  changed_copy* changed_part(std::string_view field, crdt::shape type, bytes_view begins) {
    auto* all = changed_parts(field, type);
    if (all == nullptr) return nullptr;
    const auto at = all->find(begins);
    return at == all->end() ? nullptr : &at->second;
  }
  bytes_view now(changed_copy& c, std::string_view field, crdt::shape type,
                 const state::packed_field& found, bytes_view element) {
    if (!c.copied) c.state = bytes{from_.parts()->part(group(found), element)};
    c.copied = true;
    const auto& deltas = changed_.find({field, type})->second.deltas;
    for (; c.applied < c.deltas.size(); ++c.applied)
      crdt::apply(type, c.state, deltas[c.deltas[c.applied]], from_.stamp()).onto(c.state);
    return c.state;
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
  std::map<std::pair<std::string_view, crdt::shape>, bytes> whole_;
};

}  // namespace joinery::detail
