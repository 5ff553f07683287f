// Rooms: the includes of joinery's headers keep to the table of docs/architecture.md.
#include <catch2/catch.hpp>

#include "tests/structure/include_graph.hpp"

namespace {

using namespace structure;

const std::filesystem::path root = JOINERY_SOURCE_DIR;

const source_tree& headers() {
  static const auto tree = read_tree(root, "include/joinery", {".hpp"});
  return tree;
}

room_table real_table() { return read_room_table(read_file(root / "docs/architecture.md")); }

room_table planted_table() {
  return {{"base", {}, {}}, {"crdt", {}, {"base"}}, {"store", {"lmdb.h"}, {"base"}}};
}

source planted(const std::string& path, const std::string& text) {
  return {"include/joinery/" + path, text};
}

const complaints none;

}  // namespace

TEST_CASE("joinery's headers are where the structural tests look for them") {
  CHECK(headers().size() > 5);
}

TEST_CASE("the table of rooms has no cycle") { CHECK(report(check_table(real_table())) == ""); }

TEST_CASE("every include between rooms is an arrow of the table") {
  CHECK(report(check_arrows(headers(), real_table())) == "");
}

TEST_CASE("each third-party library enters through its room only") {
  CHECK(report(check_outside(headers(), real_table())) == "");
}

TEST_CASE("no header includes itself by a detour") {
  CHECK(report(check_cycles(graph_of_files(headers()))) == "");
}

TEST_CASE("no room includes itself by a detour") {
  CHECK(report(check_cycles(graph_of_rooms(headers()))) == "");
}

TEST_CASE("the check of the table finds a row that names a later one") {
  const room_table table{{"base", {}, {"crdt"}}, {"crdt", {}, {"base"}}};
  const auto found = check_table(table);
  REQUIRE(found.size() == 1);
  CHECK_THAT(found[0], Catch::Contains("`base` may include `crdt`, which is not a row above it"));
}

TEST_CASE("the reader of the table refuses what it cannot understand") {
  CHECK_THROWS_WITH(read_room_table("no table"), Catch::Contains("no table between"));
  CHECK_THROWS_WITH(read_room_table("<!-- rooms -->\n<!-- /rooms -->"), Catch::Contains("no rows"));
  CHECK_THROWS_WITH(read_room_table("<!-- rooms -->\n| `a` | b |\n<!-- /rooms -->"),
                    Catch::Contains("not four columns"));
  const std::string row = "| `a` | holds | `x.h` | `b` `c` |\n";
  CHECK_THROWS_WITH(read_room_table("<!-- rooms -->\n" + row + row + "<!-- /rooms -->"),
                    Catch::Contains("two rows for a"));
  const auto table = read_room_table("<!-- rooms -->\n" + row + "<!-- /rooms -->");
  REQUIRE(table.size() == 1);
  CHECK(table[0].outside == std::vector<std::string>{"x.h"});
  CHECK(table[0].rooms == std::vector<std::string>{"b", "c"});
}

TEST_CASE("the check of arrows finds an arrow that the table does not have") {
  const source_tree tree{planted("base/a.hpp", "#include \"joinery/crdt/b.hpp\"\n"),
                         planted("crdt/b.hpp", "")};
  CHECK(check_arrows(tree, planted_table()) ==
        complaints{"include/joinery/base/a.hpp:1: `base` may not include `crdt`"});
}

TEST_CASE("the check of arrows finds a room without a row") {
  const source_tree tree{planted("attic/a.hpp", "")};
  CHECK(check_arrows(tree, planted_table()) ==
        complaints{"include/joinery/attic/a.hpp: its room has no row in docs/architecture.md"});
}

TEST_CASE("the check of arrows finds an include of another room's private part") {
  const source_tree tree{planted("base/detail/a.hpp", ""),
                         planted("crdt/b.hpp", "#include \"joinery/base/detail/a.hpp\"\n")};
  const auto found = check_arrows(tree, planted_table());
  REQUIRE(found.size() == 1);
  CHECK_THAT(found[0], Catch::Contains("is private to `base`"));
}

TEST_CASE("the check of arrows finds includes that are missing or not written in full") {
  const source_tree tree{
      planted("base/a.hpp", "#include \"b.hpp\"\n#include <joinery/base/a.hpp>\n"),
      planted("crdt/b.hpp", "\n#include \"joinery/base/gone.hpp\"\n")};
  const auto found = check_arrows(tree, planted_table());
  REQUIRE(found.size() == 3);
  CHECK_THAT(found[0], Catch::StartsWith("include/joinery/base/a.hpp:1: write"));
  CHECK_THAT(found[1], Catch::StartsWith("include/joinery/base/a.hpp:2: write"));
  CHECK(found[2] == "include/joinery/crdt/b.hpp:2: joinery/base/gone.hpp does not exist");
}

TEST_CASE("the check of libraries finds one that enters elsewhere") {
  const source_tree tree{planted("base/a.hpp", "#include <vector>\n#include <lmdb.h>\n"),
                         planted("store/b.hpp", "#include <lmdb.h>\n")};
  CHECK(check_outside(tree, planted_table()) ==
        complaints{"include/joinery/base/a.hpp:2: <lmdb.h> may not enter through `base`"});
}

TEST_CASE("the check of cycles finds one between files and one between rooms") {
  const source_tree files{planted("base/a.hpp", "#include \"joinery/base/b.hpp\"\n"),
                          planted("base/b.hpp", "#include \"joinery/base/a.hpp\"\n")};
  CHECK(check_cycles(graph_of_files(files)) ==
        complaints{"a cycle: include/joinery/base/a.hpp → include/joinery/base/b.hpp → "
                   "include/joinery/base/a.hpp"});
  CHECK(check_cycles(graph_of_rooms(files)) == none);

  const source_tree rooms{planted("base/a.hpp", "#include \"joinery/crdt/b.hpp\"\n"),
                          planted("base/c.hpp", ""),
                          planted("crdt/b.hpp", "#include \"joinery/base/c.hpp\"\n")};
  CHECK(check_cycles(graph_of_files(rooms)) == none);
  CHECK(check_cycles(graph_of_rooms(rooms)) == complaints{"a cycle: base → crdt → base"});
}

TEST_CASE("includes are read as the compiler reads them") {
  const auto file = planted("base/a.hpp",
                            "// #include <one>\n/* #include <two>\n*/ #  include <three>\n"
                            "const char* s = \"/*\";\n#include \"joinery/base/four.hpp\"  // */\n"
                            "int n = 1'000;\nauto r = R\"(// )\";\n#include <five>\n");
  const auto found = includes_of(file);
  REQUIRE(found.size() == 3);
  CHECK(found[0].target == "three");
  CHECK(found[1].target == "joinery/base/four.hpp");
  CHECK(found[1].line == 5);
  CHECK(found[2].target == "five");
}
