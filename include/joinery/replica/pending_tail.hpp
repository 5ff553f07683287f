// pending_tail: changesets of the log whose operations are in no record yet.
//
// Purpose: a replica that opens reads the log beyond its snapshot once, for versions, names and its
// own tables; what the rest does to records is kept here, found by record, and folded in when a
// record is first needed (tail_progress.hpp). So opening costs what the tail has in bytes, and no
// look at a record.
// Invariants: changesets stand in the order of the log; each one's context is that of its origin
// when it was made. Never changes once the replica has opened, so that readers may keep it.
// Thread-safety: any number of threads may read it once it is shared.
#pragma once

#include <deque>

#include "joinery/codec/changeset.hpp"
#include "joinery/codec/checksum.hpp"
#include "joinery/state/names.hpp"
#include "joinery/state/slot_table.hpp"

namespace joinery::detail {

class pending_tail {
 public:
  /// A changeset, with what its names and its origin's version are here.
  struct member {
    causal::dot at;
    std::uint64_t position = 0;
    bytes data;
    codec::changeset parsed;  ///< views into `data`
    std::vector<state::name_index> names;

   private:
    friend class pending_tail;
    member* previous = nullptr;  // of the same origin
    std::optional<causal::version> context;
    std::vector<causal::dot> grown;  // where there is no `context`: by how much, beside its own
    std::size_t apart = 0;           // how many since the last one with a context
  };
  /// What one changeset does to one record: operations `first` up to `end`.
  struct step {
    const member* by = nullptr;
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    std::uint32_t next = none;  ///< the record's next step, in `steps`
  };
  struct record {
    state::name_index table = 0;
    bytes_view key;
    std::size_t number = 0;  ///< counted from 0, in the order in which they were met
    std::uint32_t first = none;
    std::uint32_t last = none;
  };
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  pending_tail() = default;
  pending_tail(const pending_tail&) = delete;
  pending_tail& operator=(const pending_tail&) = delete;

  /// Room for the next changeset: to be filled in, and then added or dropped.
  member& next() { return members_.emplace_back(); }
  void drop_next() { members_.pop_back(); }
  /// Adds what `next` gave, of which `is_pending(table)` says which records concern it. `context`
  /// is its origin's version with it.
  template <class F>
  void add_next(const causal::roster& replicas, const causal::version& context, F&& is_pending) {
    auto& m = members_.back();
    const auto& c = m.parsed;
    for (std::uint32_t i = 0; i < c.ops.size();) {
      const auto first = i;
      const auto number = c.ops[i].record;
      while (i < c.ops.size() && c.ops[i].record == number) ++i;
      const auto table = m.names[c.records[number].table];
      if (is_pending(table)) add(table, c.records[number].key, {&m, first, i, none});
    }
    note_context(m, replicas, context);
    memory_ += on_heap(sizeof(member)) + sizeof(void*) + on_heap(m.data.capacity()) +
               memory_of(c.seen) + memory_of(c.names) + memory_of(c.records) + memory_of(c.ops) +
               memory_of(m.names);
  }

  /// What is pending of a record; null when nothing is.
  [[nodiscard]] const record* find(state::name_index table, bytes_view key) const {
    return index_.find(hash_of(table, key),
                       [&](const record& r) { return r.table == table && r.key == key; });
  }
  [[nodiscard]] const std::deque<record>& records() const noexcept { return records_; }
  /// `each(const step&)`, in the order of the log.
  template <class F>
  void for_each_step(const record& r, F&& each) const {
    for (auto at = r.first; at != none; at = steps_[at].next) each(steps_[at]);
  }
  [[nodiscard]] const std::deque<member>& members() const noexcept { return members_; }

  /// The version of its origin that a changeset was made at, itself included. `space`: where it is
  /// put together.
  [[nodiscard]] const causal::version& context_of(const member& m, causal::version& space) const {
    if (m.context) return *m.context;
    std::vector<const member*> way;
    const auto* from = &m;
    for (; !from->context; from = from->previous) way.push_back(from);
    space = *from->context;
    for (auto at = way.rbegin(); at != way.rend(); ++at) {
      for (const auto& g : (*at)->grown) space.set(g.replica, space.at(g.replica) + g.seq);
      space.raise((*at)->at);
    }
    return space;
  }

  /// How many bytes it takes.
  [[nodiscard]] std::size_t memory() const noexcept {
    return memory_ + memory_of(steps_) + records_.size() * sizeof(record) + index_.memory();
  }

 private:
  template <class T>
  static std::size_t memory_of(const std::vector<T>& v) noexcept {
    return on_heap(v.capacity() * sizeof(T));
  }
  [[nodiscard]] std::uint64_t hash_of(state::name_index table, bytes_view key) const noexcept {
    return codec::checksum(key, seed_ ^ table);
  }

  void add(state::name_index table, bytes_view key, const step& s) {
    const auto number = static_cast<std::uint32_t>(steps_.size());
    steps_.push_back(s);
    const auto hash = hash_of(table, key);
    auto* known =
        index_.find(hash, [&](const record& r) { return r.table == table && r.key == key; });
    if (known == nullptr) {
      known = &records_.emplace_back(record{table, key, records_.size(), number, number});
      index_.insert(hash, known);
      return;
    }
    steps_[known->last].next = number;
    known->last = number;
  }

  // Of many replicas not every changeset has a version of its own: between two that have one there
  // are so many that each takes a constant number of bytes.
  void note_context(member& m, const causal::roster& replicas, const causal::version& context) {
    constexpr std::size_t replicas_each = 16;
    if (m.at.replica >= newest_.size()) newest_.resize(m.at.replica + std::size_t{1});
    m.previous = std::exchange(newest_[m.at.replica], &m);
    m.apart = m.previous != nullptr ? m.previous->apart + 1 : 0;
    if (m.previous == nullptr || m.apart >= context.size() / replicas_each) {
      m.apart = 0;
      m.context = context;
      memory_ += context.memory();
      return;
    }
    for (const auto& s : m.parsed.seen) m.grown.push_back({*replicas.find(s.replica), s.increase});
    memory_ += m.grown.capacity() * sizeof(causal::dot);
  }

  // As in the working set: whoever chooses keys cannot choose where they collide.
  std::uint64_t seed_ = codec::checksum({}, reinterpret_cast<std::uintptr_t>(this));
  std::deque<member> members_;  // stay where they are
  std::vector<step> steps_;
  std::deque<record> records_;  // stay where they are
  state::slot_table<record> index_;
  std::vector<member*> newest_;  // by origin
  std::size_t memory_ = 0;       // of the members
};

/// Shared, since a reader keeps the one of its moment; null when nothing is pending.
using shared_tail = std::shared_ptr<const pending_tail>;

}  // namespace joinery::detail
