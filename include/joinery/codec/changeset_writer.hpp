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

#include "joinery/base/comparing.hpp"
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
    entry(std::uint32_t table_, std::uint32_t field_, std::size_t at, bytes_view key, op&& o)
        : table(table_),
          field(field_),
          key_at(at),
          key_size(key.size()),
          key_begins(first_bytes(key)),
          what(std::move(o)) {}

    std::uint32_t table;  // in `names_`, as is the field
    std::uint32_t field;
    std::size_t key_at;  // in `keys_`
    std::size_t key_size;
    std::uint64_t key_begins;  // its first bytes, which nearly always tell two keys apart
    op what;
  };
  using record_ops = std::span<const entry* const>;

  void add(std::string_view table, bytes_view key, op o) {
    const auto in = !added_.empty() && same(names_[added_.back().table], table)
                        ? added_.back().table
                        : names_.add(table);
    const auto field = crdt::carries_delta(o.action) ? names_.add(o.field) : 0;
    added_.emplace_back(in, field, keys_.size(), key, std::move(o));
    keys_.append(key);
  }
  [[nodiscard]] bool empty() const noexcept { return added_.empty(); }
  void clear() noexcept {
    added_.clear();
    keys_.clear();
    names_.clear();
  }
  [[nodiscard]] bool has_table(std::string_view table) const noexcept {
    return std::any_of(added_.begin(), added_.end(),
                       [&](const entry& e) { return same(names_[e.table], table); });
  }
  /// Calls `each(table, key, record_ops)` for the records, in order.
  template <class F>
  void for_each_record(F&& each) const {
    for_each_run(in_order(), [&](record_ops ops) {
      each(names_[ops.front()->table], key_of(*ops.front()), ops);
    });
  }

  [[nodiscard]] bytes encode(const replica_id& origin, std::uint64_t seq, causal::hlc time,
                             const std::vector<seen_increase>& seen) const {
    const auto order = in_order();
    name_order names(names_.size());
    std::size_t records = 0;
    auto most = most_head + keys_.size() + most_seen * seen.size();
    for_each_run(order, [&](record_ops ops) {
      ++records;
      most += most_record;
      names.use(ops.front()->table);
      for (const auto* e : ops) {
        most += most_op + e->what.delta.size();
        if (carries(*e)) names.use(e->field);
      }
    });
    for (const auto n : names.used()) most += 5 + names_[n].size();

    byte_buffer out;
    char* const begin = out.room(most);
    char* to = write_array(begin, 7);
    to = write_u64(to, changeset_format);
    to = write_binary(to, origin.view());
    to = write_u64(to, seq);
    to = write_u64(to, time);
    to = write_array(to, seen.size());
    for (const auto& s : seen) {
      to = write_binary(write_array(to, 2), s.replica.view());
      to = write_u64(to, s.increase);
    }
    to = write_array(to, names.used().size());
    for (const auto n : names.used()) to = write_text(to, names_[n]);
    to = write_array(to, records);
    for_each_run(order, [&](record_ops ops) {
      to = write_u64(write_array(to, 3), names[ops.front()->table]);
      to = write_binary(to, key_of(*ops.front()));
      to = write_array(to, ops.size());
      for (const auto* e : ops) {
        const auto& o = e->what;
        to = write_array(to, carries(*e) ? 5 : 2);
        to = write_u64(to, static_cast<std::uint64_t>(o.action));
        to = write_u64(to, o.incarnation);
        if (!carries(*e)) continue;
        to = write_u64(to, names[e->field]);
        to = write_u64(to, o.type.code());
        to = write_binary(to, o.delta);
      }
    });
    return bytes(begin, to);
  }

 private:
  // What each of these takes at most, without its strings.
  static constexpr std::size_t most_head = 1 + 1 + 18 + 9 + 9 + 3 * 5;
  static constexpr std::size_t most_seen = 1 + 18 + 9;
  static constexpr std::size_t most_record = 1 + 5 + 5 + 5;
  static constexpr std::size_t most_op = 1 + 1 + 9 + 5 + 5 + 5;

  // Most are the same string as before, not only an equal one.
  static bool same(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && (a.data() == b.data() || same_bytes(a, b));
  }
  static bool carries(const entry& e) noexcept { return crdt::carries_delta(e.what.action); }
  [[nodiscard]] bytes_view key_of(const entry& e) const noexcept {
    return keys_.view().substr(e.key_at, e.key_size);
  }
  [[nodiscard]] bool same_record(const entry& a, const entry& b) const noexcept {
    return a.key_begins == b.key_begins && a.table == b.table && key_of(a) == key_of(b);
  }
  [[nodiscard]] bool before(const entry& a, const entry& b) const noexcept {
    if (a.table == b.table && a.key_begins != b.key_begins) return a.key_begins < b.key_begins;
    return before_in_full(a, b);
  }
  [[nodiscard, gnu::noinline]] bool before_in_full(const entry& a, const entry& b) const noexcept {
    if (a.table != b.table) return names_[a.table] < names_[b.table];
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

  // The names of tables and fields, each once.
  class name_list {
   public:
    std::uint32_t add(std::string_view name) {
      const auto at = find(name);
      if (at == all_.size()) {
        all_.push_back(name);
        if (all_.size() > few) index_.emplace(name, at);
      }
      return static_cast<std::uint32_t>(at);
    }
    void clear() noexcept {
      all_.clear();
      index_.clear();
    }
    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
    [[nodiscard]] std::string_view operator[](std::size_t at) const noexcept { return all_[at]; }

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

  // Their order in a changeset: that in which they are first met there.
  class name_order {
   public:
    explicit name_order(std::size_t names) : all_(2 * names, unused), names_(names) {}
    void use(std::uint32_t name) {
      if (all_[name] != unused) return;
      all_[name] = count_;
      all_[names_ + count_++] = name;
    }
    [[nodiscard]] std::span<const std::uint32_t> used() const noexcept {
      return {all_.data() + names_, count_};
    }
    [[nodiscard]] std::uint32_t operator[](std::uint32_t name) const { return all_[name]; }

   private:
    static constexpr std::uint32_t unused = 0xFFFFFFFF;
    std::vector<std::uint32_t> all_;  // each one's index, then the names by index
    std::size_t names_;
    std::uint32_t count_ = 0;
  };

  name_list names_;
  std::vector<entry> added_;
  byte_buffer keys_;  // of all entries, one after the other
};

}  // namespace joinery::codec
