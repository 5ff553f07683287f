// upkeep: membership at work: who is in, what is stable, what can be cleaned, what to acknowledge.
//
// Purpose: keeps the membership in step with the records and the origins, and does what follows
// from it in small steps. In a space with open membership it does nothing at all.
// Invariants: a step is bounded; a failed one is tried again and costs nothing.
// Thread-safety: none; guarded by its owner.
#pragma once

#include "joinery/replica/acknowledgement.hpp"
#include "joinery/replica/clean_up.hpp"
#include "joinery/replica/members.hpp"
#include "joinery/replica/options.hpp"

namespace joinery::detail {

class upkeep {
 public:
  [[nodiscard]] const membership& members() const noexcept { return members_; }
  [[nodiscard]] const clean_up& cleaning() const noexcept { return cleaning_; }
  /// Up to which log position clean-up has read; all of it, where there is none.
  [[nodiscard]] std::uint64_t read_up_to() const noexcept {
    return members_.closed() ? cleaning_.stable_position() : ~std::uint64_t{0};
  }

  /// To be called once the records are there. What cannot be read is tried again at the next
  /// change; of clean-up it costs a walk, of acknowledgement the next change.
  template <history::storage S, state::cold_records C>
  void load(S& storage, replica_state& state, C& cold) {
    static_cast<void>(storage.read(
        [&](auto& view) -> result<> { return cleaning_.load(view, state.last_position); }));
    stale_ = true;
    if (read_tables(state, cold) && members_.closed())
      static_cast<void>(find_unanswered(storage, state));
  }

  /// A changeset was folded.
  void took(const codec::changeset& c, bool own, std::uint64_t now_ms) {
    if (own)
      answers_.said();
    else
      answers_.heard(c, now_ms);
    for (const auto name : c.names) stale_ = stale_ || name == members_table || name == space_table;
    unsettled_ = true;
  }
  /// The records were changed otherwise: joined with a snapshot.
  void took_snapshot(std::uint64_t now_ms) {
    stale_ = unsettled_ = true;
    answers_.joined(now_ms);
  }

  /// Brings the membership up to date with the records.
  template <state::cold_records C>
  result<> refresh(replica_state& state, C& cold) {
    if (stale_)
      if (auto done = read_tables(state, cold); !done) return done;
    if (std::exchange(unsettled_, false))
      members_.settle(state.origins, state.replicas, state.self);
    return {};
  }

  /// Brings the membership up to date where the tables say something new: cheap else.
  template <state::cold_records C>
  void reread(replica_state& state, C& cold) {
    if (stale_) static_cast<void>(read_tables(state, cold));
  }
  /// The storage has every record: a good moment to note how far clean-up has come.
  template <history::storage S>
  result<> checkpoint(S& storage) {
    return members_.closed() && cleaning_.moved() ? cleaning_.keep(storage) : result<>{};
  }

  /// One small step of clean-up, over at most `records` records. `all_stored`: no record is newer
  /// than the storage has it.
  template <history::storage S, state::cold_records C>
  result<> step(S& storage, replica_state& state, C& cold, const history::log_floor& floor,
                std::uint64_t durable_position, std::size_t records, bool all_stored) {
    if (auto done = refresh(state, cold); !done) return done;
    if (!members_.closed() || !members_.closing_is_stable() || members_.members() == 0) return {};
    if (!members_.complete()) return {};
    constexpr std::size_t entries = 256;
    auto done = cleaning_.advance(storage, state, members_, floor, durable_position, entries);
    // While a snapshot is joined, large fields are half here and half staged.
    if (done && !state.joining) done = cleaning_.walk(state, cold, records);
    if (done && all_stored && cleaning_.worth_keeping()) done = cleaning_.keep(storage);
    return done;
  }

  /// Whether a write should be followed by a step: every few are, in a closed space.
  [[nodiscard]] bool due_after_write() noexcept {
    constexpr unsigned every = 16;
    return members_.closed() && ++writes_ % every == 0;
  }

  /// Whether a transaction of the program's may be committed. Errors: not_admitted.
  [[nodiscard]] result<> may_write(const replica_state& state,
                                   const replica_options& options) const {
    const bool in = members_.state_of(state.self) != member_state::unknown;
    if (in || (!members_.closed() && !options.await_admission)) return {};
    return error{errc::not_admitted, "this replica is not admitted to the space yet",
                 "replica " + state.self.hex(), "have a member admit it, then sync"};
  }

  /// Whether `peer` may take part. Errors: not_a_member, and read errors.
  template <state::cold_records C>
  result<> admits(const replica_id& peer, replica_state& state, C& cold) {
    if (auto done = refresh(state, cold); !done) return done;
    if (!members_.closed()) return {};
    const auto self = members_.state_of(state.self);
    if (self == member_state::leaving || self == member_state::evicted)
      return error{errc::not_a_member, "this replica was evicted from the space",
                   "replica " + state.self.hex(),
                   "start an empty store, have its id admitted, and rejoin with this one"};
    const auto is = members_.state_of(peer);
    if (is == member_state::member) return {};
    if (is == member_state::unknown && !members_.complete()) return {};  // it may mend the table
    const auto whom = "replica " + peer.hex();
    if (is == member_state::unknown)
      return error{errc::not_a_member, "the space is closed, and the replica is no member", whom,
                   "a member can admit it under this id"};
    return error{errc::not_a_member, "the replica was evicted from the space", whom,
                 "start an empty store, have its id admitted, and rejoin with the old one"};
  }

  [[nodiscard]] membership_status status(const replica_state& state) const {
    membership_status s;
    s.closed = members_.closed();
    if (!s.closed) return s;
    s.members = members_.members();
    s.self = members_.state_of(state.self);
    s.stable_position = cleaning_.stable_position();
    s.cells_cleaned = cleaning_.cells();
    s.cleaning = cleaning_.pending();
    s.waiting_for = cleaning_.waiting_for();
    return s;
  }

  /// Everyone who was ever admitted.
  template <history::storage S, state::cold_records C>
  result<std::vector<member>> list(S& storage, replica_state& state, C& cold) {
    if (auto done = refresh(state, cold); !done) return done.error();
    std::vector<member> out;
    std::vector<const causal::version*> known;
    for (const auto& e : members_.entries()) {
      if (e.state == member_state::unknown) continue;
      member m{e.record.id, e.record.name, e.state, e.record.founder};
      if (const auto r = state.replicas.find(m.id)) {
        m.last_seq = state.origins[*r].seq;
        m.last_ms = causal::hlc_ms(state.origins[*r].time);
      }
      out.push_back(std::move(m));
      known.push_back(membership::known_of(e.record.id, state.origins, state.replicas));
    }
    auto done = storage.read([&](auto& view) -> result<> {
      result<> outcome;
      for (auto& m : out) m.lag = 0;
      auto scanned = history::scan_log(
          view, cleaning_.stable_position() + 1, [&](std::uint64_t, bytes_view data) {
            auto c = codec::decode_changeset(data);
            if (!c) return outcome = c.error(), false;
            const causal::dot at{state.replicas.find(c->origin).value_or(0), c->seq};
            for (std::size_t i = 0; i < out.size() && !c->ops.empty(); ++i)
              if (out[i].id != state.self && (known[i] == nullptr || !known[i]->seen(at)))
                ++out[i].lag;
            return true;
          });
      return scanned ? outcome : scanned;
    });
    if (!done) return done.error();
    return out;
  }

  [[nodiscard]] bool should_acknowledge(const replica_state& state, std::uint64_t now_ms,
                                        std::uint64_t after_ms) const {
    return members_.state_of(state.self) == member_state::member && answers_.due(now_ms, after_ms);
  }

 private:
  template <state::cold_records C>
  result<> read_tables(replica_state& state, C& cold) {
    std::vector<causal::dot> closings;
    std::vector<member_record> records;
    bool complete = true;
    if (const auto table = state.names.find(space_table)) {
      auto slot = state.records.load(cold, *table, membership_key);
      if (!slot && slot.error().code != errc::quarantined) return slot.error();
      complete = slot.has_value();
      if (slot) closings = read_closings((*slot)->packed, state.names);
    }
    if (const auto table = state.names.find(members_table)) {
      auto walked =
          state.records.for_each(cold, *table, {}, [&](bytes_view key, bytes_view packed) {
            if (auto m = read_member(key, packed, state.names, state.replicas))
              records.push_back(std::move(*m));
            return true;
          });
      if (!walked) return walked;
      complete = complete && !cold.lacks_any(*table);
    }
    members_.read(std::move(closings), std::move(records), complete);
    members_.settle(state.origins, state.replicas, state.self);
    unsettled_ = false;
    stale_ = !complete;  // until it is mended
    return {};
  }

  /// Finds the first change that this replica's last changeset had not seen.
  template <history::storage S>
  result<> find_unanswered(S& storage, replica_state& state) {
    const auto own = state.index_of(state.self);
    return storage.read([&](auto& view) -> result<> {
      std::uint64_t after = 0;
      if (state.origins[own].seq > 0) {
        auto position = history::find_position(view, {own, state.origins[own].seq});
        if (!position) return position.error();
        after = position->value_or(0);
      }
      if (state.joined_at > after) answers_.joined(causal::hlc_ms(state.clock.highest()));
      result<> outcome;
      auto scanned = history::scan_log(view, after + 1, [&](std::uint64_t, bytes_view data) {
        auto c = codec::decode_changeset(data);
        if (!c) return outcome = c.error(), false;
        if (c->origin != state.self) answers_.heard(*c, ~std::uint64_t{0});
        return c->ops.empty() || c->origin == state.self;
      });
      return scanned ? outcome : scanned;
    });
  }

  membership members_;
  clean_up cleaning_;
  acknowledgement answers_;
  unsigned writes_ = 0;
  bool stale_ = false;
  bool unsettled_ = false;
};

}  // namespace joinery::detail
