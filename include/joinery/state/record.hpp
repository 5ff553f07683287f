// Packed records: a cell whose value is fields.
//
// Purpose: how a record stands in memory and in snapshots, and the operations on it. Everything
// works on the packed bytes in place; a field's state is found by a walk over the fields before it.
// Packed as a cell (crdt/detail/cell.hpp) with the value (varint name, varint shape, block state)*.
// Of a large field, whose entries stand apart (part.hpp), the shape has its highest bit set, and in
// place of the state stands the generation of its parts.
// Invariants: fields ascend by (name, shape); no field with an empty state. The shape is part of a
// field's identity: two programs that give one name different kinds do not damage each other's
// values.
// Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "joinery/crdt/dispatch.hpp"
#include "joinery/state/part.hpp"

namespace joinery::state {

using causal::stamp;
using causal::version;

struct packed_field {
  field_id id;
  bytes_view state;  ///< empty when it stands apart
  generation parts;  ///< of a large field
};

inline constexpr std::uint32_t large_bit = 0x8000'0000;

inline generation read_generation(bytes_view mark) {
  byte_reader in{mark};
  generation g;
  g.epoch = static_cast<std::uint32_t>(in.varint_up_to(0xFFFFFFFF));
  g.made = in.varint();
  return g;
}

/// A field as it stands there, not looked at more closely.
struct raw_field {
  std::uint64_t id = 0;  ///< name and shape as one number, in the order of fields
  bytes_view block;
  bool large = false;

  [[nodiscard]] static constexpr std::uint64_t number(field_id f) noexcept {
    return std::uint64_t{f.name} << 32 | f.type.code();
  }
};

[[gnu::always_inline]] inline raw_field read_raw_field(byte_reader& in) {
  raw_field f;
  std::uint8_t short_name = 0, short_code = 0;
  if (in.two_short(short_name, short_code)) {
    f.id = std::uint64_t{short_name} << 32 | short_code;
  } else {
    const auto name = in.varint_up_to(0xFFFFFFFF);
    const auto code = static_cast<std::uint32_t>(in.varint_up_to(0xFFFFFFFF));
    f.id = name << 32 | (code & ~large_bit);
    f.large = (code & large_bit) != 0;
  }
  f.block = in.block();
  return f;
}
[[gnu::always_inline]] inline packed_field read_field(byte_reader& in) {
  const auto raw = read_raw_field(in);
  packed_field f;
  f.id.name = static_cast<name_index>(raw.id >> 32);
  f.id.type = crdt::shape::from_code(static_cast<std::uint32_t>(raw.id));
  if (raw.large)
    f.parts = read_generation(raw.block);
  else
    f.state = raw.block;
  return f;
}

inline void write_field(byte_writer& out, field_id id, bytes_view state) {
  if (state.empty()) return;
  out.varint(id.name);
  out.varint(id.type.code());
  out.block(state);
}
inline void write_large_field(byte_writer& out, field_id id, generation parts) {
  bytes made;
  byte_writer w{made};
  w.varint(parts.epoch);
  w.varint(parts.made);
  out.varint(id.name);
  out.varint(id.type.code() | large_bit);
  out.block(made);
}

/// Calls `each(packed_field)` over a record's value.
template <class F>
void for_each_field(bytes_view value, F&& each) {
  byte_reader in{value};
  while (!in.at_end()) {
    const auto f = read_field(in);
    if (in.ok()) each(f);
  }
}

namespace detail {

// How many bytes the fields before `wanted` take, up to the first that does not begin with three
// numbers of a byte each, as nearly all do, or ends the value.
inline std::size_t short_fields_before(bytes_view value, field_id wanted) {
  constexpr std::uint64_t long_numbers = 0x808080ULL << 40;
  constexpr std::uint32_t longer = 0x80;  // than a byte
  const std::uint64_t name = std::min(wanted.name, longer);
  const auto code = name < longer ? std::min(wanted.type.code(), longer) : 0;
  const auto order = (name << 8 | code) << 48;
  std::size_t before = 0, at = 0;
  std::uint64_t begins = 0;
  while (at + sizeof begins <= value.size()) {
    std::memcpy(&begins, value.data() + at, sizeof begins);
    begins = big_endian(begins);
    if ((begins & long_numbers) != 0 || begins >= order) return at;
    before = at;
    at += 3 + (begins >> 40 & 0xFF);
  }
  return at <= value.size() ? at : before;
}

struct field_place {
  std::size_t at = 0;   // where the field stands or would stand
  std::size_t end = 0;  // behind it; `at` when there is none
  bytes_view block;
  bool large = false;
};

[[gnu::always_inline]] inline field_place place_of(bytes_view value, field_id id) {
  const auto wanted = raw_field::number(id);
  field_place p;
  p.at = p.end = short_fields_before(value, id);
  byte_reader in{value};
  for (in.take(p.at); !in.at_end(); p.at = p.end = in.position()) {
    const auto f = read_raw_field(in);
    if (!in.ok() || f.id > wanted) break;
    if (f.id != wanted) continue;
    p.end = in.position();
    p.block = f.block;
    p.large = f.large;
    break;
  }
  return p;
}

}  // namespace detail

/// The field as it stands in a record; empty when it was never written.
inline packed_field find_field(bytes_view value, field_id id) {
  const auto place = detail::place_of(value, id);
  if (place.large) return {id, {}, read_generation(place.block)};
  return {id, place.block, {}};
}
/// The state of a field that stands in the record; empty when it was never written.
inline bytes_view field_state(bytes_view value, field_id id) { return find_field(value, id).state; }

/// What became of an operation on a record.
struct applied {
  generation parts;      ///< of a large field: it is to be applied to the part of its element
  std::size_t size = 0;  ///< of the field's state, when it was applied
  bool renewed = false;  ///< it began an incarnation in the place of an earlier one
};

/// Memory of whoever applies operations, used again for each.
struct op_scratch {
  byte_buffer header;  // how the record begins
  crdt::detail::splice change;
};

namespace detail {

// What a delta changes in the field `id` of the value that starts at `value_at` in a record.
[[gnu::always_inline]] inline applied edit_field(bytes_view value, std::size_t value_at,
                                                 field_id id, bytes_view delta, const stamp& by,
                                                 crdt::detail::splice& change, byte_edit& out) {
  const auto [at, end, state, large] = place_of(value, id);
  if (large) return {read_generation(state)};
  crdt::apply(id.type, state, delta, by, change);
  const auto was = state.size();
  const auto size = was - change.removed + change.inserted.size();
  if (size == 0) {
    out = {value_at + at, end - at, {}};
    return {};
  }
  auto from = end - was + change.at;
  const auto to = from + change.removed;
  if (at == end) {
    change.inserted.prepend(size);
    change.inserted.prepend(id.type.code());
    change.inserted.prepend(id.name);
  } else if (size != was) {  // from the length on, so that it is one edit
    change.inserted.prepend(state.substr(0, change.at));
    change.inserted.prepend(size);
    from = end - was - varint_size(was);
  }
  out = {value_at + from, to - from, change.inserted};
  return {{}, size};
}

}  // namespace detail

/// Integrates one operation of the changeset `by` into `record`, in place; but for what concerns an
/// element of a large field, which is left to the caller. `scratch` is overwritten.
template <class Record>
applied apply_op(Record& record, crdt::cell_action action, std::uint64_t incarnation,
                 field_id field, bytes_view delta, const stamp& by, op_scratch& scratch) {
  const bytes_view before{record};
  const auto cell = crdt::detail::touch_cell(before, incarnation, action, by, scratch.header);
  if (cell.incarnation > incarnation) return {};
  byte_edit change{cell.header, 0, {}};
  applied done;
  if (crdt::carries_delta(action))
    done = detail::edit_field(cell.value, cell.header, field, delta, by, scratch.change, change);
  done.renewed = cell.incarnation < incarnation && !before.empty();
  make_edits(record, std::array{byte_edit{0, cell.header, scratch.header.view()}, change});
  return done;
}
inline applied apply_op(bytes& record, crdt::cell_action action, std::uint64_t incarnation,
                        field_id field, bytes_view delta, const stamp& by) {
  op_scratch scratch;
  return apply_op(record, action, incarnation, field, delta, by, scratch);
}

namespace detail {

/// For whoever works on records in one piece: what stands apart must not be taken for absent.
inline void demand_whole(const packed_field& f) {
  if (f.parts)
    throw failure({errc::invalid_argument, "a record whose large field stands apart from it", "",
                   "put it together first: whole_record"});
}

}  // namespace detail

/// Merges two states of one record over the same roster and names. Precondition: both are whole
/// (large_field.hpp).
inline bytes join_record(bytes_view a, const version& seen_by_a, bytes_view b,
                         const version& seen_by_b) {
  return crdt::detail::join_cell(a, seen_by_a, b, seen_by_b, [&](bytes_view x, bytes_view y) {
    bytes out;
    byte_writer w{out};
    byte_reader rx{x}, ry{y};
    while (!rx.at_end() || !ry.at_end()) {
      auto px = rx, py = ry;
      const auto fx = rx.at_end() ? packed_field{} : read_field(px);
      const auto fy = ry.at_end() ? packed_field{} : read_field(py);
      if (!px.ok() || !py.ok()) break;
      detail::demand_whole(fx);
      detail::demand_whole(fy);
      const bool take_x = !rx.at_end() && (ry.at_end() || fx.id <= fy.id);
      const bool take_y = !ry.at_end() && (rx.at_end() || fy.id <= fx.id);
      const auto id = take_x ? fx.id : fy.id;
      write_field(w, id,
                  crdt::join(id.type, take_x ? fx.state : bytes_view{}, seen_by_a,
                             take_y ? fy.state : bytes_view{}, seen_by_b));
      if (take_x) rx = px;
      if (take_y) ry = py;
    }
    return out;
  });
}

/// The canonical form: replica indexes mapped by `map` (whose `canonical` is set), fields under
/// their names in order, dead cells as incarnation and mark. Equal on all replicas of equal
/// versions. Precondition: a record that lives, or whose values are wanted, is whole.
inline bytes canonical_record(bytes_view record, const crdt::reindexing& map,
                              const name_table& names) {
  return crdt::detail::reindex_cell(record, map, [&](bytes_view value) {
    struct named {
      std::string_view name;
      crdt::shape type;
      bytes_view state;
    };
    std::vector<named> fields;
    for_each_field(value, [&](const packed_field& f) {
      detail::demand_whole(f);
      fields.push_back({names[f.id.name], f.id.type, f.state});
    });
    std::sort(fields.begin(), fields.end(), [](const named& a, const named& b) {
      return std::tie(a.name, a.type) < std::tie(b.name, b.type);
    });
    bytes out;
    byte_writer w{out};
    for (const auto& f : fields) {
      w.block(f.name);
      w.varint(f.type.code());
      w.block(crdt::reindex(f.type, f.state, map));
    }
    return out;
  });
}

}  // namespace joinery::state
