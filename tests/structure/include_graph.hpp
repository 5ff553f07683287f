// The include graph of include/joinery, checked against the table of rooms.
//
// Purpose: one function a rule; each returns what it found wrong.
// Thread-safety: pure functions.
#pragma once

#include <map>
#include <set>

#include "tests/structure/room_table.hpp"

namespace structure {

inline constexpr std::string_view headers_folder = "include/joinery/";

/// The room of `path`, as written in an include or from the project's folder:
/// "joinery/base/bytes.hpp" → "base". Headers beside the rooms are in the room "joinery".
inline std::string room_of(std::string_view path) {
  const std::string_view prefix = path.starts_with(headers_folder) ? headers_folder : "joinery/";
  path.remove_prefix(std::min(prefix.size(), path.size()));
  const auto slash = path.find('/');
  return slash == std::string_view::npos ? "joinery" : std::string(path.substr(0, slash));
}

/// Rows may only name rooms of earlier rows: then the table itself has no cycle.
inline complaints check_table(const room_table& table) {
  complaints found;
  std::set<std::string> above;
  for (const auto& rule : table) {
    for (const auto& room : rule.rooms) {
      if (!above.contains(room)) {
        found.push_back("docs/architecture.md: `" + rule.name + "` may include `" + room +
                        "`, which is not a row above it");
      }
    }
    above.insert(rule.name);
  }
  return found;
}

/// Includes between rooms follow the table, name an existing file in full, and leave other rooms'
/// detail/ alone.
inline complaints check_arrows(const source_tree& tree, const room_table& table) {
  complaints found;
  std::set<std::string> paths;
  for (const auto& file : tree) paths.insert(file.path);
  for (const auto& file : tree) {
    const auto from = room_of(file.path);
    const auto* rule = find_room(table, from);
    if (!rule) {
      found.push_back(file.path + ": its room has no row in docs/architecture.md");
      continue;
    }
    for (const auto& inclusion : includes_of(file)) {
      const auto& target = inclusion.target;
      const bool ours = target.starts_with("joinery/");
      if (ours != inclusion.quoted) {
        found.push_back(place(file, inclusion.line) + "write \"joinery/…\" for joinery's headers " +
                        "and <…> for all others");
      }
      if (!ours) continue;
      if (!paths.contains("include/" + target)) {
        found.push_back(place(file, inclusion.line) + target + " does not exist");
      }
      const auto to = room_of(target);
      if (to == from) continue;
      if (std::find(rule->rooms.begin(), rule->rooms.end(), to) == rule->rooms.end()) {
        found.push_back(place(file, inclusion.line) + "`" + from + "` may not include `" + to +
                        "`");
      }
      if (target.find("/detail/") != std::string::npos) {
        found.push_back(place(file, inclusion.line) + target + " is private to `" + to + "`");
      }
    }
  }
  return found;
}

/// A header that is neither joinery's nor the standard library's is one that the room's row names.
inline complaints check_outside(const source_tree& tree, const room_table& table) {
  complaints found;
  for (const auto& file : tree) {
    const auto* rule = find_room(table, room_of(file.path));
    if (!rule) continue;  // check_arrows says so
    for (const auto& inclusion : includes_of(file)) {
      const auto& target = inclusion.target;
      const bool standard = target.find_first_of("./") == std::string::npos;
      if (standard || target.starts_with("joinery/")) continue;
      const bool allowed =
          std::any_of(rule->outside.begin(), rule->outside.end(),
                      [&](const auto& start) { return target.starts_with(start); });
      if (!allowed) {
        found.push_back(place(file, inclusion.line) + "<" + target + "> may not enter through `" +
                        rule->name + "`");
      }
    }
  }
  return found;
}

/// Names and, for each, the names that it includes.
using graph = std::map<std::string, std::set<std::string>>;

inline graph graph_of_files(const source_tree& tree) {
  graph edges;
  for (const auto& file : tree) {
    for (const auto& inclusion : includes_of(file)) {
      if (inclusion.target.starts_with("joinery/")) {
        edges[file.path].insert("include/" + inclusion.target);
      }
    }
  }
  return edges;
}

inline graph graph_of_rooms(const source_tree& tree) {
  graph edges;
  for (const auto& [from, targets] : graph_of_files(tree)) {
    for (const auto& to : targets) {
      if (room_of(from) != room_of(to)) edges[room_of(from)].insert(room_of(to));
    }
  }
  return edges;
}

namespace detail {

inline void walk(const graph& edges, const std::string& at, std::vector<std::string>& path,
                 std::set<std::string>& done, complaints& found) {
  const auto seen = std::find(path.begin(), path.end(), at);
  if (seen != path.end()) {
    std::string text = "a cycle: ";
    for (auto step = seen; step != path.end(); ++step) text += *step + " → ";
    found.push_back(text + at);
    return;
  }
  if (done.contains(at)) return;
  path.push_back(at);
  if (const auto out = edges.find(at); out != edges.end()) {
    for (const auto& next : out->second) walk(edges, next, path, done, found);
  }
  path.pop_back();
  done.insert(at);
}

}  // namespace detail

inline complaints check_cycles(const graph& edges) {
  complaints found;
  std::vector<std::string> path;
  std::set<std::string> done;
  for (const auto& [name, targets] : edges) detail::walk(edges, name, path, done, found);
  return found;
}

}  // namespace structure
