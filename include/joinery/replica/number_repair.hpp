// number_repair: writes damaged rows of `numbers` anew.
//
// Purpose: entries of the log name records by numbers; what a damaged row said of them is in
// memory, or stands with the records.
// Invariants: a number that nothing tells of any more stays without a key, and is given to no other
// record.
// Thread-safety: none; called by the replica's owner.
#pragma once

#include <set>

#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

template <history::storage S>
result<> mend_numbers(S& storage, const replica_state& state, const std::set<std::uint32_t>& rows) {
  history::number_rows found;
  for (const auto row : rows) found[row];
  const auto last = state.numbers.last_row();
  auto read = storage.read([&](auto& view) -> result<> {
    history::find_among_records(view, found);
    return {};
  });
  if (!read) return read;
  return storage.write([&](auto& writer) -> result<> {
    for (const auto& [row, keys] : found)
      history::put_sealed(
          writer, history::area::numbers, history::index_key(row),
          last && last->first == row ? bytes{last->second} : history::full_row(keys));
    return {};
  });
}

}  // namespace joinery::detail
