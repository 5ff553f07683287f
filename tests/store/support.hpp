// What the tests of the stores share.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "joinery/base/cursor.hpp"
#include "joinery/store/lmdb.hpp"

namespace store_tests {

using joinery::bytes;
using joinery::bytes_view;
using joinery::errc;
using joinery::result;
using joinery::history::area;
using joinery::history::durability;
using joinery::store::lmdb;

/// A new directory that is removed at the end.
class temporary_directory {
 public:
  explicit temporary_directory(
      const std::filesystem::path& in = std::filesystem::temp_directory_path()) {
    auto name = (in / "joinery-store-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  [[nodiscard]] std::string path(const std::string& below = "store") const {
    return path_ + "/" + below;
  }

 private:
  std::string path_;
};

/// Runs `body`, which gives an exit code, in a child process; what it ended with, or minus the
/// signal.
template <class Body>
int in_child(Body body) {
  const auto child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = body();
    } catch (...) {}
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

inline lmdb::options at(const std::string& path) {
  lmdb::options out;
  out.path = path;
  return out;
}
inline lmdb::options reading(const std::string& path) {
  auto out = at(path);
  out.read_only = true;
  return out;
}

inline bytes position(std::uint64_t n) {
  bytes out;
  joinery::byte_writer(out).fixed64(n);
  return out;
}

/// Puts one entry in a write of its own.
template <class Storage>
result<> put(Storage& s, area a, bytes_view key, bytes_view value) {
  return s.write([&](auto& w) -> result<> {
    w.put(a, key, value);
    return {};
  });
}

/// The value under `key`, or "(none)", or the error.
template <class Storage>
std::string get(Storage& s, area a, bytes_view key) {
  std::string out;
  const auto done = s.read([&](auto& v) -> result<> {
    out = std::string(v.get(a, key).value_or("(none)"));
    return {};
  });
  return done ? out : done.error().text();
}

/// "key=value" of all entries from `from` on, separated by spaces.
template <class View>
std::string list_in(View& v, area a, bytes_view from = {}) {
  std::string out;
  v.scan(a, from, [&](bytes_view key, bytes_view value) {
    if (!out.empty()) out += ' ';
    out += a == area::log ? std::to_string(joinery::byte_reader(key).fixed64()) : std::string(key);
    out += '=';
    out += value;
    return true;
  });
  return out;
}
template <class Storage>
std::string list(Storage& s, area a, bytes_view from = {}) {
  std::string out;
  const auto done = s.read([&](auto& v) -> result<> {
    out = list_in(v, a, from);
    return {};
  });
  return done ? out : done.error().text();
}

template <class Result>
std::string text(const Result& r) {
  return r.has_value() ? "ok" : r.error().text();
}
template <class Result>
bool failed_with(const Result& r, errc code) {
  return !r.has_value() && r.error().code == code;
}

}  // namespace store_tests
