// rejoin: an evicted replica comes back.
//
// Purpose: it returns as an empty store under a new id, which a member admits and which syncs; then
// the work of the old store that never reached the others is made again there, as new changes.
// Invariants: each of the old store's own changesets that is missing there is made again once,
// whatever crashes in between and however often it is tried: how far it has come stands in the
// space itself (table "joinery.rejoins"), in the same changesets. Records are done in order, each
// whole.
// Thread-safety: none; neither store may be used meanwhile.
#pragma once

#include "joinery/crdt/extremum.hpp"
#include "joinery/replica/engine.hpp"
#include "joinery/replica/replay.hpp"

namespace joinery {

/// What a rejoin did.
struct rejoin_report {
  std::size_t changesets = 0;  ///< of the old store that were missing
  std::size_t operations = 0;  ///< in them that were made again
  std::size_t superseded = 0;  ///< that others' changes had made void
  std::size_t recreated = 0;   ///< records that others had deleted, and that came back whole
  std::size_t left_dead = 0;   ///< records that were deleted for both, or for good
  std::size_t local = 0;       ///< records of local tables that came along
};

namespace detail {

/// How far the work of an old replica has been made again.
struct rejoin_progress {
  using place = std::tuple<std::uint64_t, std::string, crdt::blob>;  // target seq, table, key

  std::uint64_t through = 0;    ///< every changeset up to this one
  std::optional<place> cursor;  ///< of the part under way, the last record that is done

  static constexpr std::string_view table = "joinery.rejoins";
  static constexpr std::string_view through_field = "through";
  static constexpr std::string_view cursor_field = "cursor";
  using through_type = crdt::max_of<std::uint64_t>;
  using cursor_type = crdt::max_of<place>;

  static rejoin_progress read(bytes_view packed, const state::name_table& names) {
    const auto cell = crdt::read_cell(packed);
    rejoin_progress p;
    if (!cell.alive()) return p;
    const through_type through{
        bytes{system_field(cell.value, through_field, through_type::type(), names)}};
    const cursor_type cursor{
        bytes{system_field(cell.value, cursor_field, cursor_type::type(), names)}};
    p.through = through.get().value_or(0);
    p.cursor = cursor.get();
    return p;
  }
};

template <class Old, class New>
class rejoining {
 public:
  rejoining(Old& from, New& to, std::size_t part_bytes)
      : from_(from), to_(to), part_bytes_(part_bytes), old_(from.self()) {}

  result<rejoin_report> run() {
    if (auto may = check(); !may) return may.error();
    const auto r = to_.replicas().find(old_);
    const auto there = r ? to_.seen().at(*r) : 0;
    const auto own = from_.replicas().find(old_);
    const auto last = own ? from_.seen().at(*own) : 0;
    for (;;) {
      auto marked = to_.record(rejoin_progress::table, old_.view());
      if (!marked) return marked.error();
      const auto progress = rejoin_progress::read(*marked, to_.names());
      const auto after = std::max(there, progress.through);
      // A part that was under way is ended first: with other changesets in it, its cursor would
      // lie.
      const bool under_way = progress.cursor && std::get<0>(*progress.cursor) > after;
      const auto target = under_way ? std::get<0>(*progress.cursor) : last;
      if (after >= target) return report_;
      if (auto read = gather(after, target); !read) return read.error();
      auto done = make_again(target, under_way ? &*progress.cursor : nullptr);
      if (!done) return done.error();
    }
  }

 private:
  using record_place = std::pair<std::string, bytes>;

  [[nodiscard]] result<> check() {
    const auto refuse = [](std::string what, std::string advice) {
      return error{errc::invalid_argument, std::move(what), "", std::move(advice)};
    };
    if (from_.space() != to_.space())
      return error{errc::wrong_space, "the two stores are of different spaces", "", ""};
    if (old_ == to_.self())
      return refuse("both stores have one replica id", "open an empty store to come back with");
    auto members = to_.members();
    if (!members) return members.error();
    auto state = member_state::unknown;
    for (const auto& m : *members)
      if (m.id == old_) state = m.state;
    if (to_.status().membership.self != member_state::member)
      return error{errc::not_admitted, "the new store is not admitted to the space yet",
                   "replica " + to_.self().hex(), "have a member admit it, and sync"};
    if (state == member_state::member)
      return refuse("the old store is still a member", "sync it as it is");
    if (state == member_state::leaving)
      return refuse("not every member knows of the eviction yet",
                    "sync with the members, and try again");
    return {};
  }

  /// The old store's own operations of the changesets after `after`, up to `last`.
  result<> gather(std::uint64_t after, std::uint64_t last) {
    work_.clear();
    auto next = after + 1;
    result<> outcome;
    auto read = from_.read_log(1, [&](auto, const auto& origin, auto seq, bytes_view data) {
      if (origin != old_ || seq <= after || seq > last) return seq <= last || origin != old_;
      auto c = codec::decode_changeset(data);
      if (!c) return outcome = c.error(), false;
      if (seq != next++) return outcome = missing(seq), false;
      ++report_.changesets;
      for (const auto& op : c->ops) {
        const auto& where = c->records[op.record];
        const auto table = c->names[where.table];
        if (table.starts_with("joinery.")) continue;
        const bool update = op.action == crdt::cell_action::update;
        work_[{std::string{table}, bytes{where.key}}].push_back(
            {op.action, op.incarnation, update ? std::string{c->names[op.field]} : std::string{},
             op.type, bytes{op.delta}});
      }
      return true;
    });
    if (!read) return read;
    if (outcome && next != last + 1) return missing(next);
    return outcome;
  }
  static error missing(std::uint64_t seq) {
    return {errc::gap, "the old store's log lacks changes of its own",
            "changeset " + std::to_string(seq), "they cannot be made again"};
  }

  /// Makes `work_` again, in as few changesets as the limits allow.
  result<> make_again(std::uint64_t target, const rejoin_progress::place* cursor) {
    auto at = work_.begin();
    while (at != work_.end() && cursor != nullptr &&
           rejoin_progress::place{target, at->first.first, {at->first.second}} <= *cursor)
      ++at;
    do {
      codec::changeset_writer out;
      const auto [dot, time] = to_.next_own_stamp();
      auto context = to_.seen();
      context.raise(dot);
      const causal::stamp by{dot, time, context};
      rejoin_report part;
      std::size_t size = 0;
      const record_place* last = nullptr;
      for (; at != work_.end() && size < part_bytes_; ++at) {
        last = &at->first;
        if (auto done = make_record(*last, at->second, by, out, size, part); !done) return done;
      }
      if (auto marked = mark(out, target, at == work_.end(), last); !marked) return marked;
      auto done = to_.commit(out);
      if (!done) return done.error();
      report_.operations += part.operations;
      report_.superseded += part.superseded;
      report_.recreated += part.recreated;
      report_.left_dead += part.left_dead;
    } while (at != work_.end());
    return {};
  }

  result<> make_record(const record_place& where, const std::vector<old_operation>& operations,
                       const causal::stamp& by, codec::changeset_writer& out, std::size_t& size,
                       rejoin_report& part) {
    auto ours = from_.whole_record(where.first, where.second);
    if (!ours) return ours.error();
    auto theirs = to_.whole_record(where.first, where.second);
    if (!theirs) return theirs.error();
    const replay_side from{std::move(*ours), from_.names(), from_.replicas()};
    const replay_side to{std::move(*theirs), to_.names(), to_.replicas()};
    record_replay replay{from, from_.seen(), to, by};
    for (const auto& o : operations) replay.make(o);
    for (auto& op : replay.operations()) {
      size += op.delta.size() + 16;
      // The old store's names live until the commit; those of `operations` do as well.
      out.add(where.first, where.second, std::move(op));
    }
    part.operations += replay.made;
    part.superseded += replay.superseded;
    part.recreated += replay.recreated ? 1 : 0;
    part.left_dead += replay.left_dead ? 1 : 0;
    return {};
  }

  result<> mark(codec::changeset_writer& out, std::uint64_t target, bool complete,
                const record_place* last) {
    auto marked = to_.record(rejoin_progress::table, old_.view());
    if (!marked) return marked.error();
    const auto life = crdt::incarnation_to_create(crdt::read_cell(*marked));
    const auto put = [&](std::string_view field, crdt::shape type, bytes delta) {
      out.add(rejoin_progress::table, old_.view(),
              {crdt::cell_action::update, life, field, type, std::move(delta)});
    };
    if (complete)
      put(rejoin_progress::through_field, rejoin_progress::through_type::type(),
          rejoin_progress::through_type::put(target));
    else
      put(rejoin_progress::cursor_field, rejoin_progress::cursor_type::type(),
          rejoin_progress::cursor_type::put({target, last->first, {last->second}}));
    return {};
  }

  Old& from_;
  New& to_;
  std::size_t part_bytes_;
  replica_id old_;
  std::map<record_place, std::vector<old_operation>> work_;
  rejoin_report report_;
};

}  // namespace detail

/// Makes the work of `old_store`, which the space has evicted, again in `new_store`, where it is
/// missing. Engines, or `replica::endpoint()`. Errors: invalid_argument, wrong_space, not_admitted,
/// gap (the log is not whole), and those of reading and committing. It can be repeated. All of it
/// is one changeset, or, above `part_bytes`, several.
template <history::storage A, history::storage B>
result<rejoin_report> rejoin(engine<A>& old_store, engine<B>& new_store,
                             std::size_t part_bytes = 1u << 20) {
  auto done = detail::rejoining<engine<A>, engine<B>>{old_store, new_store, part_bytes}.run();
  if (!done) return done;
  auto moved = new_store.local().adopt(old_store.local(), old_store.self());
  if (!moved) return moved.error();
  done->local = *moved;
  return done;
}

}  // namespace joinery
