// A packed record as JSON, without its struct.
//
// Purpose: each field by the kind that travels with it: registers as the value shown, sets as
// arrays, counters as their sum, maps as objects.
// Invariants: one line of valid JSON for any record that is well-formed.
// Thread-safety: pure functions.
#pragma once

#include <map>
#include <string>

#include "joinery/crdt/map.hpp"
#include "joinery/crdt/mv.hpp"
#include "joinery/state/record.hpp"
#include "joinery/tool/json.hpp"

namespace joinery::tool {

namespace detail {

/// `a,b` out of pieces.
class json_list {
 public:
  explicit json_list(char open) : text_(1, open) {}
  void add(std::string_view piece) {
    if (text_.size() > 1) text_ += ',';
    text_ += piece;
  }
  void add(std::string_view name, std::string_view value) {
    if (text_.size() > 1) text_ += ',';
    text_ += name;
    text_ += ':';
    text_ += value;
  }
  std::string close(char end) { return std::move(text_ += end); }

 private:
  std::string text_;
};

// A value as the name of an object's member.
inline std::string member_name(bytes_view encoded) {
  if (const auto text = crdt::decode_value<std::string>(encoded)) return json_string(*text);
  return json_string(json_value(encoded));
}

inline std::string json_register(crdt::kind kind, bytes_view state,
                                 const causal::roster& replicas) {
  const auto shown = crdt::detail::winner(state, replicas);
  if (kind == crdt::kind::lww && !crdt::detail::in_conflict(state))
    return shown ? json_value(shown->value) : "null";
  json_list all('[');
  for (const auto& w : crdt::detail::read_writes(state)) all.add(json_value(w.value));
  auto list = all.close(']');
  if (kind == crdt::kind::mv) return list;
  json_list out('{');
  out.add("\"shown\"", shown ? json_value(shown->value) : "null");
  out.add("\"conflict\"", list);
  return out.close('}');
}

inline std::string json_tally(bytes_view state) {
  json_list out('{');
  crdt::detail::for_each_entry(state, [&](crdt::detail::entry e) {
    out.add(member_name(e.key), std::to_string(byte_reader{e.payload}.varint()));
  });
  return out.close('}');
}

}  // namespace detail

/// A field's packed state.
inline std::string json_field(crdt::shape type, bytes_view state, const causal::roster& replicas) {
  using crdt::kind;
  switch (type.outer()) {
    case kind::lww:
    case kind::mv: return detail::json_register(type.outer(), state, replicas);
    case kind::or_set: {
      detail::json_list out('[');
      crdt::detail::for_each_entry(state,
                                   [&](crdt::detail::entry e) { out.add(json_value(e.key)); });
      return out.close(']');
    }
    case kind::pn_counter:
    case kind::g_counter: return std::to_string(crdt::pn_counter{bytes{state}}.get().value);
    case kind::tally: return detail::json_tally(state);
    case kind::max_of:
    case kind::min_of: return json_value(state);
    case kind::flag: return state.empty() ? "false" : "true";
    case kind::map: break;
  }
  detail::json_list out('{');
  crdt::detail::for_each_entry(state, [&](crdt::detail::entry e) {
    const auto cell = crdt::read_cell(e.payload);
    if (cell.alive())
      out.add(detail::member_name(e.key), json_field(type.inner(), cell.value, replicas));
  });
  return out.close('}');
}

/// `{"key":…,"alive":true,"incarnation":1,"fields":{…}}`. A name that stands for several kinds is
/// followed by them: "score:mv". A field whose entries stand apart is no more than mentioned.
inline std::string json_record(bytes_view key, bytes_view packed, const state::name_table& names,
                               const causal::roster& replicas) {
  const auto cell = crdt::read_cell(packed);
  std::map<std::string, std::map<crdt::shape, state::packed_field>> by_name;
  state::for_each_field(cell.value, [&](const state::packed_field& f) {
    by_name[std::string{names[f.id.name]}][f.id.type] = f;
  });
  detail::json_list fields('{');
  for (const auto& [name, forms] : by_name) {
    for (const auto& [type, field] : forms) {
      auto label = name;
      if (forms.size() > 1) {
        auto inside = type;
        for (; inside.outer() == crdt::kind::map; inside = inside.inner()) label += ":map";
        label += ":";
        label += crdt::name_of(inside.outer());
      }
      fields.add(json_string(label), field.parts ? json_string("large: inspect the record alone")
                                                 : json_field(type, field.state, replicas));
    }
  }
  detail::json_list out('{');
  out.add("\"key\"", json_key(key));
  out.add("\"alive\"", cell.alive() ? "true" : "false");
  out.add("\"incarnation\"", std::to_string(cell.incarnation));
  out.add("\"fields\"", fields.close('}'));
  return out.close('}');
}

}  // namespace joinery::tool
