// Index values: what a packed record is found by.
//
// Purpose: reads off a record, without its types, the encoded values under which an index lists it:
// the value that an lww shows, each value of an mv, each element of a set, each key of a tally or
// map (living entries only), the extremum, a counter's sum, a flag's boolean.
// Invariants: a dead record has none; a register or extremum that was never written has none, a
// counter then counts as 0 and a flag as false. Values are ascending, each once, in the encoding of
// crdt/value.hpp, whose byte order is the values' order.
// Thread-safety: pure functions.
#pragma once

#include "joinery/state/record.hpp"

namespace joinery::state {

/// Calls `each(encoded)` with the values of a field's state, in no order, possibly more than once.
template <class F>
void for_each_index_value(crdt::shape type, bytes_view state, const causal::roster& replicas,
                          F&& each) {
  switch (type.outer()) {
    case crdt::kind::lww:
      if (const auto shown = crdt::detail::winner(state, replicas)) each(shown->value);
      break;
    case crdt::kind::mv:
      for (const auto& w : crdt::detail::read_writes(state)) each(w.value);
      break;
    case crdt::kind::or_set:
    case crdt::kind::tally:
      crdt::detail::for_each_entry(state, [&](crdt::detail::entry e) { each(e.key); });
      break;
    case crdt::kind::map:
      crdt::detail::for_each_entry(state, [&](crdt::detail::entry e) {
        if (crdt::read_cell(e.payload).alive()) each(e.key);
      });
      break;
    case crdt::kind::max_of:
    case crdt::kind::min_of:
      if (!state.empty()) each(state);
      break;
    case crdt::kind::pn_counter:
    case crdt::kind::g_counter: {
      const auto sum = crdt::encode_value(crdt::detail::counter_sum(state).value);
      each(bytes_view{sum});
      break;
    }
    case crdt::kind::flag: {
      const auto enabled = crdt::encode_value(!state.empty());
      each(bytes_view{enabled});
      break;
    }
  }
}

/// The values of the field `name` of the kind `type` in a record; `name` is absent when no
/// changeset has used it yet.
inline std::vector<bytes> index_values(bytes_view packed, std::optional<name_index> name,
                                       crdt::shape type, const causal::roster& replicas) {
  std::vector<bytes> out;
  const auto cell = crdt::read_cell(packed);
  if (!cell.alive()) return out;
  const auto state = name ? field_state(cell.value, {*name, type}) : bytes_view{};
  for_each_index_value(type, state, replicas, [&](bytes_view v) { out.emplace_back(v); });
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace joinery::state
