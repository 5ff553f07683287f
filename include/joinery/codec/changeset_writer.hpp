// changeset_writer: a transaction's operations, and the changeset that they become.
//
// Purpose: gathers operations in any order and writes the bytes that docs/format.md describes.
// Invariants: operations on different records do not see each other, so only their order within one
// record counts: the changeset has records ascending by table name and key, and a record's
// operations in the order in which they were added. Clearing it keeps its memory.
// Thread-safety: as a `std::vector`.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "joinery/causal/hlc.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/codec/pack.hpp"
#include "joinery/crdt/dispatch.hpp"

namespace joinery::codec {

inline constexpr std::uint64_t changeset_format = 1;

/// How much of another replica the origin has seen since its previous changeset.
struct seen_increase {
  replica_id replica;
  std::uint64_t increase = 0;
};

class changeset_writer {
 public:
  struct op {
    crdt::cell_action action{};
    std::uint64_t incarnation = 0;
    std::string_view field;  ///< must outlive the writer, as must `table`
    crdt::shape type;
    bytes delta;
  };
  /// An operation, and the record that it is for.
  struct entry {
    std::string_view table;
    std::size_t key_at;  // in `keys_`
    std::size_t key_size;
    std::uint64_t key_begins;  // its first bytes, which nearly always tell two keys apart
    op what;
  };
  using record_ops = std::span<const entry* const>;

  void add(std::string_view table, bytes_view key, op o) {
    added_.push_back({table, keys_.size(), key.size(), beginning(key), std::move(o)});
    keys_.append(key);
  }
  [[nodiscard]] bool empty() const noexcept { return added_.empty(); }
  void clear() noexcept {
    added_.clear();
    keys_.clear();
  }
  [[nodiscard]] bool has_table(std::string_view table) const noexcept {
    return std::any_of(added_.begin(), added_.end(),
                       [&](const entry& e) { return same(e.table, table); });
  }
  /// Calls `each(table, key, record_ops)` for the records, in order.
  template <class F>
  void for_each_record(F&& each) const {
    for_each_run(in_order(),
                 [&](record_ops ops) { each(ops.front()->table, key_of(*ops.front()), ops); });
  }

  [[nodiscard]] bytes encode(const replica_id& origin, std::uint64_t seq, causal::hlc time,
                             const std::vector<seen_increase>& seen) const {
    const auto order = in_order();
    name_list names;
    std::vector<std::uint32_t> named;  // the names' indexes, in the order in which they are written
    named.reserve(2 * order.size());
    std::size_t records = 0;
    auto size = 64 + keys_.size() + 32 * seen.size();
    for_each_run(order, [&](record_ops ops) {
      ++records;
      size += 16;
      named.push_back(names.add(ops.front()->table));
      for (const auto* e : ops) {
        size += 40 + e->what.delta.size();
        if (carries(*e)) named.push_back(names.add(e->what.field));
      }
    });
    for (const auto n : names.all()) size += 5 + n.size();

    byte_buffer out;
    static_cast<void>(out.room(size));  // at once
    basic_pack_writer w{out};
    w.array(7);
    w.u64(changeset_format);
    w.binary(origin.view());
    w.u64(seq);
    w.u64(time);
    w.array(seen.size());
    for (const auto& s : seen) {
      w.array(2);
      w.binary(s.replica.view());
      w.u64(s.increase);
    }
    w.array(names.all().size());
    for (const auto n : names.all()) w.text(n);
    w.array(records);
    auto name = named.cbegin();
    for_each_run(order, [&](record_ops ops) {
      w.array(3);
      w.u64(*name++);
      w.binary(key_of(*ops.front()));
      w.array(ops.size());
      for (const auto* e : ops) {
        const auto& o = e->what;
        w.array(carries(*e) ? 5 : 2);
        w.u64(static_cast<std::uint64_t>(o.action));
        w.u64(o.incarnation);
        if (!carries(*e)) continue;
        w.u64(*name++);
        w.u64(o.type.code());
        w.binary(o.delta);
      }
    });
    return bytes{out.view()};
  }

 private:
  // Most names are the same string as before, not only an equal one.
  static bool same(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && (a.data() == b.data() || a == b);
  }
  static bool carries(const entry& e) noexcept { return crdt::carries_delta(e.what.action); }
  static std::uint64_t beginning(bytes_view key) noexcept {
    std::uint64_t raw = 0;
    if (!key.empty()) std::memcpy(&raw, key.data(), std::min(key.size(), sizeof raw));
    return big_endian(raw);
  }
  [[nodiscard]] bytes_view key_of(const entry& e) const noexcept {
    return keys_.view().substr(e.key_at, e.key_size);
  }
  [[nodiscard]] bool same_record(const entry& a, const entry& b) const noexcept {
    return a.key_begins == b.key_begins && same(a.table, b.table) && key_of(a) == key_of(b);
  }
  [[nodiscard]] bool before(const entry& a, const entry& b) const noexcept {
    if (!same(a.table, b.table)) return a.table < b.table;
    if (a.key_begins != b.key_begins) return a.key_begins < b.key_begins;
    const int keys = key_of(a).compare(key_of(b));
    return keys != 0 ? keys < 0 : &a < &b;  // as they were added
  }
  [[nodiscard]] std::vector<const entry*> in_order() const {
    std::vector<const entry*> out;
    out.reserve(added_.size());
    for (const auto& e : added_) out.push_back(&e);
    std::sort(out.begin(), out.end(), [&](auto* a, auto* b) { return before(*a, *b); });
    return out;
  }
  template <class F>
  void for_each_run(const std::vector<const entry*>& order, F&& each) const {
    for (std::size_t i = 0, end = 0; i < order.size(); i = end) {
      for (end = i + 1; end < order.size() && same_record(*order[i], *order[end]);) ++end;
      each(record_ops{order.data() + i, end - i});
    }
  }

  // The names of tables and fields, in the order in which they are first met.
  class name_list {
   public:
    std::uint32_t add(std::string_view name) {
      const auto at = find(name);
      if (at < all_.size()) return static_cast<std::uint32_t>(at);
      all_.push_back(name);
      if (all_.size() > few) index_.emplace(name, at);
      return static_cast<std::uint32_t>(at);
    }
    [[nodiscard]] const std::vector<std::string_view>& all() const noexcept { return all_; }

   private:
    static constexpr std::size_t few = 16;
    [[nodiscard]] std::size_t find(std::string_view name) const {
      const auto some = std::min(all_.size(), few);
      for (std::size_t i = 0; i < some; ++i)
        if (same(all_[i], name)) return i;
      const auto at = index_.find(name);
      return at != index_.end() ? at->second : all_.size();
    }
    std::vector<std::string_view> all_;
    std::map<std::string_view, std::size_t> index_;  // of those that are not among the first few
  };

  std::vector<entry> added_;
  byte_buffer keys_;  // of all entries, one after the other
};

}  // namespace joinery::codec
