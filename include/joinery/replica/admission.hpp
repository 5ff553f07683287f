// admission: whose changesets are taken in.
//
// Purpose: in a closed space, a changeset of somebody who does not count could change what others
// have cleaned. So what is not here yet is refused from replicas that all know to be out, and
// from those that wrote before they had seen their admission.
// Invariants: what a member took in while it did not know better is taken in here too, or
// replicas would differ: when all know, all of that is here. A batch is judged with the admissions
// in it.
// Thread-safety: none; lives for one batch.
#pragma once

#include "joinery/replica/membership.hpp"

namespace joinery::detail {

class admission {
 public:
  /// `from` is the peer that sends the batch, where that is known.
  admission(const membership& members, std::optional<replica_id> from)
      : members_(members), from_(from) {}

  /// Whether `c` may come in. `saw(dot)` tells whether its writer had seen a changeset.
  template <class F>
  result<> judge(const codec::changeset& c, F&& saw) const {
    return members_.closed() ? judge_in_closed(c, saw) : result<>{};
  }

  /// `c`, which is part of this batch, was accepted as `at`.
  void accepted(const codec::changeset& c, causal::dot at) {
    if (members_.closed()) note_admissions(c, at);
  }

 private:
  template <class F>
  result<> judge_in_closed(const codec::changeset& c, F& saw) const {
    const auto* e = members_.find(c.origin);
    if (e == nullptr && !members_.complete()) return {};
    const auto state = e != nullptr ? e->state : member_state::unknown;
    if (state == member_state::evicted && !admitted_here(c.origin))
      return refused(c, "was evicted, and every member knows");
    if (e != nullptr && e->record.founder) return {};
    const bool direct = from_ == c.origin;
    if (e != nullptr)
      for (const auto& v : e->record.admissions)
        if (saw(v.at) && may_admit(v.by, direct)) return {};
    for (const auto& [id, v] : fresh_)
      if (id == c.origin && saw(v.at)) return {};
    if (direct || members_.closing_is_stable())
      return refused(c, "wrote before it had seen its admission");
    return {};
  }

  void note_admissions(const codec::changeset& c, causal::dot at) {
    for (const auto& op : c.ops) {
      const auto& where = c.records[op.record];
      if (op.action != crdt::cell_action::update || c.names[where.table] != members_table ||
          c.names[op.field] != admitted_by_field || op.type != crdt::shape{crdt::kind::or_set})
        continue;
      if (const auto id = replica_id::from_bytes(where.key))
        fresh_.push_back({*id, {c.origin, at}});
    }
  }

  [[nodiscard]] bool may_admit(const replica_id& by, bool direct) const {
    const auto state = members_.state_of(by);
    return direct ? state == member_state::member : membership::counts(state);
  }
  [[nodiscard]] bool admitted_here(const replica_id& id) const {
    return std::any_of(fresh_.begin(), fresh_.end(), [&](const auto& f) { return f.first == id; });
  }
  static error refused(const codec::changeset& c, const std::string& why) {
    return {errc::not_a_member, "replica " + c.origin.hex() + " " + why,
            "changeset " + std::to_string(c.seq),
            "start an empty store, have its id admitted, and rejoin with the old one"};
  }

  const membership& members_;
  std::optional<replica_id> from_;
  std::vector<std::pair<replica_id, vote>> fresh_;  // admissions in this batch
};

}  // namespace joinery::detail
