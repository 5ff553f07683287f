// inspect_storage: the entries of a store and their checksums, below the replica.
//
// Purpose: counts what each area holds and names what is damaged; works on a store that no replica
// can be opened from any more.
// Invariants: reads only; nothing is fatal but a storage that cannot be read.
// Thread-safety: as the storage.
#pragma once

#include <ostream>

#include "joinery/history/log.hpp"
#include "joinery/tool/json.hpp"

namespace joinery::tool {

/// `text` without control characters, for a terminal.
inline std::string printable(std::string_view text) {
  const auto quoted = json_string(text);
  return quoted.substr(1, quoted.size() - 2);
}

/// Prints a line for each area: how many entries, how many bytes, how many damaged; and the first
/// damaged ones.
template <history::storage S>
result<> inspect_storage(S& storage, std::ostream& out) {
  constexpr std::size_t max_named = 20;
  out << "entries\n";
  return storage.read([&](auto& view) -> result<> {
    history::keys_by_number keys{view};
    for (std::size_t a = 0; a < history::area_count; ++a) {
      const auto where = static_cast<history::area>(a);
      // What is in quarantine is damaged, that is why; an index entry is all key.
      const bool sealed = where != history::area::quarantine && where != history::area::indexes;
      std::size_t entries = 0, size = 0, damaged = 0;
      std::string named, range;
      view.scan(where, {}, [&](bytes_view key, bytes_view value) {
        ++entries;
        size += key.size() + value.size();
        if (where == history::area::log) {
          const auto first = history::position_of(key);
          range = (entries == 1 ? std::to_string(first) : range.substr(0, range.find(' '))) +
                  " to " + std::to_string(history::last_of_entry(view, first, value));
        }
        const bool whole = where == history::area::log
                               ? history::is_whole_entry(keys, key, value)
                               : !sealed || history::open_sealed(where, key, value);
        if (whole) return true;
        if (++damaged <= max_named) named += "    damaged: 0x" + to_hex(key) + "\n";
        return true;
      });
      out << "  " << history::name_of(where) << "  " << entries << " entries, " << size << " bytes";
      if (!range.empty()) out << ", positions " << range;
      if (damaged > 0) out << ", " << damaged << " damaged";
      out << "\n" << named;
      if (damaged > max_named) out << "    and " << damaged - max_named << " more\n";
    }
    return {};
  });
}

}  // namespace joinery::tool
