// membership_changes: closing the membership, admission and eviction, as operations.
//
// Purpose: says what a member may decide, and writes it into the system tables.
// Invariants: what is so already is not written again; an evicted id is never admitted again.
// Thread-safety: none; lives for one call.
#pragma once

#include <functional>

#include "joinery/replica/membership.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

class membership_changes {
 public:
  /// Reads a record as it is now.
  using reader = std::function<result<shared_bytes>(std::string_view table, bytes_view key)>;

  membership_changes(const replica_state& state, const membership& members, reader read)
      : state_(state), members_(members), read_(std::move(read)) {}

  /// The operations so far; those of nothing when all was so already.
  [[nodiscard]] const codec::changeset_writer& operations() const noexcept { return out_; }

  /// Admits this replica and every origin known, and nobody else from then on.
  result<> close() {
    if (members_.closed()) return {};
    auto space = read_(space_table, membership_key);
    if (!space) return space.error();
    system_record{out_, space_table, bytes{membership_key}, space->view()}.enable(closed_field);
    for (causal::replica_index r = 0; r < state_.origins.size(); ++r) {
      const auto& id = state_.replicas[r];
      if (state_.origins[r].seq == 0 && id != state_.self) continue;
      auto record = member(id);
      if (!record) return record.error();
      record->enable(founder_field).insert(admitted_by_field, state_.self);
    }
    return {};
  }

  result<> admit(const replica_id& id, const std::string& name) {
    if (auto may = may_decide(); !may) return may;
    if (id.is_none())
      return error{errc::invalid_argument, "an empty replica id", "", "the device's status has it"};
    const auto* known = members_.find(id);
    if (known != nullptr && !known->record.evictions.empty())
      return error{errc::invalid_argument, "replica " + id.hex() + " was evicted", "",
                   "it comes back as an empty store under a new id: admit that one"};
    // A second member's word keeps it in when the first one is evicted.
    const auto mine = [&](const vote& v) { return v.by == state_.self; };
    const bool in = known != nullptr &&
                    (known->record.founder || std::any_of(known->record.admissions.begin(),
                                                          known->record.admissions.end(), mine));
    const bool named = name.empty() || (known != nullptr && known->record.name == name);
    if (in && named) return {};
    auto record = member(id);
    if (!record) return record.error();
    if (!in) record->insert(admitted_by_field, state_.self);
    if (!named) record->set(name_field, name);
    return {};
  }

  result<> evict(const replica_id& id) {
    if (auto may = may_decide(); !may) return may;
    const auto* known = members_.find(id);
    if (known == nullptr)
      return error{errc::not_found, "replica " + id.hex() + " was never admitted", "",
                   "the list of members has the ids"};
    if (!known->record.evictions.empty()) return {};
    if (members_.members() == 1 && known->state == member_state::member)
      return error{errc::invalid_argument, "the last member cannot be evicted", "",
                   "admit another one first"};
    auto record = member(id);
    if (!record) return record.error();
    record->insert(evicted_by_field, state_.self);
    return {};
  }

 private:
  [[nodiscard]] result<> may_decide() const {
    if (!members_.closed())
      return error{errc::invalid_argument, "the membership is open: anyone may take part", "",
                   "close it first"};
    if (members_.state_of(state_.self) != member_state::member)
      return error{errc::not_a_member, "only members admit and evict",
                   "replica " + state_.self.hex(), "ask a member"};
    return {};
  }
  result<system_record> member(const replica_id& id) {
    auto packed = read_(members_table, id.view());
    if (!packed) return packed.error();
    return system_record{out_, members_table, bytes{id.view()}, packed->view()};
  }

  const replica_state& state_;
  const membership& members_;
  reader read_;
  codec::changeset_writer out_;
};

}  // namespace joinery::detail
