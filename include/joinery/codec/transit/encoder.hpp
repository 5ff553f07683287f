// encoder: changesets on their way to one reader, as small as they come.
//
// Purpose: what the reader has been told is not told again: names, origins, kinds of operations and
// keys of records go once and by number afterwards; all numbers through adaptive codes, all strings
// together (strings.hpp). Format: docs/format-transit.md.
// Invariants: the reader gets back the bytes, exactly: what is not in the form that parts.hpp reads
// goes whole. Adding a changeset makes the frame longer by at most `most_added`. Every frame that
// was finished must reach the reader, in order.
// Thread-safety: none; one encoder belongs to one direction of one session.
#pragma once

#include <algorithm>

#include "joinery/codec/transit/memory.hpp"
#include "joinery/codec/transit/parts.hpp"
#include "joinery/codec/transit/strings.hpp"

namespace joinery::codec::transit {

/// What an empty frame may come to.
inline constexpr std::size_t frame_slack = 128;

/// By how much a changeset of `size` bytes may make a frame longer, at worst: when nothing in it
/// was seen before, and all codes fit badly.
constexpr std::size_t most_added(std::size_t size) noexcept { return 2 * size + 128; }

class encoder {
 public:
  /// `memory` as in `capacity`; the reader's must be the same.
  explicit encoder(std::uint64_t memory) : encoder(capacity{memory}) {}

  /// Adds a changeset to the frame under way. `numbers` only where the reader knows them.
  void add(bytes_view changeset, record_numbers numbers = {}) {
    ++count_;
    if (read_parts(changeset, parts_) && resolve_names()) return add_parts(numbers);
    models_.head.put(bits_, whole);
    number(models_.size, changeset.size());
    blobs_.add(changeset);
  }
  /// How many changesets it holds.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

  /// What the frame takes at most.
  [[nodiscard]] std::size_t bound() const noexcept {
    return bits_.size() / 8 + texts_.size() + blobs_.size() + frame_slack;
  }

  /// Appends the frame to `out` and begins the next, unless this is the end of the stream.
  /// Precondition: `count() > 0`.
  void finish(bytes& out, bool ends = false) {
    out.reserve(out.size() + bound());
    body_.clear();
    coded_.clear();
    const auto text_size = texts_.size(), blob_size = blobs_.size();
    const auto text_form = texts_.close(stream_, body_, coded_, ends);
    const auto split = body_.size();
    const auto blob_form = blobs_.close(stream_, body_, coded_, ends);
    byte_writer w{out};
    w.u8(static_cast<std::uint8_t>((count_ < 16 ? count_ : 0) |
                                   static_cast<unsigned>(text_form) << 4 |
                                   static_cast<unsigned>(blob_form) << 6));
    if (count_ >= 16) w.varint(count_);
    if (text_size > 0) w.varint(text_size);
    if (blob_size > 0) w.varint(blob_size);
    if (text_form == string_form::streamed) w.varint(split);
    if (blob_form == string_form::streamed) w.varint(body_.size() - split);
    w.raw(body_);
    coded_.append(bits_);
    w.raw(coded_.view());
    bits_.clear();
    coded_.clear();
    if (body_.capacity() > kept) body_ = bytes{};
    if (parts_.ops.capacity() > kept_ops) parts_ = parts{};
    count_ = 0;
  }

 private:
  static constexpr std::size_t kept = 16u << 10;  ///< bytes of a buffer between two frames
  static constexpr std::size_t kept_ops = 1024;
  static constexpr std::uint32_t unknown = 0xFFFFFFFF;
  static constexpr std::size_t most_new_names = 64;
  /// A record that is looked for on the shelf, and where it may be.
  struct sought {
    std::uint64_t hash;
    std::uint32_t table;
    std::uint32_t slot = unknown;
  };

  explicit encoder(const capacity& c)
      : origins_(c.origins, 16 * c.origins),
        names_(max_names, max_names * max_name),
        records_(c.records, c.key_bytes) {}

  void number(model_writer& model, std::uint64_t value) { put_number(model, bits_, value); }

  /// The slots of the changeset's names; false when they are not to be taken apart.
  bool resolve_names() {
    slots_.clear();
    std::size_t fresh = 0;
    for (std::size_t i = 0; i < parts_.names.size(); ++i) {
      const auto name = parts_.names[i];
      const auto known = names_.find(indexed_shelf::hash(name, 0), name, 0);
      slots_.push_back(known.value_or(unknown));
      if (known) {
        if (*known >= named_in_.size()) named_in_.resize(*known + 1);
        if (std::exchange(named_in_[*known], changesets_) == changesets_)
          return ++changesets_, false;
        continue;
      }
      for (std::size_t k = 0; k < i; ++k)
        if (slots_[k] == unknown && parts_.names[k] == name) return ++changesets_, false;
      if (++fresh > most_new_names || name_count_ + fresh > max_names) return ++changesets_, false;
    }
    ++changesets_;
    return true;
  }

  void add_parts(record_numbers numbers) {
    find_records(numbers);
    const auto& p = parts_;
    const auto by = origin_slot(p.origin);
    const auto state = by == unknown ? origin_state{} : states_[by];
    std::uint8_t flags = 0;
    if (by != unknown && by == last_origin_) flags |= same_origin;
    if (p.seq == state.seq + 1) flags |= next_seq;
    if (p.seen.empty()) flags |= nothing_seen;
    if (fresh_.empty() && numbered_.empty()) flags |= known_records;
    if (!numbered_.empty()) flags |= numbered;
    if (p.ops.size() == p.records.size() &&
        std::all_of(p.records.begin(), p.records.end(), [](const auto& r) { return r.count == 1; }))
      flags |= single_ops;
    models_.head.put(bits_, flags);
    if ((flags & same_origin) == 0) last_origin_ = origin(models_.origin, p.origin, by);
    if ((flags & next_seq) == 0) number(models_.seq, p.seq);
    const auto step = step_between(state.time, p.time);
    number(models_.ms, step.ms);
    number(models_.logical, step.logical);
    states_[last_origin_] = {p.seq, p.time};
    if ((flags & nothing_seen) == 0) {
      number(models_.seen, p.seen.size());
      for (const auto& s : p.seen) {
        // The origin's own slot may be taken over by one of these: it is known by its bytes then.
        origin(models_.origin, s.replica, origin_slot(s.replica));
        number(models_.increase, s.increase);
      }
    }
    number(models_.records, p.records.size());
    if ((flags & known_records) == 0) number(models_.fresh, numbered_.size() + fresh_.size());
    if ((flags & numbered) != 0) number(models_.by_number, numbered_.size());
    std::uint64_t next = 0;
    for (const auto known : known_) {
      number(models_.gap, (known >> 32) - next);
      next = (known >> 32) + 1;
      add_ops(p.records[known & 0xFFFFFFFF], flags);
    }
    next = 1;
    for (const auto of : numbered_) {
      const auto& r = p.records[of & 0xFFFFFFFF];
      number(models_.number_gap, (of >> 32) - next);
      next = (of >> 32) + 1;
      name(r.table);
      add_ops(r, flags);
    }
    for (const auto record : fresh_) {
      const auto& r = p.records[record];
      name(r.table);
      number(models_.key_size, r.key.size());
      blobs_.add(r.key);
      add_ops(r, flags);
    }
    for (const auto of : numbered_) put_on_shelf(static_cast<std::uint32_t>(of));
    for (const auto record : fresh_) put_on_shelf(record);
  }
  void put_on_shelf(std::uint32_t record) {
    const auto& r = parts_.records[record];
    const auto table = slots_[r.table];
    const auto& s = sought_[record];
    const bool same_table = s.table == table;  // it may have been a new one
    records_.put(same_table ? s.hash : indexed_shelf::hash(r.key, table), r.key, table);
  }

  /// Which records are on the shelf, ascending by slot; which others have a number, ascending by
  /// that; and which have not.
  void find_records(record_numbers numbers) {
    known_.clear();
    numbered_.clear();
    fresh_.clear();
    guess_slots();
    for (std::uint32_t i = 0; i < parts_.records.size(); ++i) {
      const auto& r = parts_.records[i];
      const auto slot = slot_of(sought_[i], r.key);
      if (slot != unknown)
        known_.push_back(std::uint64_t{slot} << 32 | i);
      else if (i < numbers.size() && numbers[i] != 0)
        numbered_.push_back(std::uint64_t{numbers[i]} << 32 | i);
      else
        fresh_.push_back(i);
    }
    std::sort(known_.begin(), known_.end());
    std::sort(numbered_.begin(), numbered_.end());
    if (std::adjacent_find(numbered_.begin(), numbered_.end(), same_number) != numbered_.end())
      leave_out_equals();
  }
  static bool same_number(std::uint64_t one, std::uint64_t other) noexcept {
    return one >> 32 == other >> 32;
  }
  /// In a forged store records may have the same number: nobody can tell whose it is.
  void leave_out_equals() {
    auto own = numbered_.begin();
    for (auto at = own; at != numbered_.end();) {
      const auto next = std::find_if_not(at, numbered_.end(),
                                         [&](auto other) { return same_number(*at, other); });
      if (next - at == 1) *own++ = *at++;
      for (; at != next; ++at) fresh_.push_back(static_cast<std::uint32_t>(*at));
    }
    numbered_.erase(own, numbered_.end());
  }
  // Each record is a miss in three places of memory: they are fetched for all of them at once.
  void guess_slots() {
    sought_.clear();
    for (const auto& r : parts_.records) {
      const auto table = slots_[r.table];
      sought_.push_back({indexed_shelf::hash(r.key, table), table});
      records_.index().prefetch(sought_.back().hash);
    }
    for (auto& s : sought_) {
      s.slot = records_.index().guess(s.hash).value_or(unknown);
      records_.strings().prefetch(s.slot);
    }
    for (const auto& s : sought_) records_.strings().prefetch_text(s.slot);
  }
  [[nodiscard]] std::uint32_t slot_of(const sought& s, bytes_view key) const {
    if (s.slot == unknown || records_.is(s.slot, key, s.table)) return s.slot;
    return records_.find(s.hash, key, s.table).value_or(unknown);  // another of the same tag
  }

  void add_ops(const record_part& r, std::uint8_t flags) {
    if ((flags & single_ops) == 0) number(models_.ops, r.count);
    for (std::uint32_t i = r.first; i < r.first + r.count; ++i) add_op(parts_.ops[i]);
  }

  void add_op(const op_part& op) {
    op_kind k{op.action, op.incarnation == 1, {}, 0, 0};
    split s;
    if (crdt::carries_delta(static_cast<crdt::cell_action>(op.action))) {
      s = split_delta(crdt::shape::from_code(op.shape), op.delta);
      k.form = s.form;
      k.field = slots_[op.field];
      k.shape = op.shape;
    }
    announce(k, op.field);
    if (!k.first_life) number(models_.incarnation, op.incarnation);
    if (has_number(k.form.value)) number(models_.of(k.form, k.shape), s.number);
    if (has_text(k.form.value)) {
      number(models_.text_size, s.text.size());
      texts_.add(s.text);
    } else if (has_blob(k.form.value)) {
      number(models_.blob_size, s.text.size());
      blobs_.add(s.text);
    }
  }

  /// Says which kind of operation comes.
  void announce(op_kind& k, std::uint32_t field) {
    if (k.field != unknown) {
      const auto known =
          kind_index_.find(k.hash(), [&](std::uint32_t at) { return kinds_[at] == k; });
      if (known) return models_.op.put(bits_, static_cast<std::uint8_t>(*known));
    }
    models_.op.put(bits_, new_op_kind);
    const unsigned life = k.first_life ? 1 : 0, action = k.action;
    models_.op_form.put(bits_, static_cast<std::uint8_t>(static_cast<unsigned>(k.form.value) << 4 |
                                                         action << 1 | life));
    if (crdt::carries_delta(static_cast<crdt::cell_action>(k.action))) {
      models_.prefix.put(bits_, k.form.prefix);
      number(models_.shape, k.shape);
      name(field);
      k.field = slots_[field];
    }
    const auto slot = kinds_.put(k);
    kind_index_.put(k.hash(), slot, kinds_.size(),
                    [&](std::uint32_t at) { return kinds_[at].hash(); });
  }

  /// Names a table or field of the changeset.
  void name(std::uint32_t index) {
    auto& slot = slots_[index];
    if (slot != unknown) return number(models_.name, slot);
    const auto text = parts_.names[index];
    number(models_.name, name_count_);
    number(models_.name_size, text.size());
    blobs_.add(text);
    slot = names_.put(indexed_shelf::hash(text, 0), text, 0);
    ++name_count_;
  }

  [[nodiscard]] std::uint32_t origin_slot(bytes_view id) const {
    return origins_.find(indexed_shelf::hash(id, 0), id, 0).value_or(unknown);
  }
  /// Names a replica, whose slot is given if it is known; gives its slot.
  std::uint32_t origin(model_writer& model, bytes_view id, std::uint32_t slot) {
    number(model, slot == unknown ? 0 : slot + std::uint64_t{1});
    if (slot != unknown) return slot;
    blobs_.add(id);
    slot = origins_.put(indexed_shelf::hash(id, 0), id, 0);
    if (slot == states_.size()) states_.emplace_back();
    states_[slot] = {};
    return slot;
  }

  models<model_writer> models_;
  indexed_shelf origins_, names_, records_;
  std::vector<origin_state> states_;  ///< by the origin's slot
  op_kinds kinds_;
  slot_index kind_index_;
  std::uint32_t last_origin_ = unknown;
  std::size_t name_count_ = 0;

  parts parts_;
  std::vector<std::uint32_t> slots_;     ///< of the changeset's names
  std::vector<std::uint64_t> named_in_;  ///< by name's slot: the last changeset with it
  std::uint64_t changesets_ = 1;
  std::vector<std::uint64_t> known_;     ///< slot << 32 | record
  std::vector<std::uint64_t> numbered_;  ///< number << 32 | record
  std::vector<std::uint32_t> fresh_;
  std::vector<sought> sought_;  ///< the changeset's records

  std::size_t count_ = 0;
  bit_writer bits_, coded_;
  string_writer texts_, blobs_;
  stream_writer stream_;
  bytes body_;
};

}  // namespace joinery::codec::transit
