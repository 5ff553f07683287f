// Source files as text, for the tests that read joinery itself.
//
// Purpose: load the tree once, and take C++ text apart as far as those tests need: lines, comments,
// includes. Thread-safety: values.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace structure {

/// One file; `path` is relative to the project's folder, with forward slashes.
struct source {
  std::string path;
  std::string text;
};

using source_tree = std::vector<source>;

/// What a check found wrong, one sentence each, opening with the place.
using complaints = std::vector<std::string>;

/// One a line; nothing found gives an empty text.
inline std::string report(const complaints& found) {
  std::string text;
  for (const auto& complaint : found) text += complaint + "\n";
  return text;
}

inline std::string place(const source& file, std::size_t line) {
  return file.path + ":" + std::to_string(line) + ": ";
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path.string() + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Every file under `root`/`folder` whose name ends with one of `endings`, in order of path; but
/// what npm installed there, nobody wrote here.
inline source_tree read_tree(const std::filesystem::path& root, const std::string& folder,
                             const std::vector<std::string>& endings) {
  source_tree tree;
  if (!std::filesystem::exists(root / folder)) return tree;
  using walk = std::filesystem::recursive_directory_iterator;
  for (walk at(root / folder); at != walk{}; ++at) {
    const auto& entry = *at;
    if (entry.path().filename() == "node_modules") at.disable_recursion_pending();
    const auto path = std::filesystem::relative(entry.path(), root).generic_string();
    const bool wanted = std::any_of(endings.begin(), endings.end(),
                                    [&](const auto& ending) { return path.ends_with(ending); });
    if (entry.is_regular_file() && wanted) tree.push_back({path, read_file(entry.path())});
  }
  std::sort(tree.begin(), tree.end(), [](auto& a, auto& b) { return a.path < b.path; });
  return tree;
}

/// The lines of `text` without their ends.
inline std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

namespace detail {

/// The end of the literal that opens with the quote at `at`.
inline std::size_t end_of_literal(std::string_view text, std::size_t at) {
  const char quote = text[at];
  if (quote == '"' && at > 0 && text[at - 1] == 'R') {
    const auto open = text.find('(', at);
    if (open == std::string_view::npos) return text.size();
    const auto close = ")" + std::string(text.substr(at + 1, open - at - 1)) + "\"";
    const auto end = text.find(close, open);
    return end == std::string_view::npos ? text.size() : end + close.size();
  }
  for (auto i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote || text[i] == '\n') {
      return i + 1;
    }
  }
  return text.size();
}

inline bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace detail

/// `text` with every comment blanked; lines stay where they are.
inline std::string without_comments(std::string_view text) {
  std::string out(text);
  std::size_t at = 0;
  const auto blank_to = [&](std::size_t end) {
    for (; at < std::min(end, out.size()); ++at) {
      if (out[at] != '\n') out[at] = ' ';
    }
  };
  while (at < text.size()) {
    const auto two = text.substr(at, 2);
    const bool separator = text[at] == '\'' && at > 0 && detail::is_word(text[at - 1]);
    if (two == "//") {
      blank_to(text.find('\n', at));
    } else if (two == "/*") {
      const auto end = text.find("*/", at + 2);
      blank_to(end == std::string_view::npos ? end : end + 2);
    } else if ((text[at] == '"' || text[at] == '\'') && !separator) {
      at = detail::end_of_literal(text, at);
    } else {
      ++at;
    }
  }
  return out;
}

/// One `#include`.
struct inclusion {
  std::string target;  ///< what stands between the quotes or angle brackets
  bool quoted;
  std::size_t line;
};

inline std::vector<inclusion> includes_of(const source& file) {
  std::vector<inclusion> found;
  const auto code = without_comments(file.text);
  std::size_t number = 0;
  for (const auto full_line : lines_of(code)) {
    ++number;
    auto line = full_line;
    const auto skip = [&](std::string_view word) {
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      if (!line.starts_with(word)) return false;
      line.remove_prefix(word.size());
      return true;
    };
    if (!skip("#") || !skip("include")) continue;
    const bool quoted = skip("\"");
    if (!quoted && !skip("<")) continue;
    found.push_back({std::string(line.substr(0, line.find(quoted ? '"' : '>'))), quoted, number});
  }
  return found;
}

}  // namespace structure
