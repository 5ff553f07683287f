// event_graph: every changeset that anyone ever made, with what happened before it.
//
// Purpose: what the oracle reads and the simulator's invariants are held against. A changeset is an
// event; it knows its predecessor of the same origin and all that its writer had seen. Of one dot
// there can be several events: branches of an origin that forked.
// Invariants: events are added after their predecessors; `seen` counts the event itself.
// Thread-safety: none; a value.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "joinery/codec/changeset.hpp"
#include "joinery/history/head.hpp"

namespace joinery::testing {

/// An operation as its changeset has it.
struct event_op {
  std::string table;
  std::string key;
  crdt::cell_action action{};
  std::uint64_t incarnation = 0;
  std::string field;
  crdt::shape type;
  std::string delta;
};

struct event {
  std::size_t origin = 0;  ///< number of the origin, see `event_graph::ids`
  std::uint64_t seq = 0;
  causal::hlc time = 0;
  std::vector<std::uint64_t> seen;  ///< by number of origin: how many of its changesets
  std::vector<event_op> ops;
  crypto::digest chain;
  int before = -1;  ///< its predecessor of the same origin

  [[nodiscard]] std::uint64_t has_seen(std::size_t o) const {
    return o < seen.size() ? seen[o] : 0;
  }
};

class event_graph {
 public:
  explicit event_graph(const space_id& space) : space_(space) {}

  [[nodiscard]] std::size_t number_of(const replica_id& id) {
    const auto [at, fresh] = numbers_.try_emplace(id, ids_.size());
    if (fresh) {
      ids_.push_back(id);
      first_.emplace_back();
    }
    return at->second;
  }
  [[nodiscard]] const std::vector<replica_id>& ids() const noexcept { return ids_; }
  [[nodiscard]] const event& at(int e) const { return events_[static_cast<std::size_t>(e)]; }
  [[nodiscard]] std::size_t size() const noexcept { return events_.size(); }

  struct added {
    int event = -1;      ///< none when the bytes are no changeset of that origin's next dot
    bool fresh = false;  ///< it was not known before
    bool forks = false;  ///< another event under the same dot is known
  };
  /// The changeset that follows `before` (−1: the first) of its origin.
  added add(int before, bytes_view data) {
    const auto dot = codec::peek_dot(data);
    if (!dot || dot->second != (before < 0 ? 1 : at(before).seq + 1)) return {};
    const auto origin = number_of(dot->first);
    const auto start = before < 0 ? history::chain_start(space_, dot->first) : at(before).chain;
    const auto chain = history::chain_next(start, data);
    if (const auto known = by_chain_.find(chain); known != by_chain_.end())
      return {known->second, false, false};
    auto e = read(before, data, origin);
    if (!e) return {};
    e->chain = chain;
    const int number = static_cast<int>(events_.size());
    auto& dots = first_[origin];
    const bool forks = dots.size() >= e->seq;
    if (!forks) dots.push_back(number);
    by_chain_.emplace(chain, number);
    events_.push_back(std::move(*e));
    return {number, true, forks};
  }
  /// The event at which the chain is this; −1 when there is none.
  [[nodiscard]] int find(const crypto::digest& chain) const {
    const auto known = by_chain_.find(chain);
    return known == by_chain_.end() ? -1 : known->second;
  }
  /// The ancestor of `e` (or itself) with this seq; −1 for 0.
  [[nodiscard]] int back_to(int e, std::uint64_t seq) const {
    while (e >= 0 && at(e).seq > seq) e = at(e).before;
    return e;
  }

 private:
  struct by_bytes {
    std::size_t operator()(const crypto::digest& d) const {
      return std::hash<std::string_view>{}(d.view());
    }
  };

  std::optional<event> read(int before, bytes_view data, std::size_t origin) {
    const auto c = codec::decode_changeset(data);
    if (!c) return std::nullopt;
    event e;
    e.origin = origin;
    e.seq = c->seq;
    e.time = c->time;
    e.before = before;
    if (before >= 0) e.seen = at(before).seen;
    const auto raise = [&](std::size_t o, std::uint64_t by) {
      if (o >= e.seen.size()) e.seen.resize(o + 1);
      e.seen[o] += by;
    };
    raise(origin, 1);
    for (const auto& s : c->seen) raise(number_of(s.replica), s.increase);
    for (const auto& op : c->ops) {
      const auto& where = c->records[op.record];
      event_op out{std::string{c->names[where.table]},
                   std::string{where.key},
                   op.action,
                   op.incarnation,
                   {},
                   op.type,
                   std::string{op.delta}};
      if (crdt::carries_delta(op.action)) out.field = c->names[op.field];
      e.ops.push_back(std::move(out));
    }
    return e;
  }

  space_id space_;
  std::vector<event> events_;
  std::vector<replica_id> ids_;
  std::vector<std::vector<int>> first_;  // by origin: the first event known under seq i + 1
  std::unordered_map<replica_id, std::size_t> numbers_;
  std::unordered_map<crypto::digest, int, by_bytes> by_chain_;
};

}  // namespace joinery::testing
