// working_set: the records in memory, over those in the snapshot.
//
// Purpose: finds a record in memory or reads it in when it is cold, remembers which ones the
// snapshot has not got yet, and walks a table in key order across both.
// Invariants: a record in memory is at least as new as its stored form; a dirty one is never
// dropped, a clean one equals its stored form. `position` is the log position that the record
// stands for: replay skips what it already holds. Slots stay where they are until they are dropped,
// which only `shrink` does, in constant time a record and the longest unused first; what is absent
// goes before everything else. Parts of large fields (part.hpp) are records like others here; they
// come first in order, so that a snapshot has a field's parts before it has the record that names
// them. What became dirty last is put in order by its owner, when somebody asks for the order or
// little by little before; others that walk sort it for themselves.
// Thread-safety: none; guarded by its owner. Several threads may look at once, while none changes.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>

#include "joinery/base/movable_mutex.hpp"
#include "joinery/codec/checksum.hpp"
#include "joinery/state/record.hpp"
#include "joinery/state/slot_table.hpp"
#include "joinery/state/walk.hpp"

namespace joinery::state {

struct record_name {
  name_index table = 0;
  short_bytes key;
};
struct record_name_view {
  name_index table = 0;
  bytes_view key;
  record_name_view(name_index t, bytes_view k) : table(t), key(k) {}
  record_name_view(const record_name& n) : table(n.table), key(n.key) {}
};
struct record_order {
  using is_transparent = void;
  bool operator()(const record_name_view& a, const record_name_view& b) const {
    const auto x = a.table ^ parts_bit, y = b.table ^ parts_bit;  // parts before records
    return std::tie(x, a.key) < std::tie(y, b.key);
  }
};
/// What comes first of all.
inline record_name_view first_name() { return {parts_of(0), {}}; }

class working_set {
 public:
  class slot {
   public:
    shared_bytes packed;
    std::uint64_t position = 0;

    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;
    static void operator delete(void* memory) noexcept { ::operator delete(memory); }
    [[nodiscard]] bool dirty() const noexcept { return dirty_; }
    /// By which the store's log may name it; 0 when it has none yet.
    [[nodiscard]] std::uint32_t number() const noexcept { return number_; }
    [[nodiscard]] record_name_view name() const noexcept {
      return {table_, {reinterpret_cast<const char*>(this + 1), key_size_}};
    }
    /// Tells the processor that it will be wanted soon, with a key of the usual size.
    void expect() const noexcept { prefetch(this, sizeof(slot) + 16); }

   private:
    friend class working_set;
    // Its key stands behind it: one block for both.
    struct room {
      std::size_t size = 0;
    };
    static void* operator new(std::size_t size, room key) {
      return ::operator new(on_heap(size + key.size) - sizeof(void*));
    }
    static void operator delete(void* memory, room) noexcept { ::operator delete(memory); }
    slot() = default;
    /// How many bytes it takes on the heap, with a key of so many.
    static std::size_t memory(std::size_t key_size) noexcept {
      return on_heap(sizeof(slot) + key_size);
    }
    // Precondition: it was made with room for the key.
    void rename(const record_name_view& name) noexcept {
      table_ = name.table;
      key_size_ = static_cast<std::uint32_t>(name.key.size());
      if (key_size_ > 0) std::memcpy(reinterpret_cast<char*>(this + 1), name.key.data(), key_size_);
    }

    name_index table_ = 0;
    std::uint32_t key_size_ = 0;
    std::uint64_t hash_ = 0;
    slot* older_ = nullptr;  // neighbours in the order of use, of a clean one
    slot* newer_ = nullptr;
    std::size_t weight_ = 0;
    std::uint32_t number_ = 0;
    bool dirty_ = false;
  };

  working_set() = default;
  working_set(working_set&& other) noexcept { swap(other); }
  working_set& operator=(working_set&& other) noexcept {
    working_set{std::move(other)}.swap(*this);
    return *this;
  }
  ~working_set() {
    slots_.for_each([](slot* s) { delete s; });
  }

  /// Whoever is going to load many records says so first, one step for all before the next: the
  /// processor then fetches them side by side (slot_table.hpp). Gives what `load` takes.
  [[nodiscard]] std::uint64_t expect(name_index table, bytes_view key) const noexcept {
    const auto hash = hash_of({table, key});
    slots_.expect(hash);
    return hash;
  }
  void expect_soon(std::uint64_t hash) const noexcept { slots_.expect_item(hash); }

  /// The slot of a record, read in when it is cold, made empty when there is none.
  template <cold_records C>
  result<slot*> load(C& cold, name_index table, bytes_view key) {
    return load(cold, table, key, hash_of({table, key}));
  }
  template <cold_records C>
  result<slot*> load(C& cold, name_index table, bytes_view key, std::uint64_t hash) {
    if (auto* known = find(table, key, hash)) {
      if (!known->dirty_ && !known->packed.empty()) {
        unlink(*known);
        link_newest(*known);
      }
      return known;
    }
    auto stored = cold.load(table, key);
    if (!stored) return stored.error();
    auto& fresh = add({table, key}, hash);
    if (auto& record = *stored) {
      fresh.packed = std::move(record->packed);
      fresh.position = record->position;
      fresh.number_ = record->number;
      link_newest(fresh);
    } else {
      link_oldest(fresh);
    }
    weigh(fresh);
    return &fresh;
  }

  /// The slot of a record that was loaded before; null when it was not.
  slot* find(name_index table, bytes_view key) { return find(table, key, hash_of({table, key})); }

  /// The slot of a record that is in memory unless there is none: it is made empty then.
  slot& obtain(name_index table, bytes_view key) {
    const auto hash = hash_of({table, key});
    if (auto* known = find(table, key, hash)) return *known;
    auto& fresh = add({table, key}, hash);
    link_oldest(fresh);
    weigh(fresh);
    return fresh;
  }
  /// An empty slot for what is known not to be stored, or not to count if it is. It stands for
  /// `position`.
  slot& make(name_index table, bytes_view key, std::uint64_t position) {
    auto& s = obtain(table, key);
    s.packed = {};
    s.position = position;
    weigh(s);
    return s;
  }

  /// To be told after a slot's bytes have changed.
  void changed(slot& s, std::uint64_t position) {
    if (become_dirty(s)) fresh_.push_back(&s);
    note_change(s, position);
  }
  /// As `changed`, for what was taken out of `of`: it must be stored before that is.
  void taken_out(slot& s, std::uint64_t position, slot& of) {
    if (!writing_.contains(&of)) return changed(s, position);
    if (become_dirty(s)) writing_.insert(&s);
    note_change(s, position);
  }
  /// Whether `take_touched` is to be told of changes.
  bool follow_changes = false;
  /// The records that were changed since this was last called.
  [[nodiscard]] std::vector<record_name> take_touched() { return std::exchange(touched_, {}); }

  /// Walks `table` from `from` in key order (walk.hpp). `each` may change the working set.
  template <cold_records C, class F>
  result<> for_each(C& cold, name_index table, bytes_view from, F&& each) {
    bytes next{from};
    return walk_on(cold, table, next, each);
  }
  /// After an error `from` is behind what was shown.
  template <cold_records C, class F>
  result<> walk_on(C& cold, name_index table, bytes& from, F&& each) {
    const auto newest = [this](auto t, auto key, auto limits) {
      put_in_order();
      return newer(t, key, limits);
    };
    return state::walk_on(newest, cold, table, from, each);
  }

  /// Walks the parts that `of` names, from the one of `element` on: `each(beginning, part) ->
  /// bool`.
  template <cold_records C, class F>
  result<> for_each_part(C& cold, const part_group& of, bytes_view element, F&& each) {
    const auto prefix = parts_prefix(of);
    return for_each(cold, parts_of(of.table), part_key(of, element),
                    [&](bytes_view key, bytes_view part) {
                      return key.starts_with(prefix) && each(key.substr(prefix.size()), part);
                    });
  }

  /// Dirty records of `table` from `key` on.
  [[nodiscard]] newer_batch newer(name_index table, bytes_view key, batch_limits limits) const {
    newer_batch out;
    std::size_t size = 0;
    for_each_dirty(table, key, [&](const slot& s) {
      if (s.table_ != table) return false;
      out.more = out.records.size() >= limits.records || size >= limits.size;
      if (out.more) return false;
      size += s.packed.size();
      out.records.emplace_back(s.name().key, s.packed);
      return true;
    });
    return out;
  }

  /// Visits the dirty slots in order, from a name on, until `each(const slot&)` says false.
  template <class F>
  void for_each_dirty(name_index table, bytes_view key, F&& each) const {
    const record_name_view from{table, key};
    const std::lock_guard lock(ordering_);
    walked_ = true;
    std::vector<const slot*> fresh;  // in order, without changing what others look at
    for (const auto* f : fresh_)
      if (!record_order{}(f->name(), from)) fresh.push_back(f);
    std::sort(fresh.begin(), fresh.end(), slot_order{});
    auto a = dirty_.lower_bound(from);
    auto b = writing_.lower_bound(from);
    auto c = fresh.cbegin();
    for (;;) {
      const slot* first = a != dirty_.end() ? *a : nullptr;
      if (b != writing_.end() && (first == nullptr || slot_order{}(*b, first))) first = *b;
      if (c != fresh.cend() && (first == nullptr || slot_order{}(*c, first))) first = *c;
      if (first == nullptr || !each(*first)) return;
      if (a != dirty_.end() && *a == first)
        ++a;
      else if (b != writing_.end() && *b == first)
        ++b;
      else
        ++c;
    }
  }
  /// How often something was changed: equal numbers mean equal records.
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_; }

  // --- What the snapshot has not got yet ---

  /// Puts in order what became dirty, all but so many, or all when somebody has walked it since:
  /// most likely that happens again, and who walks sorts what is not in order, each time.
  void put_in_order(std::size_t but) {
    const std::lock_guard lock(ordering_);
    if (std::exchange(walked_, false)) but = 0;
    for (; fresh_.size() > but; fresh_.pop_back()) dirty_.insert(fresh_.back());
  }
  /// How many of what is dirty `begin_writing` would have to put in order.
  [[nodiscard]] std::size_t out_of_order() const {
    const std::lock_guard lock(ordering_);
    return fresh_.size();
  }
  /// Whatever is dirty now is to be written; precondition: nothing is.
  void begin_writing() {
    put_in_order();
    std::swap(dirty_, writing_);
  }
  /// Visits what is to be written, in order, until `each(const slot&)` says false.
  template <class F>
  void for_each_to_write(F&& each) const {
    for (const slot* s : writing_)
      if (!each(*s)) return;
  }
  /// The first `n` of these are stored as they are in memory. Those that had no number have the
  /// next one from `number` on, up to `end`.
  void written(std::size_t n, std::uint32_t number = 0, std::uint32_t end = 0) {
    for (; n > 0; --n) {
      auto& s = **writing_.begin();
      writing_.erase(writing_.begin());
      if (number != end && needs_number(s)) s.number_ = number++;
      s.dirty_ = false;
      link_newest(s);
      weigh(s);
    }
  }
  /// What was to be written and is not yet is merely dirty again.
  void give_up_writing() {
    dirty_.merge(writing_);
    writing_.clear();
  }
  /// Parts go by the number of no record.
  [[nodiscard]] static bool needs_number(const slot& s) noexcept {
    return s.number_ == 0 && !is_parts(s.table_);
  }
  [[nodiscard]] std::size_t to_write() const noexcept { return writing_.size(); }
  [[nodiscard]] std::size_t dirty_count() const {
    const std::lock_guard lock(ordering_);
    return dirty_.size() + fresh_.size() + to_write();
  }

  // --- Memory ---

  /// Drops clean records until the memory used is within `limit` bytes, or only dirty ones are
  /// left.
  void shrink(std::size_t limit) {
    while (memory() > limit && oldest_ != nullptr) {
      auto& s = *oldest_;
      unlink(s);
      memory_ -= s.weight_;
      slots_.erase(s.hash_, &s);
      s.packed = {};
      spare_.reset(&s);  // most likely another one takes its place
      slots_.fit();
    }
  }
  /// Forgets everything: what is stored is about to mean something else. Precondition: nothing is
  /// dirty.
  void begin_anew() {
    shrink(0);
    ++changes_;
  }
  /// How many bytes the records in memory take, with what lies free between blocks of many sizes
  /// that come and go: 5 % of them, measured, and a little more to be sure.
  [[nodiscard]] std::size_t memory() const noexcept {
    const auto blocks = memory_ + slots_.memory();
    return blocks + blocks / 16;
  }
  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

 private:
  struct slot_order {
    using is_transparent = void;
    static record_name_view name(const slot* s) { return s->name(); }
    static record_name_view name(const record_name_view& n) { return n; }
    bool operator()(const auto& a, const auto& b) const { return record_order{}(name(a), name(b)); }
  };
  using slot_set = std::set<slot*, slot_order>;

  /// Seeded by where this stands in memory: whoever chooses keys cannot choose where they collide.
  [[nodiscard]] std::uint64_t hash_of(const record_name_view& n) const noexcept {
    return codec::checksum(n.key, seed_ ^ n.table);
  }
  slot* find(name_index table, bytes_view key, std::uint64_t hash) {
    return slots_.find(hash, [&](const slot& s) {
      return s.table_ == table && s.key_size_ == key.size() &&
             (key.empty() || std::memcmp(s.name().key.data(), key.data(), key.size()) == 0);
    });
  }
  slot& add(const record_name_view& name, std::uint64_t hash) {
    const auto size = name.key.size();
    if (spare_ == nullptr || slot::memory(spare_->key_size_) != slot::memory(size))
      spare_.reset(new (slot::room{size}) slot);
    slots_.insert(hash, spare_.get());
    auto& fresh = *spare_.release();
    fresh.rename(name);
    fresh.hash_ = hash;
    fresh.position = 0;
    fresh.number_ = 0;
    fresh.weight_ = 0;
    return fresh;
  }
  void swap(working_set& other) noexcept {
    std::swap(follow_changes, other.follow_changes);
    std::swap(seed_, other.seed_);
    std::swap(slots_, other.slots_);
    std::swap(spare_, other.spare_);
    std::swap(walked_, other.walked_);
    std::swap(fresh_, other.fresh_);
    std::swap(dirty_, other.dirty_);
    std::swap(writing_, other.writing_);
    std::swap(newest_, other.newest_);
    std::swap(oldest_, other.oldest_);
    std::swap(touched_, other.touched_);
    std::swap(memory_, other.memory_);
    std::swap(changes_, other.changes_);
  }

  // By the owner alone; others may look meanwhile.
  void put_in_order() { put_in_order(0); }

  // Whether it was clean.
  bool become_dirty(slot& s) {
    if (s.dirty_) return false;
    unlink(s);
    return s.dirty_ = true;
  }
  void note_change(slot& s, std::uint64_t position) {
    s.position = position;
    weigh(s);
    ++changes_;
    if (follow_changes && !is_parts(s.table_)) touched_.push_back({s.table_, s.name().key});
  }

  void weigh(slot& s) {
    constexpr std::size_t set_node = on_heap(5 * sizeof(void*));
    const auto before = s.weight_;
    s.weight_ = slot::memory(s.key_size_) + s.packed.memory() + (s.dirty_ ? set_node : 0);
    memory_ += s.weight_;
    memory_ -= before;
  }

  void link_newest(slot& s) {
    s.older_ = newest_;
    s.newer_ = nullptr;
    (newest_ != nullptr ? newest_->newer_ : oldest_) = &s;
    newest_ = &s;
  }
  void link_oldest(slot& s) {
    s.newer_ = oldest_;
    s.older_ = nullptr;
    (oldest_ != nullptr ? oldest_->older_ : newest_) = &s;
    oldest_ = &s;
  }
  void unlink(slot& s) {
    (s.older_ != nullptr ? s.older_->newer_ : oldest_) = s.newer_;
    (s.newer_ != nullptr ? s.newer_->older_ : newest_) = s.older_;
    s.older_ = s.newer_ = nullptr;
  }

  std::uint64_t seed_ = codec::checksum({}, reinterpret_cast<std::uintptr_t>(this));
  slot_table<slot> slots_;          // owns them
  std::unique_ptr<slot> spare_;     // the memory of one that was dropped
  mutable movable_mutex ordering_;  // of who puts in order and who walks
  mutable bool walked_ = false;     // since something was put in order
  std::vector<slot*> fresh_;        // dirty, and not in order yet
  slot_set dirty_;
  slot_set writing_;  // dirty when the snapshot under way began, and not written yet
  slot* newest_ = nullptr;
  slot* oldest_ = nullptr;
  std::vector<record_name> touched_;
  std::size_t memory_ = 0;  // of the slots
  std::uint64_t changes_ = 0;
};

}  // namespace joinery::state
