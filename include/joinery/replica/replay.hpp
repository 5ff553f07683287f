// replay: the work of a replica that is out, as new changes of another.
//
// Purpose: an operation that was made in one store is made again on a record of another, which has
// moved on since. What others did meanwhile decides as if the operation came late: adds and updates
// that its maker had not seen win over its removals, later lives over earlier ones.
// Invariants: a record or entry that others deleted meanwhile comes back whole from the old store,
// never as a husk, and only if the old store had not heard of the deletion; a life that the old
// store began after a deletion of its own is made again whatever became of the one before;
// increments are made once.
// Thread-safety: none; lives for one record.
#pragma once

#include <functional>
#include <map>

#include "joinery/codec/changeset.hpp"
#include "joinery/crdt/dispatch.hpp"
#include "joinery/state/record.hpp"

namespace joinery::detail {

/// An operation of the old store, with its field's name.
struct old_operation {
  crdt::cell_action action{};
  std::uint64_t incarnation = 0;
  std::string field;
  crdt::shape type;
  bytes delta;
};

/// One side of a replay: a record, and what its indexes stand for.
struct replay_side {
  bytes record;
  const state::name_table& names;
  const causal::roster& replicas;

  [[nodiscard]] bytes_view field(std::string_view name, crdt::shape type) const {
    const auto index = names.find(name);
    const auto cell = crdt::read_cell(record);
    return index ? state::field_state(cell.value, {*index, type}) : bytes_view{};
  }
};

/// The delta of a map that concerns the entry under `key`.
inline bytes entry_delta(bytes_view key, std::uint64_t incarnation, crdt::cell_action action,
                         bytes_view inner = {}) {
  bytes out;
  byte_writer w{out};
  w.block(key);
  w.raw(crdt::detail::cell_delta(incarnation, action, inner));
  return out;
}

/// Calls `emit(delta)` for deltas that make all of `state` out of nothing. Of a register the write
/// that is shown.
inline void whole_value(crdt::shape type, bytes_view state, const causal::roster& replicas,
                        const std::function<void(bytes)>& emit) {
  using crdt::kind;
  bytes delta;
  byte_writer w{delta};
  switch (type.outer()) {
    case kind::lww:
    case kind::mv:
      if (const auto shown = crdt::detail::winner(state, replicas)) {
        w.zigzag(shown->rank);
        w.raw(shown->value);
        emit(std::move(delta));
      }
      return;
    case kind::or_set:
      crdt::detail::for_each_entry(
          state, [&](crdt::detail::entry e) { emit(bytes(1, '\1') + bytes{e.key}); });
      return;
    case kind::pn_counter:
    case kind::g_counter:
      w.zigzag(crdt::detail::counter_sum(state).value);
      emit(std::move(delta));
      return;
    case kind::tally:
      crdt::detail::for_each_entry(state, [&](crdt::detail::entry e) {
        bytes grant{e.payload};  // the amount, as in the delta
        emit(grant += e.key);
      });
      return;
    case kind::max_of:
    case kind::min_of: emit(bytes{state}); return;
    case kind::flag: emit(bytes(1, '\1')); return;
    case kind::map:
      crdt::detail::for_each_entry(state, [&](crdt::detail::entry e) {
        const auto cell = crdt::read_cell(e.payload);
        if (!cell.alive()) return;
        emit(entry_delta(e.key, 1, crdt::cell_action::create));
        whole_value(type.inner(), cell.value, replicas, [&](const bytes& inner) {
          emit(entry_delta(e.key, 1, crdt::cell_action::update, inner));
        });
      });
  }
}

class record_replay {
 public:
  std::size_t made = 0;        ///< operations that were made again
  std::size_t superseded = 0;  ///< operations that others' changes had made void
  bool recreated = false;      ///< the record was dead there, and came back whole
  bool left_dead = false;      ///< the record was dead there, and stays so

  /// `seen`: what the old store had seen. `by`: the changeset that is being made.
  record_replay(const replay_side& from, const causal::version& seen, const replay_side& to,
                const causal::stamp& by)
      : from_(from), seen_(seen), to_(to), by_(by) {
    const auto cell = crdt::read_cell(to_.record);
    first_ = incarnation_ = cell.incarnation;
    alive_ = cell.alive();
    killed_ = cell.killed;
    presence_ = cell.presence;
  }

  void make(const old_operation& o) {
    const auto size = out_.size();
    if (o.incarnation >= first_ && o.incarnation > over_) make_now(o);
    (out_.size() > size || recreated ? made : superseded) += 1;
  }
  [[nodiscard]] std::vector<codec::changeset_writer::op>& operations() noexcept { return out_; }

 private:
  using action = crdt::cell_action;
  using field_name = std::pair<std::string_view, crdt::shape>;

  static bool erases(action a) { return a == action::erase || a == action::erase_final; }

  void put(action a, std::string_view field = {}, crdt::shape type = {}, bytes delta = {}) {
    out_.push_back({a, incarnation_, field, type, std::move(delta)});
  }
  /// What concerned the life that has ended.
  void forget() {
    now_.clear();
    back_.clear();
  }
  void start_afresh() {
    ++incarnation_;
    alive_ = fresh_ = true;
    left_dead = false;
    forget();
    put(action::create);
  }

  void make_now(const old_operation& o) {
    if (erases(o.action)) {
      if (!alive_ || (o.action == action::erase && !fresh_ && concurrent(presence_))) return;
      put(o.action);
      alive_ = false;
      fresh_ = true;
      return forget();
    }
    if (!alive_ && o.incarnation == first_ && !fresh_) return bring_back(o.incarnation);
    if (!alive_) {
      start_afresh();
    } else if (o.action == action::create) {
      put(action::create);
    }
    if (o.action != action::update) return;
    auto path = o.field + '\0';
    change(o.type, o.delta, from_.field(o.field, o.type), before(o.field, o.type),
           now(o.field, o.type), path,
           [&](bytes delta) { write(o.field, o.type, std::move(delta)); });
  }

  /// The record is dead there, and was not when the old store last heard of it.
  void bring_back(std::uint64_t life) {
    over_ = life;  // what comes back holds all of it
    const auto old = crdt::read_cell(from_.record);
    left_dead = killed_ || !old.alive() || old.incarnation != life;
    if (left_dead) return;
    recreated = true;
    start_afresh();
    state::for_each_field(old.value, [&](const state::packed_field& f) {
      whole_value(f.id.type, f.state, from_.replicas, [&](bytes delta) {
        put(action::update, from_.names[f.id.name], f.id.type, std::move(delta));
      });
    });
  }

  [[nodiscard]] bytes_view before(std::string_view field, crdt::shape type) const {
    return fresh_ ? bytes_view{} : to_.field(field, type);
  }
  bytes& now(std::string_view field, crdt::shape type) {
    const auto [at, fresh] = now_.try_emplace({field, type});
    if (fresh) at->second = bytes{before(field, type)};
    return at->second;
  }
  void write(std::string_view field, crdt::shape type, bytes delta) {
    crdt::apply(type, now(field, type), delta, by_).onto(now(field, type));
    put(action::update, field, type, std::move(delta));
  }

  /// Whether one of these was made by somebody whom the old store had not heard of then.
  [[nodiscard]] bool concurrent(bytes_view dots) const {
    for (const auto d : crdt::detail::read_dots(dots)) {
      if (d == by_.at) continue;  // made again just now
      const auto r = from_.replicas.find(to_.replicas[d.replica]);
      if (!r || !seen_.seen({*r, d.seq})) return true;
    }
    return false;
  }

  /// Emits what `delta` comes to. `old`: the value in the old store at last; `was`, `is`: here,
  /// before this replay and now.
  template <class F>
  void change(crdt::shape type, bytes_view delta, bytes_view old, bytes_view was, bytes_view is,
              bytes& path, F&& emit) {
    using crdt::kind;
    const bool removes = !delta.empty() && delta[0] == '\0';
    if (type.outer() == kind::map) return change_entry(type, delta, old, was, is, path, emit);
    if (type.outer() == kind::or_set && removes &&
        concurrent(crdt::detail::find_entry(is, delta.substr(1)).payload))
      return;
    if (type.outer() == kind::flag && removes && concurrent(is)) return;
    emit(bytes{delta});
  }

  // Maps nest, so this takes any callable.
  void change_entry(crdt::shape type, bytes_view delta, bytes_view old, bytes_view was,
                    bytes_view is, bytes& path, const std::function<void(bytes)>& emit) {
    byte_reader in{delta};
    const bytes key{in.block()};
    const auto life = in.varint();
    const auto what = static_cast<action>(in.u8());
    byte_writer{path}.block(key);
    const auto decided = back_.find(path);
    if (decided != back_.end() && life <= decided->second) return;
    const auto there = crdt::read_cell(crdt::detail::find_entry(was, key).payload);
    const auto here = crdt::read_cell(crdt::detail::find_entry(is, key).payload);
    if (life < there.incarnation) return;
    if (erases(what)) {
      forget_below(path);
      if (here.alive() && (what == action::erase_final || !concurrent(here.presence)))
        emit(entry_delta(key, here.incarnation, what));
      return;
    }
    const auto target = here.incarnation + (here.alive() ? 0 : 1);
    if (!here.alive() && here.incarnation > 0 && life == there.incarnation &&
        here.incarnation == there.incarnation) {
      const auto ours = crdt::read_cell(crdt::detail::find_entry(old, key).payload);
      back_[path] = life;
      if (there.killed || !ours.alive() || ours.incarnation != life) return;
      emit(entry_delta(key, target, action::create));
      whole_value(type.inner(), ours.value, from_.replicas, [&](const bytes& inner) {
        emit(entry_delta(key, target, action::update, inner));
      });
      return;
    }
    if (what == action::create) return emit(entry_delta(key, target, action::create));
    const auto ours = crdt::read_cell(crdt::detail::find_entry(old, key).payload);
    const bool same = target == there.incarnation;
    change(type.inner(), in.rest(), ours.value, same ? there.value : bytes_view{},
           here.alive() ? here.value : bytes_view{}, path,
           [&](const bytes& inner) { emit(entry_delta(key, target, action::update, inner)); });
  }

  /// A later life of the entry at `path` begins with none of its entries decided.
  void forget_below(const bytes& path) {
    std::erase_if(back_, [&](const auto& entry) {
      return entry.first.size() > path.size() && entry.first.starts_with(path);
    });
  }

  const replay_side& from_;
  const causal::version& seen_;
  const replay_side& to_;
  const causal::stamp& by_;
  std::uint64_t first_ = 0;  ///< the record's incarnation there, before
  std::uint64_t incarnation_ = 0;
  bool alive_ = false;
  bool killed_ = false;
  bool fresh_ = false;      ///< nothing of what was there before counts any more
  std::uint64_t over_ = 0;  ///< the life whose fate is decided
  bytes_view presence_;
  std::map<field_name, bytes> now_;
  std::map<bytes, std::uint64_t> back_;  ///< lives of entries that came back whole, or stay dead
  std::vector<codec::changeset_writer::op> out_;
};

}  // namespace joinery::detail
