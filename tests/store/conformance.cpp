// What every storage promises, run over each model.
#include <catch2/catch.hpp>

#include <stdexcept>

#include "joinery/history/memory_storage.hpp"
#include "tests/store/support.hpp"

using namespace store_tests;
using joinery::history::memory_storage;

namespace {

struct in_memory {
  memory_storage storage{durability::commit};
  memory_storage& open() { return storage; }
  void reopen() { storage.reopen(); }
};

struct on_disk {
  temporary_directory directory;
  std::optional<lmdb> storage;
  lmdb& open() {
    if (!storage) {
      auto options = at(directory.path());
      options.initial_map_bytes = 1;  // as small as it goes: growth is on the way of every test
      storage.emplace(lmdb::open(options).value());
    }
    return *storage;
  }
  void reopen() { storage.reset(); }
};

}  // namespace

TEMPLATE_TEST_CASE("a storage gives back what was put, and nothing else", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(put(s, area::records, "key", "value"));
  CHECK(get(s, area::records, "key") == "value");
  CHECK(get(s, area::records, "ke") == "(none)");
  CHECK(get(s, area::meta, "key") == "(none)");
  REQUIRE(put(s, area::records, "key", ""));
  CHECK(get(s, area::records, "key").empty());
  CHECK(get(s, area::records, "") == "(none)");
  CHECK(get(s, area::records, std::string(600, 'k')) == "(none)");
}

TEMPLATE_TEST_CASE("keys are ordered as unsigned bytes", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(s.write([](auto& w) -> result<> {
    for (const char* key : {"b", "\xff", "a", "ab", "\x01", "B", "\x80"})
      w.put(area::names, key, "");
    return {};
  }));
  CHECK(list(s, area::names) == "\x01= B= a= ab= b= \x80= \xff=");
}

TEMPLATE_TEST_CASE("a scan starts at the first key not below the given one and stops when told", "",
                   in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(s.write([](auto& w) -> result<> {
    for (const char* key : {"a", "c", "e"}) w.put(area::names, key, "1");
    return {};
  }));
  CHECK(list(s, area::names, "b") == "c=1 e=1");
  CHECK(list(s, area::names, "c") == "c=1 e=1");
  CHECK(list(s, area::names, "f").empty());
  CHECK(list(s, area::names, std::string(600, 'b')) == "c=1 e=1");
  int seen = 0;
  REQUIRE(s.read([&](auto& v) -> result<> {
    v.scan(area::names, "", [&](bytes_view, bytes_view) { return ++seen < 2; });
    return {};
  }));
  CHECK(seen == 2);
}

TEMPLATE_TEST_CASE("a scan backwards starts at the last key below the given one", "", in_memory,
                   on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(s.write([](auto& w) -> result<> {
    for (const char* key : {"a", "c", "e"}) w.put(area::names, key, "");
    for (std::uint64_t n = 1; n <= 3; ++n) w.put(area::log, position(n), "");
    return {};
  }));
  const auto back = [&](area a, bytes_view below, std::size_t most = 9) {
    std::string out;
    REQUIRE(s.read([&](auto& v) -> result<> {
      out.clear();
      v.scan_back(a, below, [&](bytes_view key, bytes_view) {
        out.push_back(key.back());
        return out.size() < most;
      });
      return {};
    }));
    return out;
  };
  CHECK(back(area::names, "f") == "eca");
  CHECK(back(area::names, "e") == "ca");
  CHECK(back(area::names, "d") == "ca");
  CHECK(back(area::names, "b", 1) == "a");
  CHECK(back(area::names, "ca", 1) == "c");
  CHECK(back(area::names, "a").empty());
  CHECK(back(area::names, "").empty());
  CHECK(back(area::indexes, "a").empty());
  CHECK(back(area::log, position(3)) == "\2\1");
  CHECK(back(area::log, std::string(9, '\xFF')) == "\3\2\1");
}

TEMPLATE_TEST_CASE("last gives the entry with the greatest key", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  const auto last = [&](area a) {
    std::string out = "(none)";
    REQUIRE(s.read([&](auto& v) -> result<> {
      if (const auto found = v.last(a)) out = bytes(found->first) + "=" + bytes(found->second);
      return {};
    }));
    return out;
  };
  CHECK(last(area::held) == "(none)");
  REQUIRE(put(s, area::held, "b", "2"));
  REQUIRE(put(s, area::held, "a", "1"));
  CHECK(last(area::held) == "b=2");
}

TEMPLATE_TEST_CASE("the log keeps the order of its positions, whatever their bytes", "", in_memory,
                   on_disk) {
  TestType place;
  auto& s = place.open();
  const std::uint64_t positions[] = {1, 2, 255, 256, 65'536, 1ULL << 32, ~0ULL};
  for (const auto n : positions) REQUIRE(put(s, area::log, position(n), std::to_string(n % 1000)));
  CHECK(list(s, area::log) ==
        "1=1 2=2 255=255 256=256 65536=536 4294967296=296 18446744073709551615=615");
  CHECK(list(s, area::log, position(256)) ==
        "256=256 65536=536 4294967296=296 18446744073709551615=615");
  CHECK(list(s, area::log, position(3)).starts_with("255="));
  CHECK(get(s, area::log, position(65'536)) == "536");
  CHECK(get(s, area::log, position(65'537)) == "(none)");
  CHECK(get(s, area::log, "short") == "(none)");
  std::vector<bytes> keys;
  REQUIRE(s.read([&](auto& v) -> result<> {
    std::vector<bytes_view> views;  // they hold until the read ends
    v.scan(area::log, "", [&](bytes_view key, bytes_view) { return views.push_back(key), true; });
    views.push_back(v.last(area::log)->first);
    keys.assign(views.begin(), views.end());
    return {};
  }));
  REQUIRE(keys.size() == 8);
  for (std::size_t i = 0; i < 7; ++i) CHECK(keys[i] == position(positions[i]));
  CHECK(keys[7] == position(~0ULL));
}

TEMPLATE_TEST_CASE("a scan of the log takes keys of any length as a bound", "", in_memory,
                   on_disk) {
  TestType place;
  auto& s = place.open();
  for (const std::uint64_t n : {1ULL, 256ULL, 257ULL, ~0ULL}) {
    REQUIRE(put(s, area::log, position(n), "x"));
  }
  const auto after_256 = position(256) + '\0';
  CHECK(list(s, area::log, after_256) == "257=x 18446744073709551615=x");
  CHECK(list(s, area::log, position(257).substr(0, 7)) == "256=x 257=x 18446744073709551615=x");
  CHECK(list(s, area::log, position(~0ULL) + 'a').empty());
}

TEMPLATE_TEST_CASE("the log only grows at its end, and an entry may be written again", "",
                   in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(put(s, area::log, position(5), "five"));
  CHECK(failed_with(put(s, area::log, position(4), "four"), errc::invalid_argument));
  CHECK(failed_with(put(s, area::log, "5", "five"), errc::invalid_argument));
  REQUIRE(put(s, area::log, position(6), "six"));
  REQUIRE(put(s, area::log, position(5), "mended"));
  CHECK(list(s, area::log) == "5=mended 6=six");
  REQUIRE(s.write([](auto& w) -> result<> {
    w.erase(area::log, position(5));
    w.erase(area::log, position(9));
    return {};
  }));
  CHECK(list(s, area::log) == "6=six");
}

TEMPLATE_TEST_CASE("a write that returns an error leaves nothing behind", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(put(s, area::records, "a", "old"));
  const auto done = s.write([](auto& w) -> result<> {
    w.put(area::records, "a", "new");
    w.put(area::records, "b", "new");
    w.erase(area::records, "a");
    w.put(area::records, "a", "newer");
    w.put(area::log, position(1), "x");
    return joinery::error{errc::overflow, "no", "", ""};
  });
  CHECK(failed_with(done, errc::overflow));
  CHECK(list(s, area::records) == "a=old");
  CHECK(list(s, area::log).empty());
}

TEMPLATE_TEST_CASE("a write that throws leaves nothing behind and passes the exception on", "",
                   in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(put(s, area::records, "a", "old"));
  const auto thrower = [&] {
    return s.write([](auto& w) -> result<> {
      w.erase(area::records, "a");
      w.put(area::records, "b", "new");
      throw std::runtime_error("stop");
    });
  };
  CHECK_THROWS_WITH(thrower(), "stop");
  CHECK(list(s, area::records) == "a=old");
  REQUIRE(put(s, area::records, "b", "later"));
  CHECK(list(s, area::records) == "a=old b=later");
}

TEMPLATE_TEST_CASE("a read that throws or fails passes that on and ends", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  const auto thrower = [&] {
    return s.read([](auto&) -> result<> { throw std::runtime_error("stop"); });
  };
  CHECK_THROWS_WITH(thrower(), "stop");
  const auto done = s.read([](auto&) -> result<> { return joinery::error{errc::gap, "", "", ""}; });
  CHECK(failed_with(done, errc::gap));
  REQUIRE(put(s, area::records, "a", "1"));
}

TEMPLATE_TEST_CASE("a write sees its own changes", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(put(s, area::records, "a", "1"));
  std::string before, after;
  REQUIRE(s.write([&](auto& w) -> result<> {
    before = list_in(w, area::records);
    w.put(area::records, "b", "2");
    w.erase(area::records, "a");
    w.erase(area::records, "absent");
    after = list_in(w, area::records);
    after += " last " + bytes(w.last(area::records)->first);
    after += w.get(area::records, "a") ? " a" : " no a";
    return {};
  }));
  CHECK(before == "a=1");
  CHECK(after == "b=2 last b no a");
}

TEMPLATE_TEST_CASE("a scan goes on while its body changes what it visits", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(s.write([](auto& w) -> result<> {
    for (int i = 100; i < 400; ++i) w.put(area::records, std::to_string(i), std::string(100, 'v'));
    return {};
  }));
  std::size_t seen = 0;
  REQUIRE(s.write([&](auto& w) -> result<> {
    seen = 0;
    w.scan(area::records, "", [&](bytes_view key, bytes_view) {
      ++seen;
      const auto here = bytes(key);
      if (here.size() > 3) return true;  // put by this very scan, ahead of it
      w.erase(area::records, here);
      if (here == "250") w.put(area::records, "2505", "ahead");
      if (here == "300") w.put(area::records, "000", "behind");
      return true;
    });
    return {};
  }));
  CHECK(seen == 301);
  CHECK(list(s, area::records) == "000=behind 2505=ahead");
}

TEMPLATE_TEST_CASE("values and keys may be put that are views of the storage itself", "", in_memory,
                   on_disk) {
  TestType place;
  auto& s = place.open();
  const auto value = std::string(300, 'v');
  REQUIRE(put(s, area::records, "a", value + "1"));
  REQUIRE(s.write([](auto& w) -> result<> {
    for (int i = 0; i < 200; ++i) {
      const auto last = *w.last(area::records);
      w.put(area::records, bytes(last.first) + "x", last.second);
      w.put(area::names, last.first, last.second);
    }
    w.put(area::records, "a", w.get(area::records, "a")->substr(299));
    return {};
  }));
  CHECK(get(s, area::records, "a") == "v1");
  CHECK(get(s, area::records, "a" + std::string(200, 'x')) == value + "1");
  CHECK(get(s, area::names, "a" + std::string(199, 'x')) == value + "1");
}

TEMPLATE_TEST_CASE("impossible keys are remembered and fail the write", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  CHECK(failed_with(put(s, area::records, "", "v"), errc::invalid_argument));
  CHECK(failed_with(put(s, area::records, std::string(512, 'k'), "v"), errc::too_large));
  REQUIRE(put(s, area::records, std::string(511, 'k'), "v"));
  std::string after = "never reached";
  const auto done = s.write([&](auto& w) -> result<> {
    w.put(area::records, "good", "1");
    w.erase(area::records, "");
    w.put(area::records, "later", "1");
    if (!w.get(area::records, "good")) after = "a wrong answer";
    return {};
  });
  CHECK(failed_with(done, errc::invalid_argument));
  CHECK(after == "never reached");  // the transaction is lost from the first fault on
  CHECK(get(s, area::records, "good") == "(none)");
  CHECK(get(s, area::records, "later") == "(none)");
}

TEMPLATE_TEST_CASE("reads and writes do not nest", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  const auto nothing = [](auto&) -> result<> { return {}; };
  const auto nested = errc::invalid_argument;
  CHECK(s.write([&](auto&) -> result<> {
    CHECK(failed_with(s.write(nothing), nested));
    CHECK(failed_with(s.read(nothing), nested));
    CHECK(failed_with(s.sync(), nested));
    return {};
  }));
  CHECK(s.read([&](auto&) -> result<> {
    CHECK(failed_with(s.write(nothing), nested));
    CHECK(failed_with(s.read(nothing), nested));
    CHECK(failed_with(s.sync(), nested));
    return {};
  }));
  CHECK(s.write(nothing));
  CHECK(s.read(nothing));
}

TEMPLATE_TEST_CASE("everything is there after closing and opening again", "", in_memory, on_disk) {
  TestType place;
  {
    auto& s = place.open();
    REQUIRE(put(s, area::records, "key", "value"));
    REQUIRE(s.write([](auto& w) -> result<> {
      for (std::uint64_t n = 1; n <= 1000; ++n) w.put(area::log, position(n), "changeset");
      return {};
    }));
  }
  place.reopen();
  auto& s = place.open();
  CHECK(get(s, area::records, "key") == "value");
  std::uint64_t next = 1;
  REQUIRE(s.read([&](auto& v) -> result<> {
    v.scan(area::log, "", [&](bytes_view key, bytes_view) { return key == position(next++); });
    return {};
  }));
  CHECK(next == 1001);
}

TEMPLATE_TEST_CASE("a large write fits however small the storage was, and is still all or nothing",
                   "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  const auto value = std::string(100'000, 'v');
  const auto fill = [&](bool fail) {
    return s.write([&](auto& w) -> result<> {
      for (int i = 0; i < 300; ++i) w.put(area::records, "key " + std::to_string(i), value);
      for (std::uint64_t n = 1; n <= 3000; ++n) w.put(area::log, position(n), value.substr(0, 500));
      if (fail) return joinery::error{errc::overflow, "no", "", ""};
      return {};
    });
  };
  CHECK(failed_with(fill(true), errc::overflow));
  CHECK(list(s, area::log).empty());
  REQUIRE(fill(false));
  CHECK(get(s, area::records, "key 299") == value);
  CHECK(get(s, area::log, position(3000)).size() == 500);
  place.reopen();
  CHECK(get(place.open(), area::records, "key 0") == value);
}

TEMPLATE_TEST_CASE("a pinned image stays as it was, whatever is committed later", "", in_memory,
                   on_disk) {
  TestType place;
  auto& s = place.open();
  // Room for what follows: growing would end the image.
  REQUIRE(put(s, area::meta, "room", std::string(300'000, 'x')));
  const auto all = [](auto& from) {
    std::string out;
    const auto done = from.read([&](auto& view) -> result<> {
      view.scan(area::records, "", [&](bytes_view k, bytes_view v) {
        out += std::string{k} + "=" + std::string{v} + " ";
        return true;
      });
      const auto last = view.last(area::records);
      out += last ? "last " + std::string{last->first} : "empty";
      for (const char* key : {"a", "c", "x", "z"}) out += view.get(area::records, key) ? "+" : "-";
      // Backwards it is the same, and ends when told.
      std::string back;
      view.scan_back(area::records, "~", [&](bytes_view k, bytes_view v) {
        back.insert(0, std::string{k} + "=" + std::string{v} + " ");
        return true;
      });
      CHECK(out.starts_with(back));
      std::string newest;
      view.scan_back(area::records, "~", [&](bytes_view k, bytes_view) {
        newest += k;
        return false;
      });
      CHECK(newest == (last ? std::string{last->first} : ""));
      return {};
    });
    if (!done) return std::string{name_of(done.error().code)};
    return out;
  };
  const auto change = [&](auto body) {
    return s.write([&](auto& w) -> result<> {
      body(w);
      return {};
    });
  };
  auto empty = s.pin().value();
  REQUIRE(change([](auto& w) {
    for (const char* key : {"a", "b", "c", "e"}) w.put(area::records, key, "1");
  }));
  auto first = s.pin().value();
  REQUIRE(change([](auto& w) {
    w.put(area::records, "c", "2");
    w.put(area::records, "c", "3");
    w.put(area::records, "x", "3");
    w.erase(area::records, "a");
    w.erase(area::records, "e");
  }));
  auto second = s.pin().value();
  REQUIRE(change([](auto& w) {
    w.erase(area::records, "x");
    w.erase(area::records, "c");
    w.put(area::records, "a", "4");
    w.put(area::records, "z", "4");
  }));
  CHECK(all(empty) == "empty----");
  CHECK(all(first) == "a=1 b=1 c=1 e=1 last e++--");
  CHECK(all(second) == "b=1 c=3 x=3 last x-++-");
  CHECK(all(s) == "a=4 b=1 z=4 last z+--+");
  // A write that comes to nothing changes no image.
  CHECK_FALSE(s.write([](auto& w) -> result<> {
    w.put(area::records, "a", "lost");
    return joinery::error{errc::io, "no", "", ""};
  }));
  CHECK(all(first) == "a=1 b=1 c=1 e=1 last e++--");
  // Reads of images do not nest in writes either.
  std::string inside;
  REQUIRE(change([&](auto&) { inside = all(first); }));
  CHECK(inside == "invalid_argument");
}

TEST_CASE("growing the map ends pinned images, and does not wait for them") {
  on_disk place;
  auto& s = place.open();
  REQUIRE(put(s, area::records, "key", "value"));
  auto image = s.pin().value();
  const auto read = [&] {
    return image.read([](auto& view) -> result<> {
      return view.get(area::records, "key") == "value"
                 ? result<>{}
                 : joinery::error{errc::not_found, "other", "", ""};
    });
  };
  REQUIRE(read());
  CHECK(s.status().value().readers >= 1);
  for (int n = 0; n < 40; ++n)
    REQUIRE(put(s, area::meta, "k" + std::to_string(n), std::string(20'000, 'x')));
  CHECK(failed_with(read(), errc::reader_expired));
  image = s.pin().value();
  CHECK(read());
  // One that outlives its store lets go of nothing that is gone.
  place.reopen();
}

TEMPLATE_TEST_CASE("a moved storage works and its old name is closed", "", in_memory, on_disk) {
  TestType place;
  auto& s = place.open();
  REQUIRE(put(s, area::records, "key", "value"));
  auto moved = std::move(s);
  CHECK(get(moved, area::records, "key") == "value");
  CHECK(failed_with(put(s, area::records, "key", "other"), errc::closed));
  CHECK(failed_with(s.sync(), errc::closed));
  CHECK(failed_with(s.pin(), errc::closed));
  CHECK(s.mode() == durability::commit);
  CHECK_FALSE(s.poisoned());
  CHECK(s.place().empty());
  s = std::move(moved);
  CHECK(get(s, area::records, "key") == "value");
}
