// What docs/proof.md names as proof is there.
#include <catch2/catch.hpp>

#include <filesystem>
#include <regex>
#include <set>

#include "tests/structure/source_tree.hpp"

using namespace structure;

namespace {

const std::filesystem::path root{JOINERY_SOURCE_DIR};

TEST_CASE("every test and planted bug that docs/proof.md names is there, and every bug is named") {
  const auto page = read_file(root / "docs/proof.md");
  const std::regex named{"`([a-z_]+/[a-z_]+)`"};
  std::size_t tests = 0;
  for (std::sregex_iterator at(page.begin(), page.end(), named), end; at != end; ++at) {
    const auto path = root / "tests" / ((*at)[1].str() + ".cpp");
    CAPTURE(path.string());
    CHECK(std::filesystem::exists(path));
    ++tests;
  }
  CHECK(tests > 100);

  const std::regex planted{"`([0-9]{2}-[a-z-]+)`"};
  std::set<std::string> told;
  for (std::sregex_iterator at(page.begin(), page.end(), planted), end; at != end; ++at) {
    const auto name = (*at)[1].str();
    CAPTURE(name);
    CHECK(std::filesystem::exists(root / "tests/mutants" / (name + ".patch")));
    told.insert(name);
  }
  for (const auto& file : std::filesystem::directory_iterator(root / "tests/mutants"))
    if (file.path().extension() == ".patch") {
      CAPTURE(file.path().string());
      CHECK(told.contains(file.path().stem().string()));
    }
}

TEST_CASE("docs/proof.md has a row for every fault of the catalogue") {
  const auto page = read_file(root / "docs/proof.md");
  for (int n = 1; n <= 59; ++n) {
    CAPTURE(n);
    CHECK(page.find("\n| " + std::to_string(n) + " | ") != std::string::npos);
  }
}

}  // namespace
