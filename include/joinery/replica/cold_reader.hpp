// cold_reader: reads records from the snapshot.
//
// Purpose: the `cold_records` of the working set over a storage, or over an image of one.
// Invariants: reads only; every record's checksum is checked; what is read at once is bounded; with
// a list of damage a damaged record is noted there, and one that is missing is told apart from one
// that never was.
// Thread-safety: as what it reads from, and the list.
#pragma once

#include "joinery/replica/damage.hpp"

namespace joinery::detail {

/// `Source` has `read(body)`, as a storage has.
template <class Source>
class cold_reader {
 public:
  explicit cold_reader(Source& source, damage* known = nullptr) noexcept
      : source_(source), known_(known) {}

  result<std::optional<state::stored_record>> load(state::name_index table, bytes_view key) {
    std::optional<state::stored_record> found;
    const auto full = history::record_key(table, key);
    if (known_ != nullptr && known_->missing({table, key}))
      return damage::quarantined(history::place_of(history::area::records, full));
    auto done = source_.read([&](auto& view) -> result<> {
      const auto value = view.get(history::area::records, full);
      if (!value) return {};
      auto record = history::open_record(full, *value);
      if (!record) return met(table, key), record.error();
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
        if (known_ != nullptr && known_->missing({table, full.substr(prefix.size())})) return true;
        auto record = history::open_record(full, value);
        if (!record) {  // all of a batch at once: they are mended together
          met(table, full.substr(prefix.size()));
          outcome = record.error();
          return true;
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
  void met(state::name_index table, bytes_view key) {
    if (known_ != nullptr) known_->met(table, key);
  }

  Source& source_;
  damage* known_;
};

}  // namespace joinery::detail
