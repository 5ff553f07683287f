// The table of rooms in docs/architecture.md.
//
// Purpose: read which room may include what. The table stands between the comments `rooms` and
// `/rooms`; its columns are room, holds, from outside, may include; names stand in backticks.
// Thread-safety: values.
#pragma once

#include <algorithm>
#include <stdexcept>

#include "tests/structure/source_tree.hpp"

namespace structure {

/// One row of the table.
struct room_rule {
  std::string name;
  std::vector<std::string> outside;  ///< how the paths of other libraries' headers may begin
  std::vector<std::string> rooms;    ///< the rooms that it may include
};

using room_table = std::vector<room_rule>;

inline const room_rule* find_room(const room_table& table, std::string_view name) {
  const auto at =
      std::find_if(table.begin(), table.end(), [&](const auto& rule) { return rule.name == name; });
  return at == table.end() ? nullptr : &*at;
}

namespace detail {

inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

inline std::vector<std::string> in_backticks(std::string_view cell) {
  const auto parts = split(cell, '`');
  std::vector<std::string> names;
  for (std::size_t i = 1; i < parts.size(); i += 2) names.push_back(parts[i]);
  return names;
}

}  // namespace detail

/// Throws when there is no table, or a row of it is not as described above.
inline room_table read_room_table(std::string_view document) {
  const auto begin = document.find("<!-- rooms -->");
  const auto end = document.find("<!-- /rooms -->");
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    throw std::runtime_error("no table between <!-- rooms --> and <!-- /rooms -->");
  }
  room_table table;
  for (const auto line : lines_of(document.substr(begin, end - begin))) {
    if (!line.starts_with("| `")) continue;
    const auto cells = detail::split(line, '|');  // the first and the last are empty
    if (cells.size() != 6) throw std::runtime_error("not four columns: " + std::string(line));
    const auto names = detail::in_backticks(cells[1]);
    if (names.size() != 1) throw std::runtime_error("not one room: " + std::string(line));
    if (find_room(table, names[0])) throw std::runtime_error("two rows for " + names[0]);
    table.push_back({names[0], detail::in_backticks(cells[3]), detail::in_backticks(cells[4])});
  }
  if (table.empty()) throw std::runtime_error("the table of rooms has no rows");
  return table;
}

}  // namespace structure
