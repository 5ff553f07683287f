// scrubbing: reads every entry of the store once in a while.
//
// Purpose: damage is found while a peer still has what was lost, not years later when it is read.
// Invariants: bounded steps, each in a read of its own; entries that come or go meanwhile do not
// matter, since whoever reads them checks them.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <algorithm>
#include <array>

#include "joinery/history/log.hpp"

namespace joinery::detail {

class scrubbing {
 public:
  /// Examines up to `limit` entries and calls `found(area, key)` for each that is damaged, after
  /// the read has ended. True when this was the last step of a pass. Errors: those of the storage.
  template <history::storage S, class F>
  result<bool> step(S& storage, std::size_t limit, F&& found) {
    std::vector<std::pair<history::area, bytes>> damaged;
    auto area = area_;
    bytes next;
    auto read = storage.read([&](auto& view) -> result<> {
      damaged.clear();
      area = area_;
      next = next_;
      std::size_t left = limit;
      history::keys_by_number keys{view};
      for (; area < areas.size() && left > 0; ++area) {
        bool more = false;
        view.scan(areas[area], next, [&](bytes_view key, bytes_view value) {
          more = left == 0;
          if (more) return false;
          left -= std::min(left, areas[area] == history::area::log ? cost_of(value) : 1);
          next.assign(key);
          if (!is_whole(view, keys, areas[area], key, value))
            damaged.emplace_back(areas[area], next);
          return true;
        });
        if (more) break;
        next.clear();
      }
      return {};
    });
    if (!read) return read.error();
    for (const auto& [where, key] : damaged) found(where, key);
    const bool done = area == areas.size();
    area_ = done ? 0 : area;
    next_ = done ? bytes{} : after(areas[area], std::move(next));
    return done;
  }

 private:
  static constexpr std::array areas{
      history::area::meta,    history::area::roster,      history::area::names,
      history::area::log,     history::area::dots,        history::area::records,
      history::area::held,    history::area::staged,      history::area::local,
      history::area::numbers, history::area::numbers_copy};

  // What is decoded takes longer than what has only a checksum.
  static std::size_t cost_of(bytes_view entry) {
    constexpr std::size_t decoded = 16;
    const auto form = history::form_of(codec::unexamined(entry));
    return form == history::entry_form::numbered ? decoded : 1;
  }

  template <class V>
  static bool is_whole(V& view, history::keys_by_number<V>& keys, history::area where,
                       bytes_view key, bytes_view value) {
    if (where == history::area::log) return history::is_whole_entry(keys, key, value);
    if (history::has_number_rows(where))
      return key.size() != 4 || history::is_whole_row(view, history::index_of(key));
    return history::open_sealed(where, key, value).has_value();
  }

  // The least key above `key`; none is none. Keys of the log are numbers of eight bytes.
  static bytes after(history::area where, bytes key) {
    if (key.empty()) return key;
    if (where == history::area::log) return history::position_key(history::position_of(key) + 1);
    return key += '\0';
  }

  std::size_t area_ = 0;
  bytes next_;
};

}  // namespace joinery::detail
