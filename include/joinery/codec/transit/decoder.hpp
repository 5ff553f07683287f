// decoder: changesets as they were before they went through an encoder.
//
// Purpose: the other end of encoder.hpp. Format: docs/format-transit.md.
// Invariants: whatever the bytes, it gives changesets or a typed error, in time and memory that the
// caller's limit bounds; its first fault is sticky. What it gives has the outer form of
// changesets; whether they make sense is asked by who takes them (codec/changeset.hpp).
// Thread-safety: none; one decoder belongs to one direction of one session.
#pragma once

#include <algorithm>
#include <span>

#include "joinery/base/comparing.hpp"
#include "joinery/base/result.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/codec/transit/memory.hpp"
#include "joinery/codec/transit/output.hpp"
#include "joinery/codec/transit/strings.hpp"
#include "joinery/crdt/dispatch.hpp"

namespace joinery::codec::transit {

class decoder {
 public:
  /// `memory` as the encoder's.
  explicit decoder(std::uint64_t memory) : decoder(capacity{memory}) {}

  /// The changesets of the next frame, valid until the next call; `most` bytes in all, at most.
  /// `keys`: of the records that go by number. Errors: malformed, too_large.
  result<std::span<const bytes_view>> decode(bytes_view frame, std::size_t most,
                                             numbered_keys keys = no_numbered_keys) {
    if (!fault_ && !read(frame, most, keys)) {
      if (out_.full())
        fault_ = error{errc::too_large, "changesets of more bytes than a frame may hold", "",
                       "the limit is " + std::to_string(most)};
      else
        fault_ = error{errc::malformed, "a frame of changesets that cannot be read", "",
                       "the peer is at fault"};
    }
    if (ops_.capacity() > kept_ops) ops_ = {};
    if (list_.capacity() > kept_ops) list_ = {}, order_ = {};
    if (fault_) return *fault_;
    return std::span<const bytes_view>{changesets_};
  }

 private:
  static constexpr std::uint32_t none = 0xFFFFFFFF;
  static constexpr std::size_t kept_ops = 1024;  ///< between two frames
  static constexpr std::size_t least_seen = 20;  ///< bytes that one takes in a changeset
  static constexpr std::size_t least_record = 5;
  static constexpr std::size_t least_op = 3;
  static constexpr std::size_t most_op_head = 2 + 9 + 5 + 5 + 5;
  static constexpr std::size_t most_record_head = 1 + 5 + 5 + 5;

  struct record {
    bytes_view key;
    std::uint64_t start = 0;  ///< `first_bytes` of the key; its slot, while it is being read
    std::uint32_t table = 0;  ///< a name's slot
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  /// Where a record of the list comes among them.
  struct place {
    std::uint64_t start;
    std::uint32_t table;
    std::uint32_t index;
  };
  struct op {
    op_kind kind;
    std::uint64_t incarnation = 1;
    split delta;
  };
  struct increase {
    replica_id replica;
    std::uint64_t by = 0;
  };

  explicit decoder(const capacity& c)
      : origins_(c.origins, 16 * c.origins),
        names_(max_names, max_names * max_name),
        records_(c.records, c.key_bytes) {}

  bool read(bytes_view frame, std::size_t most, numbered_keys keys) {
    out_.begin(most);
    changesets_.clear();
    places_.clear();
    byte_reader in{frame};
    const auto lead = in.u8();
    const auto text_form = static_cast<string_form>(lead >> 4 & 3);
    const auto blob_form = static_cast<string_form>(lead >> 6);
    const auto count = (lead & 15) != 0 ? lead & 15u : in.varint();
    const auto size_of = [&](string_form f) {
      return f == string_form::none ? 0 : in.varint_up_to(most);
    };
    const auto text_size = size_of(text_form), blob_size = size_of(blob_form);
    const auto body_of = [&](string_form f, std::uint64_t size) {
      return f == string_form::plain ? size : f == string_form::streamed ? in.varint() : 0;
    };
    const auto text_body = body_of(text_form, text_size);
    const auto blob_body = body_of(blob_form, blob_size);
    const auto text = in.take(text_body), blob = in.take(blob_body);
    if (!in.ok() || count == 0 || count > most) return false;
    bit_reader bits{in.rest()};
    const auto opened = [&](string_reader& r, string_form f, std::uint64_t size, bytes_view body) {
      return (f == string_form::none) == (size == 0) &&
             r.open(f, static_cast<std::size_t>(size), body, stream_, bits);
    };
    if (!opened(texts_, text_form, text_size, text)) return false;
    if (!opened(blobs_, blob_form, blob_size, blob)) return false;
    for (auto left = count; left > 0; --left) {
      const auto start = out_.size();
      if (!read_changeset(bits, keys) || bits.overrun() || out_.full()) return false;
      places_.push_back(out_.size() - start);
    }
    std::size_t at = 0;
    for (const auto size : places_) {
      changesets_.push_back(out_.view(at, size));
      at += size;
    }
    return bits.finished() && texts_.finished() && blobs_.finished();
  }

  std::uint64_t number(model_reader& model, bit_reader& bits) { return get_number(model, bits); }

  bool read_changeset(bit_reader& bits, numbered_keys keys) {
    const auto flags = models_.head.get(bits);
    if (flags > all_head_flags) return false;
    if ((flags & whole) != 0) {
      const auto bytes = blobs_.take(number(models_.size, bits));
      if (bytes) out_.raw(*bytes);
      return bytes && flags == whole;
    }
    seen_.clear();
    list_.clear();
    ops_.clear();
    if ((flags & same_origin) == 0) {
      const auto slot = read_origin(bits);
      if (slot == none) return false;
      last_origin_ = slot;
    }
    if (!origins_.holds(last_origin_)) return false;
    const auto origin = replica_id::from_bytes(origins_.text(last_origin_));
    auto& state = states_[last_origin_];
    const auto seq = (flags & next_seq) != 0 ? state.seq + 1 : number(models_.seq, bits);
    const auto ms = number(models_.ms, bits);
    const auto time = step_after(state.time, {ms, number(models_.logical, bits)});
    state = {seq, time};
    if ((flags & nothing_seen) == 0 && !read_seen(bits)) return false;
    if (!read_records(bits, flags, keys)) return false;
    order_records();
    write(*origin, seq, time);
    return true;
  }

  bool read_seen(bit_reader& bits) {
    const auto count = number(models_.seen, bits);
    if (count > out_.left() / least_seen) return too_much(bits, count);
    for (auto n = count; n > 0; --n) {
      const auto slot = read_origin(bits);
      if (slot == none || bits.overrun()) return false;
      const auto id = replica_id::from_bytes(origins_.text(slot));
      seen_.push_back({*id, number(models_.increase, bits)});
    }
    return true;
  }

  /// The slot of a replica; none when the stream is at fault.
  std::uint32_t read_origin(bit_reader& bits) {
    const auto named = number(models_.origin, bits);
    if (named > 0) return origins_.holds(named - 1) ? static_cast<std::uint32_t>(named - 1) : none;
    const auto id = blobs_.take(16);
    if (!id) return none;
    const auto slot = origins_.put(*id, 0);
    if (slot == states_.size()) states_.emplace_back();
    states_[slot] = {};
    return slot;
  }

  bool read_records(bit_reader& bits, std::uint8_t flags, numbered_keys keys) {
    const auto count = number(models_.records, bits);
    const auto fresh = (flags & known_records) != 0 ? 0 : number(models_.fresh, bits);
    const auto by_number = (flags & numbered) != 0 ? number(models_.by_number, bits) : 0;
    if (by_number > fresh) return false;
    if (fresh > count || count > out_.left() / least_record) return too_much(bits, count);
    std::uint64_t next = 0;
    for (auto n = count - fresh; n > 0; --n) {
      const auto gap = number(models_.gap, bits);
      if (gap >= most_slots || !records_.holds(next + gap)) return false;
      const auto slot = static_cast<std::size_t>(next + gap);
      next = slot + 1;
      records_.prefetch(slot);
      list_.push_back({{}, slot});
      if (!read_ops(bits, flags)) return false;
    }
    // Each is a miss in two places of memory: they are fetched for all of them at once.
    for (const auto& r : list_) records_.prefetch_text(static_cast<std::size_t>(r.start));
    for (auto& r : list_) {
      const auto slot = static_cast<std::size_t>(r.start);
      r.key = records_.text(slot);
      r.start = first_bytes(r.key);
      r.table = records_.label(slot);
    }
    next = 1;
    for (auto n = by_number; n > 0; --n) {
      const auto gap = number(models_.number_gap, bits);
      if (bits.overrun() || next > most_number || gap > most_number - next) return false;
      const auto of = static_cast<std::uint32_t>(next + gap);
      next = std::uint64_t{of} + 1;
      const auto table = read_name(bits);
      const auto key = table == none ? std::nullopt : keys(of);
      if (!key || key->size() > max_key) return false;
      list_.push_back({*key, first_bytes(*key), table});
      if (!read_ops(bits, flags)) return false;
    }
    for (auto n = fresh - by_number; n > 0; --n) {
      const auto table = read_name(bits);
      if (table == none) return false;
      const auto key_size = number(models_.key_size, bits);
      const auto key = key_size <= max_key ? blobs_.take(key_size) : std::nullopt;
      if (!key) return false;
      list_.push_back({*key, first_bytes(*key), table});
      if (!read_ops(bits, flags)) return false;
    }
    // Only now: what is named above must not be pushed out before it is written.
    fresh_ = static_cast<std::size_t>(fresh);
    return true;
  }
  /// A count that cannot be: of more than fits, or just of nonsense.
  bool too_much(const bit_reader& bits, std::uint64_t count) {
    if (!bits.overrun() && count < most_slots) out_.overflow();
    return false;
  }

  bool read_ops(bit_reader& bits, std::uint8_t flags) {
    const auto count = (flags & single_ops) != 0 ? 1 : number(models_.ops, bits);
    if (bits.overrun()) return false;
    if (count > out_.left() / least_op - std::min(ops_.size(), out_.left() / least_op))
      return too_much(bits, count);
    list_.back().first = static_cast<std::uint32_t>(ops_.size());
    list_.back().count = static_cast<std::uint32_t>(count);
    for (auto n = count; n > 0; --n) {
      ops_.emplace_back();
      if (!read_op(bits, ops_.back())) return false;
    }
    return true;
  }

  bool read_op(bit_reader& bits, op& o) {
    const auto symbol = models_.op.get(bits);
    if (symbol == new_op_kind) {
      if (!read_kind(bits, o.kind)) return false;
      kinds_.put(o.kind);
    } else {
      if (symbol >= kinds_.size()) return false;
      o.kind = kinds_[symbol];
    }
    if (!o.kind.first_life) o.incarnation = number(models_.incarnation, bits);
    const auto form = o.kind.form;
    o.delta.form = form;
    if (has_number(form.value)) o.delta.number = number(models_.of(form, o.kind.shape), bits);
    if (!has_text(form.value) && !has_blob(form.value)) return true;
    auto& strings = has_text(form.value) ? texts_ : blobs_;
    auto& size = has_text(form.value) ? models_.text_size : models_.blob_size;
    const auto text = strings.take(number(size, bits));
    if (text) o.delta.text = *text;
    return text.has_value();
  }

  bool read_kind(bit_reader& bits, op_kind& k) {
    const auto form = models_.op_form.get(bits);
    k.action = form >> 1 & 7;
    k.first_life = (form & 1) != 0;
    k.form.value = static_cast<value_form>(form >> 4);
    if (k.action > 4 || form >> 4 > last_value_form) return false;
    if (!crdt::carries_delta(static_cast<crdt::cell_action>(k.action)))
      return k.form.value == value_form::none;
    k.form.prefix = models_.prefix.get(bits);
    const auto shape = number(models_.shape, bits);
    k.field = read_name(bits);
    k.shape = static_cast<std::uint32_t>(shape);
    return shape <= 0xFFFFFFFF && k.field != none && k.form.prefix <= delta_form::no_prefix;
  }

  /// The slot of a name; none when the stream is at fault.
  std::uint32_t read_name(bit_reader& bits) {
    const auto slot = number(models_.name, bits);
    if (slot < name_count_) return static_cast<std::uint32_t>(slot);
    if (slot != name_count_ || slot == max_names) return none;
    const auto size = number(models_.name_size, bits);
    const auto text = size <= max_name ? blobs_.take(size) : std::nullopt;
    if (!text) return none;
    ++name_count_;
    index_.emplace_back();
    return names_.put(*text, 0);
  }

  /// Records ascend by table and key in a changeset.
  void order_records() {
    const auto before = [&](const place& a, const place& b) {
      if (a.table != b.table) return names_.text(a.table) < names_.text(b.table);
      return a.start != b.start ? a.start < b.start : list_[a.index].key < list_[b.index].key;
    };
    order_.clear();
    for (const auto& r : list_)
      order_.push_back({r.start, r.table, static_cast<std::uint32_t>(order_.size())});
    if (!std::is_sorted(order_.begin(), order_.end(), before))
      std::sort(order_.begin(), order_.end(), before);
  }

  void write(const replica_id& origin, std::uint64_t seq, std::uint64_t time) {
    out_.array(7);
    out_.u64(1);
    out_.binary(origin.view());
    out_.u64(seq);
    out_.u64(time);
    out_.array(seen_.size());
    for (const auto& s : seen_) {
      out_.array(2);
      out_.binary(s.replica.view());
      out_.u64(s.by);
    }
    write_names();
    out_.array(list_.size());
    for (const auto& p : order_) {
      const auto& r = list_[p.index];
      char* to = out_.room(most_record_head + r.key.size());
      if (to == nullptr) return;
      *to++ = static_cast<char>(0x93);
      to = write_u64(to, index_[r.table].second);
      out_.ends(write_array(write_binary(to, r.key), r.count));
      for (std::uint32_t i = r.first; i < r.first + r.count; ++i) write_op(ops_[i]);
    }
    for (auto i = list_.size() - fresh_; i < list_.size(); ++i)
      records_.put(list_[i].key, list_[i].table);
  }

  void write_op(const op& o) {
    const bool update = crdt::carries_delta(static_cast<crdt::cell_action>(o.kind.action));
    const auto incarnation = o.kind.first_life ? 1 : o.incarnation;
    const auto size = update ? delta_size(o.delta) : 0;
    char* to = out_.room(most_op_head + size);
    if (to == nullptr) return;
    *to++ = static_cast<char>(update ? 0x95 : 0x92);
    *to++ = static_cast<char>(o.kind.action);
    to = write_u64(to, incarnation);
    if (update) {
      to = write_u64(to, index_[o.kind.field].second);
      to = write_u64(to, o.kind.shape);
      to = write_length(to, 0xC4, size);
      to = write_delta(to, o.delta);
    }
    out_.ends(to);
  }

  /// The names in the order in which they come up, and their places in it.
  void write_names() {
    ++changeset_;
    used_.clear();
    const auto use = [&](std::uint32_t slot) {
      if (std::exchange(index_[slot].first, changeset_) == changeset_) return;
      index_[slot].second = static_cast<std::uint32_t>(used_.size());
      used_.push_back(slot);
    };
    for (const auto& p : order_) {
      const auto& r = list_[p.index];
      use(r.table);
      for (std::uint32_t i = r.first; i < r.first + r.count; ++i)
        if (crdt::carries_delta(static_cast<crdt::cell_action>(ops_[i].kind.action)))
          use(ops_[i].kind.field);
    }
    out_.array(used_.size());
    for (const auto slot : used_) out_.text(names_.text(slot));
  }

  static constexpr std::uint64_t most_slots = std::uint64_t{1} << 31;
  static constexpr std::uint64_t most_number = 0xFFFFFFFF;

  models<model_reader> models_;
  shelf origins_, names_, records_;
  std::vector<origin_state> states_;  ///< by the origin's slot
  op_kinds kinds_;
  std::uint32_t last_origin_ = none;
  std::size_t name_count_ = 0;

  std::vector<std::pair<std::uint64_t, std::uint32_t>> index_;  ///< by name: changeset, index there
  std::uint64_t changeset_ = 0;
  std::vector<std::uint32_t> used_;
  std::vector<increase> seen_;
  std::vector<record> list_;
  std::vector<place> order_;
  std::vector<op> ops_;
  std::size_t fresh_ = 0;

  string_reader texts_, blobs_;
  stream_reader stream_;
  output out_;
  std::vector<std::size_t> places_;
  std::vector<bytes_view> changesets_;
  std::optional<error> fault_;
};

}  // namespace joinery::codec::transit
