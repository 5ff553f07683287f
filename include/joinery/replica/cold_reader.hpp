// cold_reader: reads records from the snapshot.
//
// Purpose: the `cold_records` of the working set over a storage, or over an image of one.
// Invariants: reads only; every record's checksum is checked; what is read at once is bounded.
// Thread-safety: as what it reads from.
#pragma once

#include "joinery/history/snapshot.hpp"
#include "joinery/state/working_set.hpp"

namespace joinery::detail {

/// `Source` has `read(body)`, as a storage has.
template <class Source>
class cold_reader {
 public:
  explicit cold_reader(Source& source) noexcept : source_(source) {}

  result<std::optional<state::stored_record>> load(state::name_index table, bytes_view key) {
    std::optional<state::stored_record> found;
    const auto full = history::record_key(table, key);
    auto done = source_.read([&](auto& view) -> result<> {
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

  result<state::stored_batch> load_from(state::name_index table, bytes_view key,
                                        state::batch_limits limits) {
    state::stored_batch out;
    const auto prefix = history::index_key(table);
    auto done = source_.read([&](auto& view) -> result<> {
      out = {};
      result<> outcome;
      std::size_t size = 0;
      const auto from = history::record_key(table, key);
      view.scan(history::area::records, from, [&](bytes_view full, bytes_view value) {
        if (!full.starts_with(prefix)) return false;
        out.more =
            !out.records.empty() && (out.records.size() >= limits.records || size >= limits.size);
        if (out.more) return false;
        auto record = history::open_record(full, value);
        if (!record) {
          outcome = record.error();
          return false;
        }
        size += record->packed.size();
        out.records.emplace_back(bytes{full.substr(prefix.size())},
                                 state::stored_record{bytes{record->packed}, record->position});
        return true;
      });
      return outcome;
    });
    if (!done) return done.error();
    return out;
  }

 private:
  Source& source_;
};

}  // namespace joinery::detail
