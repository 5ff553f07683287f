// membership_methods: the part of the engine that concerns members.
//
// Purpose: what a program may ask and decide (docs/semantics.md, Members), what a session asks, and
// the engine's steps of clean-up.
// Invariants: those of the engine, which this is a base of and whose parts it uses.
// Thread-safety: as the engine.
#pragma once

#include "joinery/replica/membership_changes.hpp"
#include "joinery/replica/upkeep.hpp"

namespace joinery::detail {

template <class Engine>
class membership_methods {
 public:
  /// Closes the membership: from then on only members take part. This replica and every origin that
  /// it knows are the first. Gives the changeset's dot; nothing when it is closed already.
  result<std::optional<causal::dot>> close_membership() {
    return decide([](membership_changes& changes) { return changes.close(); });
  }
  /// Admits a replica, or names a member. Errors: not_a_member (this one is none),
  /// invalid_argument (open membership, an evicted id).
  result<std::optional<causal::dot>> admit(const replica_id& id, const std::string& name = "") {
    return decide([&](membership_changes& changes) { return changes.admit(id, name); });
  }
  /// Evicts a replica, and with it those that only it admitted. Errors: as `admit`, and not_found.
  result<std::optional<causal::dot>> evict(const replica_id& id) {
    return decide([&](membership_changes& changes) { return changes.evict(id); });
  }
  /// Everyone who was ever admitted; empty while the membership is open.
  result<std::vector<member>> members() {
    auto& e = whole();
    auto cold = e.cold_but_tail();
    return e.upkeep_.list(e.storage_, e.state_, cold);
  }

  /// Whether changesets may be exchanged with `peer`. Errors: not_a_member.
  result<> admits(const replica_id& peer) {
    auto& e = whole();
    auto cold = e.cold_but_tail();
    return e.upkeep_.admits(peer, e.state_, cold);
  }

 protected:
  result<> clean_up_step() {
    auto& e = whole();
    if (e.tail_) return {};  // until all is folded in
    auto cold = e.cold();
    return e.upkeep_.step(e.storage_, e.state_, cold, e.retention_.floor(), e.durable_.position(),
                          e.options_.clean_up_records, e.state_.records.dirty_count() == 0);
  }
  void members_after_write() {
    auto& e = whole();
    auto cold = e.cold_but_tail();
    e.upkeep_.reread(e.state_, cold);
    if (e.upkeep_.due_after_write())
      static_cast<void>(clean_up_step());  // what fails is tried again by `tend`
  }
  result<> tend_members() {
    auto& e = whole();
    if (auto done = clean_up_step(); !done) return done;
    if (e.upkeep_.should_acknowledge(e.state_, e.now_ms(), e.options_.acknowledge_after_ms))
      if (auto done = e.append(codec::changeset_writer{}); !done) return done.error();
    return {};
  }

 private:
  Engine& whole() { return static_cast<Engine&>(*this); }

  // Commits what `body` decides.
  template <class F>
  result<std::optional<causal::dot>> decide(F&& body) {
    auto& e = whole();
    auto cold = e.cold_but_tail();
    if (auto done = e.upkeep_.refresh(e.state_, cold); !done) return done.error();
    membership_changes changes{
        e.state_, e.upkeep_.members(),
        [&e](std::string_view table, bytes_view key) { return e.record(table, key); }};
    if (result<> done = body(changes); !done) return done.error();
    return e.commit(changes.operations());
  }
};

}  // namespace joinery::detail
