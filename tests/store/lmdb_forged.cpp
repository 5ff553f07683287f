// Data files whose structure tells one lie each: every one is found before LMDB believes it.
#include <catch2/catch.hpp>

#include <fstream>
#include <functional>

#include "tests/store/support.hpp"

using namespace store_tests;
namespace fs = std::filesystem;
namespace format = joinery::store::detail::lmdb_format;

namespace {

constexpr std::size_t page_bytes = 4096;

/// A data file that can be changed where it says something.
struct data_file {
  bytes raw;

  template <class T>
  [[nodiscard]] T load(std::size_t at) const {
    return format::load<T>(raw, at);
  }
  template <class T>
  void store(std::size_t at, const T& what) {
    raw.replace(at, sizeof what, reinterpret_cast<const char*>(&what), sizeof what);
  }
  template <class T>
  void edit(std::size_t at, const std::function<void(T&)>& change) {
    auto there = load<T>(at);
    change(there);
    store(at, there);
  }
  /// Where the newest meta page has its content.
  [[nodiscard]] std::size_t meta_at() const {
    const auto one = sizeof(format::page), two = page_bytes + one;
    const bool second = load<format::meta>(one).transaction < load<format::meta>(two).transaction;
    return second ? two : one;
  }
  [[nodiscard]] format::meta meta() const { return load<format::meta>(meta_at()); }
  /// Where entry `n` of a page is.
  [[nodiscard]] std::size_t node_at(std::size_t page, std::size_t n) const {
    const auto slot = page * page_bytes + sizeof(format::page) + 2 * n;
    return page * page_bytes + load<std::uint16_t>(slot);
  }
  [[nodiscard]] std::size_t child(std::size_t page, std::size_t n) const {
    const auto node = load<format::node>(node_at(page, n));
    return node.low | std::size_t{node.high} << 16;
  }
  [[nodiscard]] std::size_t value_at(std::size_t node) const {
    return node + sizeof(format::node) + load<format::node>(node).key_size;
  }
  /// Where the tree of an area is described: in the tree of names.
  [[nodiscard]] std::size_t tree_at(std::string_view area_name) const {
    const auto page = meta().names.root;
    const auto head = load<format::page>(page * page_bytes);
    for (std::size_t n = 0; n < (head.lower - sizeof head) / 2U; ++n) {
      const auto node = node_at(page, n);
      const auto size = load<format::node>(node).key_size;
      if (bytes_view(raw).substr(node + sizeof(format::node), size) == area_name)
        return value_at(node);
    }
    FAIL("no tree of " << area_name);
    return 0;
  }
  [[nodiscard]] format::tree tree(std::string_view area_name) const {
    return load<format::tree>(tree_at(area_name));
  }
  /// The first leaf of an area.
  [[nodiscard]] std::size_t leaf(std::string_view area_name) const {
    const auto t = tree(area_name);
    auto page = t.root;
    for (int level = 1; level < t.depth; ++level) page = child(page, 0);
    return page;
  }
};

/// A store of branches, leaves, a large value, a log and free pages, closed well.
data_file sound_store(const std::string& path, int freed = 2) {
  {
    auto s = lmdb::open(at(path)).value();
    s.write([&](auto& w) -> result<> {
       for (int i = 0; i < 60; ++i)
         w.put(area::records, "record " + std::to_string(100 + i), std::string(200, 'v'));
       for (std::uint64_t n = 1; n <= 5; ++n) w.put(area::log, position(n), "changeset");
       w.put(area::meta, "large", std::string(20'000, 'v'));
       w.put(area::held, "goes", std::string(static_cast<std::size_t>(freed) * page_bytes, 'v'));
       return {};
     }).value();
    s.write([](auto& w) -> result<> {
       w.erase(area::held, "goes");
       return {};
     }).value();
  }
  std::ifstream in(path + "/data.mdb", std::ios::binary);
  return {{std::istreambuf_iterator<char>(in), {}}};
}

/// What opening the changed file says.
std::string said_of(const std::string& path, const data_file& file) {
  std::ofstream(path + "/data.mdb", std::ios::binary)
      .write(file.raw.data(), static_cast<std::streamsize>(file.raw.size()));
  const auto s = lmdb::open(at(path));
  if (!s) CHECK((s.error().code == errc::malformed || s.error().code == errc::unsupported));
  return text(s);
}

}  // namespace

TEST_CASE("a meta page that says what cannot be is refused") {
  temporary_directory d;
  const auto sound = sound_store(d.path());
  REQUIRE(said_of(d.path(), sound) == "ok");
  constexpr auto first = sizeof(format::page), second = page_bytes + first;
  const auto refused = [&](std::size_t at, const std::function<void(format::meta&)>& lie,
                           const char* why) {
    auto file = sound;
    file.edit(at, lie);
    CAPTURE(at, why);
    CHECK(said_of(d.path(), file).find(why) != std::string::npos);
  };
  for (const std::uint32_t size : {0U, 256U, 5000U, 0x10000U, 0xFFFFFFFFU})
    refused(
        first, [&](auto& m) { m.free.pad = size; }, "an impossible page size");
  refused(
      second, [](auto& m) { m.magic = 7; }, "not one of LMDB's");
  refused(
      first, [](auto& m) { m.version = 2; }, "format version 2");
  refused(
      second, [](auto& m) { m.version = 3; }, "format version 3");
  const char* lies = "contradicts itself";
  for (const auto at : {first, second}) {
    refused(
        at, [](auto& m) { m.transaction += 1; }, lies);
    refused(
        at, [](auto& m) { m.free.flags = 0; }, lies);
    refused(
        at, [](auto& m) { m.names.flags = 4; }, lies);
    refused(
        at, [](auto& m) { m.map_bytes = format::most_map_bytes + page_bytes; }, lies);
    refused(
        at, [](auto& m) { m.last_page = 0; }, lies);
    refused(
        at, [](auto& m) { m.last_page = m.map_bytes / page_bytes; }, lies);
  }
  refused(
      second, [](auto& m) { m.free.pad = 8192; }, lies);
  auto no_meta = sound;
  no_meta.edit<format::page>(page_bytes, [](auto& p) { p.flags = format::leaf_page; });
  CHECK(said_of(d.path(), no_meta).find("first pages are damaged") != std::string::npos);
  // Nothing was written to the store meanwhile: it opens as it was.
  CHECK(said_of(d.path(), sound) == "ok");
}

TEST_CASE("a page of a tree that says what cannot be is refused, and named") {
  temporary_directory d;
  const auto sound = sound_store(d.path());
  REQUIRE(said_of(d.path(), sound) == "ok");
  const auto refused = [&](const char* why, const std::function<void(data_file&)>& lie) {
    auto file = sound;
    lie(file);
    const auto said = said_of(d.path(), file);
    CAPTURE(why, said);
    CHECK(said.find(why) != std::string::npos);
    CHECK(said.find("data.mdb, page") != std::string::npos);
  };
  const auto tree = [&](const char* why, const std::function<void(format::tree&)>& lie) {
    refused(why, [&](data_file& f) { f.edit(f.tree_at("records"), lie); });
  };
  REQUIRE(sound.tree("records").depth == 2);
  tree("impossible depth", [](auto& t) { t.depth = 33; });
  tree("impossible depth", [](auto& t) { t.depth = 0; });
  tree("impossible depth", [](auto& t) { t.root = format::no_root; });
  tree("that should have 9", [](auto& t) { t.entries = 9; });
  tree("wrong kind", [](auto& t) { t.depth = 3; });
  tree("cut off before a page", [](auto& t) { t.root = std::size_t{1} << 40; });
  tree("used twice", [&](auto& t) { t.root = sound.tree("log").root; });

  const auto leaf = sound.leaf("records");
  const auto head = [&](const char* why, const std::function<void(format::page&)>& lie) {
    refused(why, [&](data_file& f) { f.edit(leaf * page_bytes, lie); });
  };
  head("number of another", [](auto& p) { ++p.number; });
  head("wrong kind", [](auto& p) { p.flags = format::branch_page; });
  head("bounds are impossible", [](auto& p) { p.lower = sizeof p - 2; });
  head("bounds are impossible", [](auto& p) { p.lower = static_cast<std::uint16_t>(p.upper + 2); });
  head("bounds are impossible", [](auto& p) { p.lower = static_cast<std::uint16_t>(p.lower - 1); });
  head("bounds are impossible", [](auto& p) { p.upper = page_bytes + 2; });
  head("an empty page", [](auto& p) { p.lower = sizeof p; });
  refused("an empty page", [&](data_file& f) {  // a branch to one page alone
    const auto root = f.tree("records").root;
    f.edit<format::page>(root * page_bytes, [](auto& p) { p.lower = sizeof p + 2; });
  });
  refused("used twice", [&](data_file& f) {
    const auto root = f.tree("records").root;
    f.edit<format::node>(f.node_at(root, 1),
                         [&](auto& n) { n.low = static_cast<std::uint16_t>(leaf); });
  });

  const auto slot = leaf * page_bytes + sizeof(format::page);
  for (const std::uint16_t at : {std::uint16_t{8}, std::uint16_t{4093}, std::uint16_t{4094}})
    refused("outside its page", [&](data_file& f) { f.store(slot, at); });
  refused("out of order", [&](data_file& f) { f.store(slot, f.load<std::uint16_t>(slot + 2)); });
  refused("out of order", [&](data_file& f) {
    const auto log = f.leaf("log") * page_bytes + sizeof(format::page);
    f.store(log, f.load<std::uint16_t>(log + 4));
  });
}

TEST_CASE("an entry of a tree that says what cannot be is refused, and named") {
  temporary_directory d;
  const auto sound = sound_store(d.path());
  const auto refused = [&](const char* why, std::size_t at,
                           const std::function<void(format::node&)>& lie) {
    auto file = sound;
    file.edit(at, lie);
    const auto said = said_of(d.path(), file);
    CAPTURE(why, said);
    CHECK(said.find(why) != std::string::npos);
  };
  const auto record = sound.node_at(sound.leaf("records"), 0);
  refused("a key that leaves its page", record, [](auto& n) { n.key_size = 5000; });
  refused("a key of an impossible size", record, [](auto& n) { n.key_size = 0; });
  refused("a key of an impossible size", sound.node_at(sound.leaf("log"), 0),
          [](auto& n) { n.key_size = 7; });
  refused("several values", record, [](auto& n) { n.flags |= format::duplicates_node; });
  refused("a value that leaves its page", record, [](auto& n) { n.low = 5000; });
  refused("a tree where none can be", record, [](auto& n) { n.flags = format::tree_node; });
  refused("a tree where none can be", sound.node_at(sound.meta().names.root, 0),
          [](auto& n) { n.low -= 8; });

  const auto large = sound.node_at(sound.leaf("meta"), 0);
  REQUIRE((sound.load<format::node>(large).flags & format::big_node) != 0);
  const auto first = sound.load<std::size_t>(sound.value_at(large));
  const auto value = [&](const char* why, const std::function<void(data_file&)>& lie) {
    auto file = sound;
    lie(file);
    const auto said = said_of(d.path(), file);
    CAPTURE(why, said);
    CHECK(said.find(why) != std::string::npos);
  };
  value("cut off before", [&](auto& f) { f.store(f.value_at(large), std::size_t{1} << 40); });
  value("number of another", [&](auto& f) { f.store(f.value_at(large), first + 1); });
  value("without its pages", [&](auto& f) {
    f.template edit<format::page>(first * page_bytes, [](auto& p) { p.flags = 2; });
  });
  for (const std::uint32_t pages : {1U, 4U})
    value("without its pages",
          [&](auto& f) { f.store(first * page_bytes + offsetof(format::page, lower), pages); });
  value("cut off before", [&](auto& f) {
    f.store(first * page_bytes + offsetof(format::page, lower), std::uint32_t{100'000});
  });
  value("used twice", [&](auto& f) {
    f.store(first * page_bytes + offsetof(format::page, lower), std::uint32_t{8});
  });
}

TEST_CASE("a list of free pages that says what cannot be is refused, on pages of its own as well") {
  temporary_directory d;
  const int freed = GENERATE(2, 2000);
  const auto sound = sound_store(d.path(), freed);
  REQUIRE(said_of(d.path(), sound) == "ok");
  auto page = sound.meta().free.root;
  for (int level = 1; level < sound.meta().free.depth; ++level) page = sound.child(page, 0);
  // The transaction that freed the large value is the newest.
  const auto head = sound.load<format::page>(page * page_bytes);
  const auto node = sound.node_at(page, (head.lower - sizeof head) / 2U - 1);
  const bool apart = (sound.load<format::node>(node).flags & format::big_node) != 0;
  REQUIRE(apart == (freed > 1000));
  auto list = sound.value_at(node);
  if (apart) list = sound.load<std::size_t>(list) * page_bytes + sizeof(format::page);
  const auto length = sound.load<std::size_t>(list);
  REQUIRE(length >= static_cast<std::size_t>(freed));

  const auto refused = [&](const char* why, std::size_t at, std::size_t lie) {
    auto file = sound;
    file.store(at, lie);
    const auto said = said_of(d.path(), file);
    CAPTURE(why, said);
    CHECK(said.find(why) != std::string::npos);
  };
  refused("too short", list, length + 1000);
  refused("impossible list", list + 8, 1);
  refused("impossible list", list + 8, sound.meta().last_page + 1);
  refused("impossible list", list + 16, sound.load<std::size_t>(list + 8));
  if (!apart) {
    auto file = sound;
    file.edit<format::node>(node, [](auto& n) { n.low = 4; });
    CHECK(said_of(d.path(), file).find("too short") != std::string::npos);
  }
}
