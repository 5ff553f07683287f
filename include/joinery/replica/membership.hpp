// membership: who is in a space, and whose word counts.
//
// Purpose: works out from the system tables who is a member, who is on the way out, and who is out;
// and from the origins' versions what all of them are known to have.
// Invariants: a founder, or who was admitted by a chain of members, is a member until it is
// evicted; who only a non-member admitted is none. On the way out one still counts, until the
// eviction is stable among the members. All of it follows from the changesets alone: no clock, no
// time-out.
// Thread-safety: none; guarded by its owner.
#pragma once

#include "joinery/causal/stability.hpp"
#include "joinery/history/origins.hpp"
#include "joinery/replica/members.hpp"
#include "joinery/replica/membership_table.hpp"

namespace joinery {

namespace detail {

class membership {
 public:
  struct entry {
    member_record record;
    member_state state = member_state::unknown;
  };

  /// Takes over what the tables say now. What is known to be stable stays so.
  /// `complete`: whether all of the records could be read.
  void read(std::vector<causal::dot> closings, std::vector<member_record> records, bool complete) {
    closings_ = std::move(closings);
    complete_ = complete;
    std::unordered_map<replica_id, bool> out;
    for (const auto& e : entries_) out[e.record.id] = e.state == member_state::evicted;
    entries_.clear();
    index_.clear();
    for (auto& r : records) {
      index_[r.id] = entries_.size();
      entries_.push_back({std::move(r), member_state::unknown});
    }
    find_members();
    for (auto& e : entries_)
      if (e.state != member_state::member && ever_admitted(e))
        e.state = out[e.record.id] ? member_state::evicted : member_state::leaving;
  }

  /// Notes which evictions, and whether the closing, are known to all. `self` has all that is here.
  void settle(const history::origin_table& origins, const causal::roster& replicas,
              const replica_id& self) {
    if (!closed()) return;
    const bool anyone = members() > 0;
    if (anyone) retire(origins, replicas, self);
    // Others were admitted by such as knew.
    const auto all = known_to(origins, replicas, self,
                              [](const entry& e) { return e.record.founder && counts(e.state); });
    closing_stable_ =
        closing_stable_ || (anyone && std::any_of(closings_.begin(), closings_.end(),
                                                  [&](auto at) { return all.covers(at); }));
  }

  [[nodiscard]] bool closed() const noexcept { return !closings_.empty(); }
  /// Whether everybody is known who is in. While a record is damaged, nothing may be cleaned, and
  /// nobody refused for being unknown.
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  /// Whether every founder knows that the membership is closed: before, nothing may be cleaned.
  [[nodiscard]] bool closing_is_stable() const noexcept { return closing_stable_; }
  [[nodiscard]] const std::vector<entry>& entries() const noexcept { return entries_; }

  [[nodiscard]] const entry* find(const replica_id& id) const {
    const auto at = index_.find(id);
    return at == index_.end() ? nullptr : &entries_[at->second];
  }
  [[nodiscard]] member_state state_of(const replica_id& id) const {
    const auto* e = find(id);
    return e != nullptr ? e->state : member_state::unknown;
  }
  [[nodiscard]] std::size_t members() const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(),
                      [](const auto& e) { return e.state == member_state::member; }));
  }
  [[nodiscard]] static bool counts(member_state s) noexcept {
    return s == member_state::member || s == member_state::leaving;
  }

  /// What all who count are known to have. `self` is taken to have all that is here.
  [[nodiscard]] causal::frontier stable(const history::origin_table& origins,
                                        const causal::roster& replicas,
                                        const replica_id& self) const {
    return known_to(origins, replicas, self, [](const entry& e) { return counts(e.state); });
  }

  /// What `id` is known to have: the version of its last changeset here. Null when it never wrote.
  static const causal::version* known_of(const replica_id& id, const history::origin_table& origins,
                                         const causal::roster& replicas) {
    const auto r = replicas.find(id);
    return r && *r < origins.size() ? &origins[*r].seen : nullptr;
  }

 private:
  [[nodiscard]] static bool ever_admitted(const entry& e) {
    return e.record.founder || !e.record.admissions.empty();
  }

  void find_members() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& e : entries_) {
        if (e.state == member_state::member || !e.record.evictions.empty()) continue;
        const auto& by = e.record.admissions;
        const bool in = e.record.founder || std::any_of(by.begin(), by.end(), [&](const vote& v) {
                          return state_of(v.by) == member_state::member;
                        });
        if (!in) continue;
        e.state = member_state::member;
        moved = true;
      }
    }
  }

  /// Lets those go whose eviction is stable. One that is on the way out itself may still bring in
  /// what another wrote, until all members know that it is out, or it knows that the other is.
  void retire(const history::origin_table& origins, const causal::roster& replicas,
              const replica_id& self) {
    const auto rest = known_to(origins, replicas, self,
                               [](const entry& e) { return e.state == member_state::member; });
    std::vector<entry*> known, others;
    for (auto& e : entries_)
      if (e.state == member_state::leaving) (know_out(rest, e, 0) ? known : others).push_back(&e);
    for (auto* e : known) {
      const bool all = std::all_of(others.begin(), others.end(), [&](const entry* o) {
        if (o->record.id == self) return true;
        causal::frontier has;
        const auto* version = known_of(o->record.id, origins, replicas);
        has.count(version != nullptr ? *version : causal::version{});
        return know_out(has, *e, 0);
      });
      if (all) e->state = member_state::evicted;
    }
  }

  /// Whether those of `who` know that `e` is out: it was evicted, or all that admitted it were.
  [[nodiscard]] bool know_out(const causal::frontier& who, const entry& e, int depth) const {
    constexpr int deepest = 64;  // and round in a circle
    if (e.state == member_state::member) return false;
    if (e.state != member_state::leaving || depth > deepest) return true;
    const auto& r = e.record;
    if (!r.evictions.empty())
      return std::any_of(r.evictions.begin(), r.evictions.end(),
                         [&](const vote& v) { return who.covers(v.at); });
    return std::all_of(r.admissions.begin(), r.admissions.end(), [&](const vote& v) {
      const auto* by = find(v.by);
      return by == nullptr || know_out(who, *by, depth + 1);
    });
  }

  /// What all others for whom `in(entry)` holds are known to have.
  template <class F>
  [[nodiscard]] causal::frontier known_to(const history::origin_table& origins,
                                          const causal::roster& replicas, const replica_id& self,
                                          F&& in) const {
    causal::frontier out;
    for (const auto& e : entries_) {
      if (e.record.id == self || !in(e)) continue;
      const auto* known = known_of(e.record.id, origins, replicas);
      out.count(known != nullptr ? *known : causal::version{});
    }
    return out;
  }

  std::vector<causal::dot> closings_;
  std::vector<entry> entries_;
  std::unordered_map<replica_id, std::size_t> index_;
  bool closing_stable_ = false;
  bool complete_ = true;
};

}  // namespace detail
}  // namespace joinery
