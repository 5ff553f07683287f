// clean_up: drops what dead cells hold, a few records at a time.
//
// Purpose: follows the log to the position up to which every change is stable, and walks the
// records behind it.
// Invariants: a record is cleaned only when it stands for a position up to which everything is
// stable; it stands for the same position afterwards. Where it is in its walk is kept in the
// storage now and then: losing it costs a walk.
// Thread-safety: none; guarded by its owner.
#pragma once

#include "joinery/history/floor.hpp"
#include "joinery/replica/membership.hpp"
#include "joinery/replica/replica_state.hpp"
#include "joinery/state/clean_up.hpp"

namespace joinery::detail {

class clean_up {
 public:
  /// Every change up to this log position is known to all members.
  [[nodiscard]] std::uint64_t stable_position() const noexcept { return at_.stable; }
  /// How many dead cells were cleaned since the replica was opened.
  [[nodiscard]] std::uint64_t cells() const noexcept { return cells_; }
  /// Whom the first change beyond the stable position waits for.
  [[nodiscard]] const std::vector<replica_id>& waiting_for() const noexcept { return waiting_for_; }
  /// Whether a walk is under way or due.
  [[nodiscard]] bool pending() const noexcept {
    return at_.walked < at_.erased || (!later_.empty() && first_later() <= at_.stable);
  }

  template <class View>
  result<> load(View& view, std::uint64_t last_position) {
    auto stored = history::get_sealed(view, history::area::meta, meta_key);
    if (!stored) return stored.error();
    if (!*stored) return {};
    byte_reader in{**stored};
    progress p;
    for (auto* n : {&p.stable, &p.erased, &p.walked, &p.target}) *n = in.varint();
    p.table = static_cast<state::name_index>(in.varint_up_to(0xFFFFFFFF));
    p.next = bytes{in.block()};
    if (in.finished() && p.stable <= last_position) at_ = kept_ = p;
    return {};
  }

  /// Moves the stable position on, over at most `limit` log entries. Where the log has none, it was
  /// dropped or a snapshot was joined: that is passed once all that `floor` tells is stable.
  template <history::storage S>
  result<> advance(S& storage, const replica_state& state, const membership& members,
                   const history::log_floor& floor, std::uint64_t durable_position,
                   std::size_t limit) {
    const auto stable = members.stable(state.origins, state.replicas, state.self);
    if (blocked_by_ && !stable.covers(*blocked_by_))
      return wait(*blocked_by_, state, members), result<>{};
    blocked_by_.reset();
    waiting_for_.clear();
    return storage.read([&](auto& view) -> result<> {
      result<> outcome;
      const auto pass_hole = [&](std::uint64_t last) {
        for (causal::replica_index r = 0; r < floor.changed.size(); ++r)
          if (const causal::dot at{r, floor.changed.at(r)}; at.seq > 0 && !stable.covers(at))
            return wait(at, state, members), false;
        at_.stable = at_.erased = last;
        return true;
      };
      bool ended = true;
      const auto visit = [&](auto position, bytes_view data) {
        ended = false;
        if (position > durable_position || limit-- == 0) return false;
        if (position != at_.stable + 1 && !pass_hole(position - 1)) return false;
        auto c = codec::decode_changeset(data);
        if (!c) return outcome = c.error(), false;
        const causal::dot at{state.replicas.find(c->origin).value_or(0), c->seq};
        // Empty ones change nothing, and are acknowledged by nobody.
        if (!c->ops.empty() && !stable.covers(at)) return wait(at, state, members), false;
        at_.stable = position;
        if (erases(*c)) at_.erased = position;
        return ended = true;
      };
      auto scanned = history::scan_log(view, at_.stable + 1, state.log, visit);
      const auto last = floor.last_without_entry();
      if (ended && at_.stable < last && last <= durable_position) pass_hole(last);
      return scanned ? outcome : scanned;
    });
  }

  /// Cleans among the next `limit` records of the walk that is under way, or begins one.
  template <state::cold_records C>
  result<> walk(replica_state& state, C& cold, std::size_t limit) {
    if (auto done = come_back(state, cold); !done) return done;
    if (at_.walked >= at_.erased) return {};
    if (at_.target == 0) {
      at_.target = at_.stable;
      at_.table = 0;
      at_.next.clear();
    }
    // Each table's records, then their parts.
    for (; state::table_of(at_.table) < state.names.size(); next_table()) {
      std::vector<bytes> found;
      bool stopped = false;
      auto walked =
          state.records.for_each(cold, at_.table, at_.next, [&](bytes_view key, bytes_view packed) {
            stopped = limit == 0;
            if (stopped) at_.next = bytes{key};
            if (stopped) return false;
            --limit;
            if (may_hold_dead_cells(at_.table, key, packed)) found.emplace_back(key);
            return true;
          });
      if (!walked) return walked;
      for (auto& key : found)
        if (auto done = clean(state, cold, {at_.table, std::move(key)}); !done) return done;
      if (stopped) return {};
    }
    at_.walked = at_.target;
    at_.target = 0;
    return {};
  }

  /// Whether enough has happened to be worth keeping.
  [[nodiscard]] bool worth_keeping() const noexcept {
    return at_.walked != kept_.walked || at_.stable >= kept_.stable + 1024 || changed_ >= 256;
  }
  [[nodiscard]] bool moved() const noexcept {
    return at_.stable != kept_.stable || at_.walked != kept_.walked || changed_ > 0;
  }
  /// To be called only when the storage has every record: what was cleaned in memory alone would be
  /// taken for clean.
  template <history::storage S>
  result<> keep(S& storage) {
    bytes content;
    byte_writer w{content};
    // Those to come back to are found again by another walk.
    const auto walked = later_.empty() ? at_.walked : std::min(at_.walked, at_.erased - 1);
    for (const auto n : {at_.stable, at_.erased, walked, at_.target}) w.varint(n);
    w.varint(at_.table);
    w.block(at_.next);
    auto stored = storage.write([&](auto& writer) -> result<> {
      history::put_sealed(writer, history::area::meta, meta_key, content);
      return {};
    });
    if (!stored) return stored;
    kept_ = at_;
    changed_ = 0;
    return {};
  }

 private:
  static constexpr std::string_view meta_key = "clean-up";

  struct progress {
    std::uint64_t stable = 0;
    std::uint64_t erased = 0;  ///< the last stable position at which something was erased
    std::uint64_t walked = 0;  ///< what died up to this position is clean
    std::uint64_t target = 0;  ///< of the walk under way; 0 when there is none
    state::name_index table = 0;
    bytes next;
  };

  static bool erases(const codec::changeset& c) {
    return std::any_of(c.ops.begin(), c.ops.end(), [](const auto& op) {
      return op.action != crdt::cell_action::create &&
             (op.action != crdt::cell_action::update || op.type.outer() == crdt::kind::map);
    });
  }

  void wait(causal::dot at, const replica_state& state, const membership& members) {
    blocked_by_ = at;
    waiting_for_.clear();
    for (const auto& e : members.entries()) {
      if (!membership::counts(e.state) || e.record.id == state.self) continue;
      const auto* known = membership::known_of(e.record.id, state.origins, state.replicas);
      if (known == nullptr || !known->seen(at)) waiting_for_.push_back(e.record.id);
    }
  }

  void next_table() {
    at_.next.clear();
    at_.table =
        state::is_parts(at_.table) ? state::table_of(at_.table) + 1 : state::parts_of(at_.table);
  }
  static crdt::shape shape_of_part(state::name_index parts, bytes_view key) {
    const auto name = state::read_part_key(parts, key);
    return name ? name->first.field.type : crdt::shape{};
  }
  static bool may_hold_dead_cells(state::name_index table, bytes_view key, bytes_view packed) {
    if (!state::is_parts(table)) return state::detail::may_hold_dead_cells(crdt::read_cell(packed));
    return shape_of_part(table, key).outer() == crdt::kind::map;
  }

  template <state::cold_records C>
  result<> clean(replica_state& state, C& cold, const state::record_name& name) {
    auto slot = state.records.load(cold, name.table, name.key);
    if (!slot) return slot.error();
    auto done = state::is_parts(name.table)
                    ? state::clean_part(shape_of_part(name.table, name.key), (*slot)->packed)
                    : state::clean_record((*slot)->packed);
    if (!done) return {};
    if ((*slot)->position > at_.stable) {  // its turn comes with its last change
      if (later_.size() < most_later) later_[name] = (*slot)->position;
      return {};
    }
    const std::lock_guard lock(state.publication);
    (*slot)->packed = std::move(done->record);
    state.parts.sweep_due = true;  // a dead record has let go of its parts
    state.records.changed(**slot, (*slot)->position);
    cells_ += done->cells;
    ++changed_;
    return {};
  }

  [[nodiscard]] std::uint64_t first_later() const {
    return std::min_element(later_.begin(), later_.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->second;
  }
  /// Tries those again that had been changed too recently.
  template <state::cold_records C>
  result<> come_back(replica_state& state, C& cold) {
    std::vector<state::record_name> due;
    for (const auto& [name, position] : later_)
      if (position <= at_.stable) due.push_back(name);
    for (const auto& name : due) {
      later_.erase(name);
      if (auto done = clean(state, cold, name); !done) return done;
    }
    return {};
  }

  static constexpr std::size_t most_later = 256;

  progress at_;
  progress kept_;
  std::optional<causal::dot> blocked_by_;
  std::vector<replica_id> waiting_for_;
  std::uint64_t cells_ = 0;
  std::size_t changed_ = 0;  // since the last `keep`
  /// Records that hold dead cells and were changed beyond the stable position: where. Beyond a
  /// number they are left to the next walk.
  std::map<state::record_name, std::uint64_t, state::record_order> later_;
};

}  // namespace joinery::detail
