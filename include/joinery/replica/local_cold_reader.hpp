// local_cold_reader: reads the records of local tables.
//
// Purpose: the `cold_records` of local tables over a storage, or over an image of one.
// Invariants: reads only; every record's checksum is checked; what is read at once is bounded; what
// is found damaged is noted, all of a batch at once.
// Thread-safety: as what it reads from, and the list.
#pragma once

#include "joinery/replica/damage.hpp"

namespace joinery::detail {

/// `Source` has `read(body)`, as a storage has.
template <class Source>
class local_cold_reader {
 public:
  explicit local_cold_reader(Source& source, damage* found = nullptr) noexcept
      : source_(source), found_(found) {}

  result<std::optional<state::stored_record>> load(state::name_index table, bytes_view key) {
    std::optional<state::stored_record> out;
    const auto full = history::record_key(table, key);
    auto done = source_.read([&](auto& view) -> result<> {
      const auto value = view.get(history::area::local, full);
      if (!value) return {};
      auto record = history::open_record(full, *value, history::area::local);
      if (!record) return met(table, key), record.error();
      out = state::stored_record{shared_bytes{record->packed}, record->position};
      return {};
    });
    if (!done) return done.error();
    return out;
  }

  result<state::stored_batch> load_from(state::name_index table, bytes_view key,
                                        state::batch_limits limits, state::stored_batch out = {}) {
    const auto prefix = history::index_key(table);
    auto done = source_.read([&](auto& view) -> result<> {
      out.clear();
      result<> outcome;
      std::size_t size = 0;
      const auto from = history::record_key(table, key);
      view.scan(history::area::local, from, [&](bytes_view full, bytes_view value) {
        if (!full.starts_with(prefix)) return false;
        out.more = !out.empty() && (out.size() >= limits.records || size >= limits.size);
        if (out.more) return false;
        const auto inner = full.substr(prefix.size());
        auto record = history::open_record(full, value, history::area::local);
        if (!record) return met(table, inner), outcome = record.error(), true;
        size += record->packed.size();
        out.add(inner, record->packed);
        return true;
      });
      return outcome;
    });
    if (!done) return done.error();
    return out;
  }

 private:
  void met(state::name_index table, bytes_view key) {
    if (found_ != nullptr) found_->met(table, key);
  }

  Source& source_;
  damage* found_;
};

}  // namespace joinery::detail
