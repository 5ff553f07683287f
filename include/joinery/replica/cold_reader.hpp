// cold_reader: reads records from the snapshot.
//
// Purpose: the `cold_records` of the working set over any storage.
// Invariants: reads only; every record's checksum is checked.
// Thread-safety: as the storage.
#pragma once

#include "joinery/history/snapshot.hpp"
#include "joinery/state/working_set.hpp"

namespace joinery::detail {

template <history::storage S>
class cold_reader {
 public:
  explicit cold_reader(S& storage) noexcept : storage_(storage) {}

  result<std::optional<state::stored_record>> load(state::name_index table, bytes_view key) {
    std::optional<state::stored_record> found;
    const auto full = history::record_key(table, key);
    auto done = storage_.read([&](auto& view) -> result<> {
      const auto value = view.get(history::area::records, full);
      if (!value) return {};
      auto record = history::open_record(full, *value);
      if (!record) return record.error();
      found = state::stored_record{bytes{record->packed}, record->position};
      return {};
    });
    if (!done) return done.error();
    return found;
  }

  result<std::vector<std::pair<bytes, state::stored_record>>> load_from(state::name_index table,
                                                                        bytes_view key,
                                                                        std::size_t limit) {
    std::vector<std::pair<bytes, state::stored_record>> out;
    const auto prefix = history::index_key(table);
    auto done = storage_.read([&](auto& view) -> result<> {
      result<> outcome;
      const auto from = history::record_key(table, key);
      view.scan(history::area::records, from, [&](bytes_view full, bytes_view value) {
        if (!full.starts_with(prefix) || out.size() == limit) return false;
        auto record = history::open_record(full, value);
        if (!record) {
          outcome = record.error();
          return false;
        }
        out.emplace_back(bytes{full.substr(prefix.size())},
                         state::stored_record{bytes{record->packed}, record->position});
        return true;
      });
      return outcome;
    });
    if (!done) return done.error();
    return out;
  }

 private:
  S& storage_;
};

}  // namespace joinery::detail
