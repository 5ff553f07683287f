// Who has a store open: a lock for its one writer, and a mark for each process.
//
// Purpose: LMDB 0.9 refuses neither a second writing process (it would wait for it at each write)
// nor a second open in one process (whose closing drops the first one's file locks, after which
// data is overwritten under readers). Two files of ours do: `joinery.lock`, locked by the writer
// and naming it, and `joinery.<pid>.open`, locked by every process that has the store open. flock
// belongs to one open of a file, so that this process' other opens are found like those of others;
// and two containers that share the directory and both call themselves process 1 are found too
// (they would free each other's reader slots).
// Invariants: `joinery.lock` is never removed; once written it has one size and is overwritten in
// place, so that a full device does not hinder it. It says "closed" exactly when its last writer
// closed cleanly, after a power failure as well.
// Thread-safety: taking and releasing may race with any process and thread; the objects are values.
#pragma once

#include <dirent.h>

#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "joinery/store/detail/posix_file.hpp"

namespace joinery::store::detail {

/// The mark that this process has the store in a directory open.
class process_mark {
 public:
  static result<process_mark> take(const std::string& directory) {
    remove_stale(directory);
    process_mark out;
    out.path_ = directory + "/joinery." + std::to_string(out.pid_) + ".open";
    // Someone's removal of stale marks may hold a lock for a moment: that is not yet a refusal.
    for (int attempt = 0; attempt < 20; ++attempt) {
      auto opened = file::open(out.path_, O_RDWR | O_CREAT);
      if (!opened) return opened.error();
      if (opened->try_lock()) {
        struct stat mine {
        }, named{};
        const bool same = ::fstat(opened->fd(), &mine) == 0 &&
                          ::stat(out.path_.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
                          mine.st_dev == named.st_dev;
        if (!same) continue;  // removed between open and lock: that mark is nobody's
        out.file_ = std::move(*opened);
        return out;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return error{errc::locked, "the store is already open in this process", directory,
                 "share the one that is open, or close it first; in a container that shares this "
                 "directory with another, give the store to one of them"};
  }

  process_mark(process_mark&&) noexcept = default;
  process_mark& operator=(process_mark&&) = delete;
  ~process_mark() {
    if (file_ && ::getpid() == pid_) ::unlink(path_.c_str());  // while it is locked
  }

 private:
  process_mark() = default;

  /// Marks whose process ended without closing the store are not locked any more.
  static void remove_stale(const std::string& directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(directory.c_str()), &::closedir);
    if (!listing) return;
    while (const auto* entry = ::readdir(listing.get())) {
      const std::string_view name = entry->d_name;
      if (!name.starts_with("joinery.") || !name.ends_with(".open")) continue;
      const auto path = directory + "/" + entry->d_name;
      auto stale = file::open(path, O_RDWR);
      if (stale && stale->try_lock()) ::unlink(path.c_str());
    }
  }

  pid_t pid_ = ::getpid();
  std::string path_;
  file file_;
};

/// The lock of the one process that may write.
class writer_lock {
 public:
  static result<writer_lock> take(const std::string& directory) {
    const auto path = directory + "/joinery.lock";
    auto opened = file::open(path, O_RDWR | O_CREAT);
    if (!opened) return opened.error();
    const bool mine = opened->try_lock();
    const auto content = opened->read_at(0, record_bytes);
    if (!content) return content.error();
    const auto state = content->substr(0, content->find_last_not_of(" \n") + 1);
    if (!mine) {
      const bool named = state.starts_with("process ");
      return error{errc::locked,
                   "the store is open for writing in " + (named ? state : "another process"),
                   directory, "close it there, or open it here with read_only"};
    }
    writer_lock out;
    out.clean_before_ = state.empty() || state == closed;
    out.file_ = std::move(*opened);
    if (const int number = out.say("process " + std::to_string(out.pid_))) {
      return system_error(number, "write the lock file", path);
    }
    // Or a power failure could bring back that the last writer closed the store.
    if (flush_to_device(out.file_.fd()) != 0) {
      return system_error(errno, "flush the lock file", path);
    }
    if (content->empty()) flush_directory(directory);
    return out;
  }

  writer_lock(writer_lock&&) noexcept = default;
  writer_lock& operator=(writer_lock&&) = delete;
  ~writer_lock() {
    if (!file_ || ::getpid() != pid_) return;
    if (clean_after_) say(closed);
    ::flock(file_.fd(), LOCK_UN);  // a child of fork may have it open still
  }

  /// Whether the last writer closed the store; false after a crash, or when it saw damage.
  [[nodiscard]] bool clean_before() const noexcept { return clean_before_; }
  /// Whether the next one may take the content as it is.
  void leave_clean(bool clean) noexcept { clean_after_ = clean; }

 private:
  static constexpr std::size_t record_bytes = 32;
  static constexpr const char* closed = "closed";

  writer_lock() = default;

  /// Overwrites what the file says; gives the system's error number, or 0.
  int say(std::string state) const {
    state.resize(record_bytes - 1, ' ');
    state += '\n';
    const auto n =
        uninterrupted([&] { return ::pwrite(file_.fd(), state.data(), state.size(), 0); });
    return n == static_cast<ssize_t>(state.size()) ? 0 : n == -1 ? errno : ENOSPC;
  }

  pid_t pid_ = ::getpid();
  file file_;
  bool clean_before_ = false;
  bool clean_after_ = false;
};

}  // namespace joinery::store::detail
