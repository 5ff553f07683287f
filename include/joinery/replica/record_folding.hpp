// record_folding: applies a changeset's operations to one record, wherever its fields are.
//
// Purpose: an operation on a large field goes to the part of its element; a field that outgrows its
// record is taken apart at once, so that no operation of a long changeset works on a long string.
// Invariants: a part, like a record, passes over what it already holds: each has its own position.
// What was taken out of a record is written to the snapshot before the record is. Parts count as
// changed only in `finish`, so that all operations of one changeset find the position from before.
// Thread-safety: none; lives for one record of one changeset.
#pragma once

#include "joinery/codec/changeset.hpp"
#include "joinery/crdt/coalesce.hpp"
#include "joinery/state/large_field.hpp"
#include "joinery/state/working_set.hpp"

namespace joinery::detail {

/// What becomes of a changeset that touches damaged records.
enum class damaged_records {
  refused,         ///< it is an error
  known_left_out,  ///< those in quarantine are passed over
  left_out,        ///< also those that are met just now
};
inline bool passes_over(const error& e, damaged_records damaged) {
  return (e.code == errc::quarantined && damaged != damaged_records::refused) ||
         (e.code == errc::checksum && damaged == damaged_records::left_out);
}

/// The part of an operation's element, looked up before the operation is folded.
struct looked_up_part {
  state::generation made;
  state::working_set::slot* at = nullptr;
};

/// Whether an operation goes to a part where its field stands apart.
constexpr bool may_concern_part(const codec::record_op& op) noexcept {
  return crdt::carries_delta(op.action) && state::has_entries(op.type);
}

/// When fields become large, and which parts count.
struct part_rules {
  std::size_t threshold = ~std::size_t{0};  ///< a field above this many bytes is taken apart
  std::uint32_t epoch = 0;                  ///< of generations that are made now
  /// Nothing of a generation made after this log position was given to the storage yet.
  std::uint64_t stored = ~std::uint64_t{0};
  std::uint64_t prepared = 0;  ///< parts of generations up to this log position were looked up
  bool sweep_due = true;       ///< some generation may be in no record any more
  // Of whoever folds: memory that is used again, and the parts that one record's operations change.
  state::op_scratch scratch;
  std::vector<state::working_set::slot*> taken_out;
  std::vector<state::working_set::slot*> touched;

  [[nodiscard]] bool is_in_memory(state::generation made) const noexcept {
    return made.epoch == epoch && made.position() > stored;
  }
};

/// Reads in the part that an operation on a record in memory goes to; none when it goes to no part,
/// or to a damaged one. Precondition: the operation, on `field`, may concern one.
template <state::cold_records C>
result<looked_up_part> load_part(state::working_set& records, C& cold, const part_rules& rules,
                                 const state::working_set::slot& slot, const codec::record_op& op,
                                 state::field_id field, damaged_records damaged) {
  const looked_up_part none;
  const auto cell = crdt::read_cell(slot.packed);
  const auto found = state::find_field(cell.value, field);
  if (!found.parts || cell.incarnation != op.incarnation) return none;
  const auto [table, key] = slot.name();
  const auto name = state::short_part_key({table, key, field, found.parts},
                                          crdt::coalescing_key(op.type, op.delta));
  if (rules.is_in_memory(found.parts))
    return looked_up_part{found.parts, &records.obtain(state::parts_of(table), name)};
  auto part = records.load(cold, state::parts_of(table), name);
  if (part) return looked_up_part{found.parts, *part};
  if (!passes_over(part.error(), damaged)) return part.error();
  return none;
}

class record_folding {
 public:
  using slot = state::working_set::slot;

  /// `place`: null when the record is damaged, and left out.
  record_folding(state::working_set& records, part_rules& rules, slot* place,
                 std::uint64_t position)
      : records_(records), rules_(rules), slot_(place), position_(position) {
    if (slot_ == nullptr) return;
    before_ = slot_->position;
    folds_ = before_ < position_;
    existed_ = !slot_->packed.empty();
    rules_.taken_out.clear();
    rules_.touched.clear();
  }

  /// Whether the record itself does not stand for the changeset's position yet.
  [[nodiscard]] bool folds() const noexcept { return folds_; }

  /// `may_grow(field_id)`: whether a field may be taken apart. `part`: none when none was looked
  /// up.
  template <class F>
  void apply(const codec::record_op& op, state::field_id field, std::size_t number,
             const causal::stamp& by, F&& may_grow, const looked_up_part& part = {}) {
    if (slot_ == nullptr) return;
    if (!folds_) return catch_up(op, field, by, part);
    const auto done = state::apply_op(slot_->packed, op.action, op.incarnation, field, op.delta, by,
                                      rules_.scratch);
    renewed_ = renewed_ || done.renewed;
    if (done.parts) return apply_to_part(done.parts, field, op.delta, by, part);
    constexpr auto most = std::size_t{1} << state::generation::operation_bits;
    if (done.size > rules_.threshold && state::has_entries(field.type) && number + 1 < most &&
        may_grow(field))
      take_apart(field, number + 1);
  }

  /// Tells the working set what has changed.
  void finish() {
    if (slot_ == nullptr) return;
    if (folds_) {
      rules_.sweep_due = rules_.sweep_due || (existed_ && renewed_);
      records_.changed(*slot_, position_);
    }
    for (auto* part : rules_.taken_out) records_.taken_out(*part, position_, *slot_);
    for (auto* part : rules_.touched) records_.changed(*part, position_);
  }
  [[nodiscard]] bool parts_changed() const noexcept {
    return !rules_.taken_out.empty() || !rules_.touched.empty();
  }

 private:
  // The record is as of this position or a later one; its parts need not be.
  void catch_up(const codec::record_op& op, state::field_id field, const causal::stamp& by,
                const looked_up_part& part) {
    if (!may_concern_part(op)) return;
    const auto cell = crdt::read_cell(slot_->packed);
    if (cell.incarnation != op.incarnation) return;
    const auto found = state::find_field(cell.value, field);
    if (found.parts) apply_to_part(found.parts, field, op.delta, by, part);
  }

  void apply_to_part(state::generation made, state::field_id field, bytes_view delta,
                     const causal::stamp& by, const looked_up_part& known) {
    if (!folds_ && made.position() >= position_) return;  // it began with this
    auto* part = made == known.made ? known.at : find_part(made, field, delta);
    if (part == nullptr) return;
    if (part->position >= position_) return;
    auto& change = rules_.scratch.change;
    crdt::apply(field.type, part->packed, delta, by, change);
    if (change.removed == 0 && change.inserted.empty()) return;
    change.onto(part->packed);
    // What the record's generation began with is not looked for in the log.
    (made.position() == position_ ? rules_.taken_out : rules_.touched).push_back(part);
  }

  // Null when it is to be left out.
  slot* find_part(state::generation made, state::field_id field, bytes_view delta) {
    const auto name = slot_->name();
    const auto table = state::parts_of(name.table);
    const auto key = state::short_part_key({name.table, name.key, field, made},
                                           crdt::coalescing_key(field.type, delta));
    auto* part = records_.find(table, key);
    // Of a generation that was looked up, only a damaged part is not there.
    if (part != nullptr || made.position() <= rules_.prepared) return part;
    return &records_.make(table, key, before_);
  }

  void take_apart(state::field_id field, std::size_t number) {
    const auto name = slot_->name();
    const state::part_group group{name.table, name.key, field,
                                  state::generation::at(rules_.epoch, position_, number)};
    state::take_apart(slot_->packed, field, group.made, [&](bytes_view begins, bytes part) {
      auto& fresh =
          records_.make(state::parts_of(name.table), state::part_key(group, begins), before_);
      fresh.packed = std::move(part);
      rules_.taken_out.push_back(&fresh);
    });
  }

  state::working_set& records_;
  part_rules& rules_;
  slot* slot_;
  std::uint64_t position_;
  std::uint64_t before_ = 0;
  bool folds_ = false;
  bool existed_ = false;
  bool renewed_ = false;
};

}  // namespace joinery::detail
