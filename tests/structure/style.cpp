// Style: what every file of the project keeps to.
#include <catch2/catch.hpp>

#include "tests/structure/style_rules.hpp"

namespace {

using namespace structure;

const std::filesystem::path root = JOINERY_SOURCE_DIR;
const complaints none;

source_tree headers() { return read_tree(root, "include", {".hpp"}); }

/// All text that people write here: code, scripts, build files, and on request documents.
source_tree written(bool documents) {
  std::vector<std::string> endings{".hpp", ".cpp", ".cmake", "CMakeLists.txt", ".sh", ".mjs"};
  if (documents) endings.push_back(".md");
  source_tree tree;
  for (const auto* folder : {"include", "tests", "bench", "examples", "fuzz", "docs"}) {
    for (auto& file : read_tree(root, folder, endings)) tree.push_back(std::move(file));
  }
  std::vector<std::string> files{"CMakeLists.txt", "dev", ".ci/run"};
  if (documents) files.insert(files.end(), {"README.md", "CHANGELOG.md"});
  for (const auto& name : files) {
    if (std::filesystem::exists(root / name)) tree.push_back({name, read_file(root / name)});
  }
  return tree;
}

source_tree planted(const std::string& text) { return {{"include/joinery/base/a.hpp", text}}; }

complaints at_line(int line, const std::string& what) {
  return {"include/joinery/base/a.hpp:" + std::to_string(line) + ": " + what};
}

}  // namespace

TEST_CASE("lines are short, and free of tabs and stray blanks") {
  CHECK(report(check_lines(written(false))) == "");
}

TEST_CASE("nothing announces work left undone") { CHECK(report(check_words(written(true))) == ""); }

TEST_CASE("no header is longer than 500 lines") { CHECK(report(check_sizes(headers())) == ""); }

TEST_CASE("every header opens with its purpose and its thread-safety") {
  CHECK(report(check_openings(headers())) == "");
}

TEST_CASE("headers define no macros") { CHECK(report(check_macros(headers())) == ""); }

TEST_CASE("nothing is fetched ahead in a way that compilers leave out") {
  CHECK(report(check_prefetching(headers())) == "");
  CHECK(report(check_prefetching(read_tree(root, "bench", {".hpp", ".cpp"}))) == "");
  CHECK(check_prefetching(planted("int a;\n__builtin_"
                                  "prefetch(&a);\n")) ==
        at_line(2, "a fetch that may be left out"));
}

TEST_CASE("headers open no namespace to their users") {
  CHECK(report(check_using(headers())) == "");
}

TEST_CASE("the project's folder holds what belongs there") {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    names.push_back(entry.path().filename().string());
  }
  CHECK(report(check_top_level(names)) == "");
}

TEST_CASE("the README's first code is the quickstart, byte for byte, and early") {
  const auto block = first_cpp_block(read_file(root / "README.md"));
  REQUIRE(block);
  CHECK(block->text == read_file(root / "examples/quickstart/main.cpp"));
  CHECK(block->line <= 15);
  CHECK(lines_of(block->text).size() <= 40);
}

TEST_CASE("the check of lines finds long ones, tabs and stray blanks") {
  const std::string dash = "–";
  std::string hundred;
  for (int i = 0; i < 100; ++i) hundred += dash;
  CHECK(check_lines(planted(hundred + "\n")) == none);
  CHECK(check_lines(planted(hundred + dash + "\n")) == at_line(1, "more than 100 columns"));
  CHECK(check_lines(planted("a\n\tb\n")) == at_line(2, "a tab"));
  CHECK(check_lines(planted("a \n")) == at_line(1, "a blank at the end"));
  CHECK(check_lines(planted("a\r\n")) == at_line(1, "a carriage return"));
  CHECK(check_lines(planted("a")).size() == 1);
}

TEST_CASE("the check of words finds them as words only") {
  const std::string word =
      "TO"
      "DO";
  CHECK(check_words(planted("a\n// " + word + ": b\n")) == at_line(2, "the word " + word));
  CHECK(check_words(planted("// " + word + "S and todo\n")) == none);
}

TEST_CASE("the check of sizes finds a header that is too long") {
  std::string text;
  for (std::size_t i = 0; i < header_lines_max; ++i) text += "\n";
  CHECK(check_sizes(planted(text)) == none);
  CHECK(check_sizes(planted(text + "\n")).size() == 1);
}

TEST_CASE("the check of openings finds what is missing") {
  const std::string good = "// A.\n// Purpose: b.\n// Thread-safety: c.\n#pragma once\n";
  CHECK(check_openings(planted(good)) == none);
  CHECK(check_openings(planted("\n" + good)).size() == 2);
  CHECK(check_openings(planted("// Purpose: b.\n#pragma once\n")).size() == 1);
  CHECK(check_openings(planted("// Purpose: b.\n// Thread-safety: c.\n")).size() == 1);
  CHECK(check_openings({{"include/joinery/base/fwd.hpp", "#pragma once\n"}}) == none);
}

TEST_CASE("the check of macros finds one, and not in a comment") {
  CHECK(check_macros(planted("// #define A\n#pragma once\n")) == none);
  CHECK(check_macros(planted("\n #  define A\n")) == at_line(2, "a macro in a header"));
}

TEST_CASE("the check of using finds it wherever it leaks") {
  const std::string what = "using namespace, outside a function";
  CHECK(check_using(planted("using namespace std;\n")) == at_line(1, what));
  CHECK(check_using(planted("#include <a>\nnamespace a::b {\nusing namespace std;\n}\n")) ==
        at_line(3, what));
  CHECK(check_using(planted("namespace a {\nvoid f() {\n  using namespace std;\n}\n}\n")) == none);
  CHECK(
      check_using(planted("namespace a {\nvoid f() { char c = '{'; }\nusing namespace b;\n}\n")) ==
      at_line(3, what));
}

TEST_CASE("the check of the project's folder finds what does not belong") {
  CHECK(check_top_level({"README.md", ".git", "notes.txt"}) ==
        complaints{"notes.txt: does not belong in the project's own folder"});
}

TEST_CASE("the first block of C++ is found in a document") {
  CHECK_FALSE(first_cpp_block("```sh\nls\n```\n"));
  CHECK_FALSE(first_cpp_block("```cpp\nnever closed\n"));
  const auto block =
      first_cpp_block("# A\n```sh\nls\n```\n```cpp\nint a;\n```\n```cpp\nint b;\n```\n");
  REQUIRE(block);
  CHECK(block->text == "int a;\n");
  CHECK(block->line == 5);
}
