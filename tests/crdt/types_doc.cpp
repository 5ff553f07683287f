// docs/types.md shows exactly the code that examples/types/ compiles and runs.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace {

using snippets = std::set<std::string>;

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

std::string trimmed(const std::string& line) {
  const auto from = line.find_first_not_of(' ');
  return from == std::string::npos ? std::string{} : line.substr(from);
}

/// The text without the spaces that all its lines begin with.
std::string dedented(const std::vector<std::string>& lines) {
  std::size_t common = std::string::npos;
  for (const auto& line : lines) common = std::min(common, line.find_first_not_of(' '));
  std::string out;
  for (const auto& line : lines) out += (line.empty() ? line : line.substr(common)) + "\n";
  return out;
}

/// What stands between lines that, without their indent, are `begin` and `end`.
snippets between(const std::string& text, const std::string& begin, const std::string& end) {
  snippets out;
  std::istringstream in(text);
  std::vector<std::string> lines;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (!inside && trimmed(line) == begin) {
      inside = true;
      lines.clear();
    } else if (inside && trimmed(line) == end) {
      inside = false;
      out.insert(dedented(lines));
    } else if (inside) {
      lines.push_back(line);
    }
  }
  CHECK_FALSE(inside);
  return out;
}

TEST_CASE("docs/types.md shows the code of examples/types, all of it and nothing else") {
  const std::filesystem::path root = JOINERY_SOURCE_DIR;
  snippets compiled;
  for (const auto& file : std::filesystem::directory_iterator(root / "examples/types"))
    compiled.merge(between(read_file(file.path()), "// [docs]", "// [/docs]"));
  const auto shown = between(read_file(root / "docs/types.md"), "```cpp", "```");

  CHECK(shown.size() > 12);
  for (const auto& code : shown) {
    INFO("In the document, but not compiled:\n" << code);
    CHECK(compiled.count(code) == 1);
  }
  for (const auto& code : compiled) {
    INFO("Compiled, but not in the document:\n" << code);
    CHECK(shown.count(code) == 1);
  }
}

}  // namespace
