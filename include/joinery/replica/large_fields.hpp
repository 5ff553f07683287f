// large_fields: the part of an engine that reads the parts of records.
//
// Purpose: one element of a large field is read for one look-up; a walk goes from part to part.
// Whoever must have a record in one piece has it put together. A base of `engine`, whose members it
// uses.
// Invariants: a part is read only as long as the record names its generation: what a row asks of a
// record that was made anew is an error, never a mixture.
// Thread-safety: as the engine: one thread at a time.
#pragma once

#include "joinery/replica/cold_reader.hpp"
#include "joinery/replica/part_sweep.hpp"

namespace joinery::detail {

template <class Engine>
class large_fields : public state::part_source {
 public:
  /// Throws `failure`: stale_row, quarantined, and the storage's.
  shared_bytes part(const state::part_group& of, bytes_view element) override {
    ask_current(of);
    const auto key = state::part_key(of, element);
    auto cold = self().cold_but_tail();  // folded with its record
    auto slot = self().state_.records.load(cold, state::parts_of(of.table), key);
    if (!slot && self().mends(slot.error()))
      slot = self().state_.records.load(cold, state::parts_of(of.table), key);
    return slot.value()->packed;
  }
  void for_each_part(const state::part_group& of, bytes_view element,
                     const visitor& each) override {
    ask_current(of);
    walk_parts(of, element, each).value();
  }

  /// A record in one piece, whatever its size. Errors: too_large, beyond `limit` bytes.
  result<bytes> whole_record(std::string_view table, bytes_view key,
                             std::size_t limit = std::numeric_limits<std::size_t>::max()) {
    const auto packed = self().record(table, key);
    if (!packed) return packed.error();
    return in_one_piece(table, key, *packed, limit);
  }
  /// The same of one that was read just now.
  result<bytes> in_one_piece(std::string_view table, bytes_view key, bytes_view packed,
                             std::size_t limit = std::numeric_limits<std::size_t>::max()) {
    const auto index = self().state_.names.find(table);
    if (!index) return bytes{};
    return state::whole_record(
        packed,
        [&](const state::packed_field& f, auto&& each) {
          return walk_parts({*index, key, f.id, f.parts}, {}, each);
        },
        limit);
  }

 protected:
  large_fields() = default;

  /// Visits a field's parts from that of `element` on, mending on the way: `each(beginning, part)
  /// -> bool`. They are folded with their record, which was read before.
  template <class F>
  result<> walk_parts(const state::part_group& of, bytes_view element, F&& each) {
    auto cold = self().cold_but_tail();
    bytes from{state::beginning(element)};
    bool stopped = false;
    for (;;) {
      auto walked = self().state_.records.for_each_part(cold, of, from,
                                                        [&](bytes_view begins, bytes_view part) {
                                                          // Kept: `each` may do anything with the
                                                          // record.
                                                          from.assign(begins).push_back('\0');
                                                          stopped = !each(begins, part);
                                                          return !stopped;
                                                        });
      if (!walked && self().mends(walked.error())) continue;
      if (!walked || stopped) return walked;
      if (self().repairs_.ledger().missing_within(state::parts_of(of.table),
                                                  state::parts_prefix(of)))
        return damage::quarantined("a large field");
      return {};
    }
  }

  /// Fields that an index lists stand in their records. Those that were taken apart before the
  /// index was declared come back, in memory; a snapshot then stores them so.
  result<> gather_indexed() {
    auto& state = self().state_;
    for (const auto& what : state.indexes.incomplete()) {
      const auto table = state.names.find(what.table);
      const auto field = state.names.find(what.field);
      if (!table || !field || !state::has_entries(what.type)) continue;
      if (auto done = self().fold_rest(); !done) return done;
      std::vector<bytes> keys;
      auto cold = self().cold();
      auto walked =
          state.records.for_each(cold, *table, {}, [&](bytes_view key, bytes_view packed) {
            const auto value = crdt::read_cell(packed).value;
            if (state::find_field(value, {*field, what.type}).parts) keys.emplace_back(key);
            return true;
          });
      if (!walked) return walked;
      for (const auto& key : keys) {
        auto whole = whole_record(what.table, key);
        if (!whole) return whole.error();
        auto slot = state.records.load(cold, *table, key);
        if (!slot) return slot.error();
        const std::lock_guard lock(state.publication);
        (*slot)->packed = std::move(*whole);
        state.records.changed(**slot, state.last_position);
      }
    }
    return {};
  }

  /// One step of giving back what parts took that count no more.
  result<> sweep_parts() {
    if (self().tail_) return {};
    auto cold = self().cold();
    auto done = sweep_.step(self().storage_, self().state_, cold);
    self().state_.records.shrink(self().options_.cache_bytes);
    return done;
  }

 private:
  Engine& self() noexcept { return static_cast<Engine&>(*this); }

  void ask_current(const state::part_group& of) {
    const auto table = self().state_.names[of.table];
    const auto packed = self().record(table, of.key).value();
    if (state::find_field(crdt::read_cell(packed).value, of.field).parts == of.made) return;
    throw failure({errc::stale_row, "a large field of a record that was made anew or cleaned",
                   std::string{table}, "find the record again"});
  }

  part_sweep sweep_;
};

}  // namespace joinery::detail
