// tail_progress: folds what is pending into records, one record at a time.
//
// Purpose: what a replica does with its tail (pending_tail.hpp) as records are needed, and what a
// reader's image does with it for itself.
// Invariants: a record is folded whole, in one moment under the lock that is given, or not at all;
// whatever it or its parts already hold is passed over, as in any replay.
// Thread-safety: none; guarded by its owner.
#pragma once

#include "joinery/replica/pending_tail.hpp"
#include "joinery/replica/record_folding.hpp"

namespace joinery::detail {

class tail_progress {
 public:
  tail_progress() = default;
  explicit tail_progress(shared_tail tail) : tail_(std::move(tail)) {
    if (tail_) done_.assign(left_ = tail_->records().size(), false);
  }

  /// What is left to fold of a record; null when nothing is.
  [[nodiscard]] const pending_tail::record* find(state::name_index table, bytes_view key) const {
    const auto* r = tail_->find(table, key);
    return r != nullptr && !done_[r->number] ? r : nullptr;
  }
  /// Any record that something is left of; null when there is none.
  [[nodiscard]] const pending_tail::record* next() {
    if (left_ == 0) return nullptr;
    while (done_[next_]) ++next_;
    return &tail_->records()[next_];
  }

  /// Folds what is left of a record, and of the parts of its large fields. `lock` is held while
  /// records change. One that is damaged is left out, or an error, as `damaged` says. `may_grow`:
  /// see record_folding.hpp.
  template <state::cold_records C, class Lock, class F>
  result<> fold(const pending_tail::record& r, state::working_set& records, C& cold,
                damaged_records damaged, part_rules& rules, Lock& lock, F&& may_grow) {
    auto slot = records.load(cold, r.table, r.key);
    if (!slot && !passes_over(slot.error(), damaged)) return slot.error();
    if (slot) {
      if (auto done = load_parts(r, **slot, records, cold, rules, damaged); !done) return done;
      const std::lock_guard guard(lock);
      fold(r, **slot, records, rules, may_grow);
    }
    pass_over(r);
    return {};
  }
  /// A record that is left is not to be folded.
  void pass_over(const pending_tail::record& r) {
    done_[r.number] = true;
    --left_;
  }

 private:
  static state::field_id field_of(const pending_tail::member& by, const codec::record_op& op) {
    if (!crdt::carries_delta(op.action)) return {};
    return {by.names[op.field], op.type};
  }

  template <state::cold_records C>
  result<> load_parts(const pending_tail::record& r, state::working_set::slot& slot,
                      state::working_set& records, C& cold, const part_rules& rules,
                      damaged_records damaged) const {
    result<> outcome;
    tail_->for_each_step(r, [&](const auto& step) {
      for (auto i = step.first; i < step.end && outcome; ++i) {
        const auto& op = step.by->parsed.ops[i];
        if (!may_concern_part(op)) continue;
        const auto part =
            load_part(records, cold, rules, slot, op, field_of(*step.by, op), damaged);
        if (!part) outcome = part.error();
      }
    });
    return outcome;
  }

  template <class F>
  void fold(const pending_tail::record& r, state::working_set::slot& slot,
            state::working_set& records, part_rules& rules, F&& may_grow) const {
    causal::version space;
    bool first = true;
    tail_->for_each_step(r, [&](const auto& step) {
      const auto& m = *step.by;
      // The parts that the record named were looked up; others are made in this very fold.
      if (std::exchange(first, false)) rules.prepared = std::max(slot.position, m.position - 1);
      const causal::stamp by{m.at, m.parsed.time, tail_->context_of(m, space)};
      record_folding folding{records, rules, &slot, m.position};
      for (auto i = step.first; i < step.end; ++i) {
        const auto& op = m.parsed.ops[i];
        folding.apply(op, field_of(m, op), i, by, may_grow);
      }
      folding.finish();
    });
  }

  shared_tail tail_;
  std::vector<bool> done_;  // by a record's number
  std::size_t left_ = 0;
  std::size_t next_ = 0;
};

}  // namespace joinery::detail
