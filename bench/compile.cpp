// What a program pays for joinery when it is compiled: one translation unit with a schema of five
// tables that opens a store, writes, reads, watches and asks an index, at -O2 and without Asio, in
// a program that compiles the engine in one unit (joinery/separate.hpp); that unit; the same with
// more fields and tables; all in one unit, as in a program that defines nothing; and the units of
// the sport tracker as they are built. Seconds of the compiler's, whatever else the machine does.
// The limit is a unit that includes what joinery includes of others, and nothing of joinery.
// Lines: compile compile/fields: compile/tables: compile-engine compile-header-only
// Lines: compile-tracker/
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "report.hpp"

namespace {

using namespace bench;
namespace files = std::filesystem;

const files::path source = JOINERY_SOURCE_DIR;

/// A file of that name, among those that are compiled here.
files::path file_here(const std::string& name) {
  const auto folder = files::current_path() / "bench-data" / "compile";
  files::create_directories(folder);
  return folder / name;
}
files::path written(const std::string& name, const std::string& text) {
  std::ofstream(file_here(name)) << text;
  return file_here(name);
}

/// Seconds of the compiler's.
double compiled(const files::path& unit, bool separately) {
  const auto object = file_here("unit.o").string();
  files::remove(object);
  const auto command = std::string{JOINERY_BENCH_COMPILER} + " -std=c++20 -O2 -DNDEBUG " +
                       (separately ? "-DJOINERY_SEPARATE_COMPILATION -I" : "-I") +
                       (source / "include").string() + " -I" + (source / "examples").string() +
                       " -c " + unit.string() + " -o " + object;
  const auto used = [] {
    rusage u{};
    getrusage(RUSAGE_CHILDREN, &u);
    const auto s = [](timeval t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return s(u.ru_utime) + s(u.ru_stime);
  };
  const auto before = used();
  check(std::system(command.c_str()) == 0, "it compiles: " + command);
  check(files::exists(object) && files::file_size(object) > 0, "an object file is there");
  return used() - before;
}

/// The headers of others that joinery's include: what it takes anyway.
std::string without_joinery() {
  std::set<std::string> all;
  for (const auto& entry : files::recursive_directory_iterator(source / "include")) {
    const auto path = entry.path().string();
    const bool opt_in = path.find("/transport/") != path.npos ||
                        path.find("/testing/") != path.npos || path.find("/tool/") != path.npos;
    if (!entry.is_regular_file() || opt_in) continue;
    std::ifstream in(path);
    for (std::string text; std::getline(in, text);)
      if (text.starts_with("#include <")) all.insert(text);
  }
  std::string out;
  for (const auto& include : all) out += include + "\n";
  return out + "int main() {}\n";
}

/// A program with so many tables of so many fields, four or more.
std::string program(int tables, int fields) {
  static constexpr const char* kinds[] = {"joinery::lww<std::string>",
                                          "joinery::lww<std::int64_t>",
                                          "joinery::pn_counter",
                                          "joinery::or_set<std::string>",
                                          "joinery::flag",
                                          "joinery::max_of<std::uint32_t>",
                                          "joinery::mv<std::string>",
                                          "joinery::map<std::string, joinery::lww<std::string>>"};
  std::string structs, list, body;
  for (int t = 0; t < tables; ++t) {
    const auto name = "table" + std::to_string(t);
    structs += "struct " + name + " {\n  BOOST_HANA_DEFINE_STRUCT(" + name;
    for (int f = 0; f < fields; ++f)
      structs += ",\n    (" + std::string{kinds[f % 8]} + ", f" + std::to_string(f) + ")";
    structs += ");\n};\n";
    list += (t > 0 ? ", " : "") + std::string{"joinery::table<\""} + name + "\", " + name;
    if (t == 0) list += ", joinery::update_wins, joinery::index<&table0::f1>";
    list += ">";
    body += "  db.write([](database::transaction& tx) {\n    auto r = tx.create<" + name +
            ">(\"key\");\n    r.f0 = \"text\";\n    r.f1 = 7;\n    r.f2 += 1;\n"
            "    r.f3.insert(\"tag\");\n  }).value();\n"
            "  if (auto r = db.find<" +
            name +
            ">(\"key\")) std::cout << *r->f0 << *r->f2;\n"
            "  db.for_each<" +
            name + ">([](std::string_view k, const " + name +
            "& r) { std::cout << k << r.f3.size(); });\n";
  }
  return "#include <joinery/joinery.hpp>\n#include <iostream>\n" + structs +
         "using schema = joinery::tables<" + list +
         ">;\nusing database = joinery::stored_replica<"
         "schema>;\nint main() {\n  auto db = joinery::open<schema>(\"x\", \"y\").value();\n"
         "  auto w = db.watch<table0>([](const auto& b) { std::cout << b.changes().size(); });\n"
         "  std::cout << db.query<table0>().by<&table0::f1>().from(1).count();\n" +
         body + "}\n";
}

double limit() {
  static const auto unit = written("limit.cpp", without_joinery());
  static const double once = compiled(unit, false);
  return once;
}

sample compile(const files::path& unit, bool separately = true) {
  const auto floor = limit();
  const auto took = compiled(unit, separately);
  return {took, took, floor};
}
sample compile(int tables, int fields, bool separately = true) {
  const auto name = std::to_string(tables) + "_" + std::to_string(fields) + ".cpp";
  return compile(written(name, program(tables, fields)), separately);
}

/// The tracker's units by path, without `.cpp`; one is put together of small files (its
/// CMakeLists.txt).
std::map<std::string, std::vector<files::path>> tracker() {
  const auto folder = source / "examples/sport_tracker";
  std::map<std::string, std::vector<files::path>> units;
  for (const auto& entry : files::recursive_directory_iterator(folder)) {
    const auto& path = entry.path();
    if (path.extension() != ".cpp") continue;
    auto name = path.lexically_relative(folder).replace_extension().generic_string();
    if (name.starts_with("network/")) name = "engine";
    units[name].push_back(path);
  }
  return units;
}

}  // namespace

int main(int argc, char** argv) {
  line("compile", {"s", measure::at_most, 6}, [] { return compile(5, 8); });
  line(
      "compile-engine", {"s"},
      [] { return compile(written("engine.cpp", "#include <joinery/separate.hpp>\n")); }, 1);
  line(
      "compile-header-only", {"s"}, [] { return compile(5, 8, false); }, 1);
  // A compiler's seconds hardly vary, and these are many: each is measured once.
  for (const int fields : {4, 32})
    line(
        "compile/fields:" + std::to_string(fields), {"s"}, [=] { return compile(5, fields); }, 1);
  for (const int tables : {1, 20})
    line(
        "compile/tables:" + std::to_string(tables), {"s"}, [=] { return compile(tables, 8); }, 1);
  for (const auto& [name, sources] : tracker())
    line(
        "compile-tracker/" + name, {"s", measure::at_most, 6},
        [name = name, sources = sources] {
          if (sources.size() == 1) return compile(sources.front());
          std::string unit;
          for (const auto& path : sources) unit += "#include \"" + path.string() + "\"\n";
          return compile(written("tracker_" + name + ".cpp", unit));
        },
        1);
  return run(argc, argv);
}
