// Style rules that a machine can check.
//
// Purpose: one function a rule; each returns what it found wrong.
// Thread-safety: pure functions.
#pragma once

#include <optional>

#include "tests/structure/source_tree.hpp"

namespace structure {

inline constexpr std::size_t columns_max = 100;
inline constexpr std::size_t header_lines_max = 500;

inline std::string_view name_of_file(const source& file) {
  const std::string_view path = file.path;
  return path.substr(path.rfind('/') + 1);
}

/// Columns of a line: UTF-8 bytes that begin a character.
inline std::size_t columns_of(std::string_view line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

/// Lines are short, without tabs, blanks at their end or carriage returns, and the last one ends.
inline complaints check_lines(const source_tree& tree) {
  complaints found;
  for (const auto& file : tree) {
    std::size_t number = 0;
    for (const auto line : lines_of(file.text)) {
      const auto at = place(file, ++number);
      if (columns_of(line) > columns_max) found.push_back(at + "more than 100 columns");
      if (line.find('\t') != std::string_view::npos) found.push_back(at + "a tab");
      if (line.find('\r') != std::string_view::npos) found.push_back(at + "a carriage return");
      if (line.ends_with(' ')) found.push_back(at + "a blank at the end");
    }
    if (!file.text.empty() && file.text.back() != '\n') {
      found.push_back(file.path + ": the last line does not end");
    }
  }
  return found;
}

/// Words that announce work left undone. (Spelt in halves, so that this file passes its own check.)
inline complaints check_words(const source_tree& tree) {
  static const std::vector<std::string> banned{
      "TO"
      "DO",
      "FIX"
      "ME",
      "XX"
      "X",
      "HA"
      "CK"};
  complaints found;
  for (const auto& file : tree) {
    std::size_t number = 0;
    for (const auto line : lines_of(file.text)) {
      ++number;
      for (const auto& word : banned) {
        const auto at = line.find(word);
        if (at == std::string_view::npos) continue;
        const bool begins = at == 0 || !detail::is_word(line[at - 1]);
        const bool ends =
            at + word.size() == line.size() || !detail::is_word(line[at + word.size()]);
        if (begins && ends) found.push_back(place(file, number) + "the word " + word);
      }
    }
  }
  return found;
}

inline complaints check_sizes(const source_tree& headers) {
  complaints found;
  for (const auto& file : headers) {
    const auto lines = lines_of(file.text).size();
    if (lines > header_lines_max) {
      found.push_back(file.path + ": " + std::to_string(lines) + " lines, more than 500");
    }
  }
  return found;
}

/// A header opens with a comment that states its purpose and its thread-safety.
inline complaints check_openings(const source_tree& headers) {
  complaints found;
  for (const auto& file : headers) {
    if (name_of_file(file) == "fwd.hpp") continue;
    std::string opening;
    for (const auto line : lines_of(file.text)) {
      if (!line.starts_with("//")) break;
      opening += line;
    }
    for (const auto* words : {"Purpose:", "Thread-safety:"}) {
      if (opening.find(words) == std::string::npos) {
        found.push_back(file.path + ": its opening comment has no \"" + words + "\"");
      }
    }
    if (file.text.find("\n#pragma once\n") == std::string::npos) {
      found.push_back(file.path + ": no #pragma once");
    }
  }
  return found;
}

/// A header leaves no macro to whoever includes it.
inline complaints check_macros(const source_tree& headers) {
  complaints found;
  for (const auto& file : headers) {
    std::size_t number = 0;
    const auto code = without_comments(file.text);
    for (auto line : lines_of(code)) {
      ++number;
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      if (!line.starts_with('#')) continue;
      line.remove_prefix(std::min(line.find_first_not_of("# \t"), line.size()));
      if (line.starts_with("define")) found.push_back(place(file, number) + "a macro in a header");
    }
  }
  return found;
}

/// Whoever tells the processor what to fetch uses joinery::prefetch: a function that does nothing
/// else is taken for one without effect by g++, and not called.
inline complaints check_prefetching(const source_tree& sources) {
  complaints found;
  for (const auto& file : sources) {
    if (file.path.ends_with("base/prefetch.hpp")) continue;
    std::size_t number = 0;
    const auto code = without_comments(file.text);
    for (const auto line : lines_of(code)) {
      ++number;
      if (line.find("__builtin_"
                    "prefetch") != std::string_view::npos)
        found.push_back(place(file, number) + "a fetch that may be left out");
    }
  }
  return found;
}

namespace detail {

/// Does the text before an opening brace open a namespace?
inline bool opens_namespace(std::string_view before) {
  before.remove_prefix(std::min(before.find_first_not_of(" \n"), before.size()));
  if (before.starts_with("inline ")) before.remove_prefix(7);
  return before.starts_with("namespace") && before.find('(') == std::string_view::npos;
}

/// `code` without its preprocessor lines, which end in no semicolon.
inline std::string without_directives(std::string_view code) {
  std::string out;
  for (const auto line : lines_of(code)) {
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos || line[first] != '#') out += line;
    out += '\n';
  }
  return out;
}

}  // namespace detail

/// A header does not open a namespace's names to whoever includes it.
inline complaints check_using(const source_tree& headers) {
  complaints found;
  for (const auto& file : headers) {
    const auto code = detail::without_directives(without_comments(file.text));
    const std::string_view all = code;
    std::vector<bool> scopes;  // is each open brace a namespace's?
    std::size_t statement = 0;
    std::size_t line = 1;
    for (std::size_t at = 0; at < all.size(); ++at) {
      const char c = all[at];
      if (c == '"' || (c == '\'' && (at == 0 || !detail::is_word(all[at - 1])))) {
        at = detail::end_of_literal(all, at) - 1;
        continue;
      }
      if (c == '\n') ++line;
      if (c == '{')
        scopes.push_back(detail::opens_namespace(all.substr(statement, at - statement)));
      if (c == '}' && !scopes.empty()) scopes.pop_back();
      if (c == '{' || c == '}' || c == ';') statement = at + 1;
      const bool outside = std::find(scopes.begin(), scopes.end(), false) == scopes.end();
      if (outside && all.substr(at).starts_with("using namespace ")) {
        found.push_back(place(file, line) + "using namespace, outside a function");
      }
    }
  }
  return found;
}

/// What may stand in the project's own folder. Hidden entries are the tools' and are left alone.
inline complaints check_top_level(const std::vector<std::string>& names) {
  static const std::vector<std::string> allowed{"CHANGELOG.md",
                                                "CMakeLists.txt",
                                                "CMakePresets.json",
                                                "LICENSE",
                                                "README.md",
                                                "bench",
                                                "build",
                                                "compile_commands.json",
                                                "dev",
                                                "docs",
                                                "examples",
                                                "fuzz",
                                                "include",
                                                "tests",
                                                "vcpkg.json"};
  complaints found;
  for (const auto& name : names) {
    if (name.starts_with(".") || name == "CMakeUserPresets.json") continue;
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      found.push_back(name + ": does not belong in the project's own folder");
    }
  }
  return found;
}

/// The text of the first block of C++ in a Markdown document, and the line on which it opens.
struct code_block {
  std::string text;
  std::size_t line;
};

inline std::optional<code_block> first_cpp_block(std::string_view markdown) {
  std::optional<code_block> block;
  std::size_t number = 0;
  for (const auto line : lines_of(markdown)) {
    ++number;
    if (!block) {
      if (line == "```cpp") block = code_block{"", number};
    } else if (line == "```") {
      return block;
    } else {
      block->text += std::string(line) + "\n";
    }
  }
  return std::nullopt;
}

}  // namespace structure
