// What an LMDB store does when the device, the address space or a slow reader stands in its way.
//
// The system's calls that LMDB writes with are replaced in this program, so that they can fail when
// told to.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/store/support.hpp"
#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>

namespace {

struct failing_calls {
  std::atomic<int> sync{0};       // the error number that fsync and fdatasync give
  std::atomic<int> write{0};      // the same for writing data pages
  std::atomic<int> meta_page{0};  // and for writing a meta page
  std::atomic<bool> short_write{false};
};
failing_calls failing;

/// Meta pages are written with one small write; data pages are multiples of 512.
int error_for(std::size_t size) { return size % 512 != 0 ? failing.meta_page : failing.write; }

int give(int number) {
  errno = number;
  return -1;
}

}  // namespace

extern "C" {
int fsync(int fd) {
  return failing.sync ? give(failing.sync) : static_cast<int>(::syscall(SYS_fsync, fd));
}
int fdatasync(int fd) {
  return failing.sync ? give(failing.sync) : static_cast<int>(::syscall(SYS_fdatasync, fd));
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  if (const int number = error_for(size)) return give(number);
  if (failing.short_write && size % 512 == 0) size /= 2;
  return ::syscall(SYS_pwrite64, fd, data, size, offset);
}
ssize_t writev(int fd, const struct iovec* parts, int count) {
  if (failing.write) return give(failing.write);
  if (failing.short_write) count = 1;
  return ::syscall(SYS_writev, fd, parts, count);
}
}

using namespace store_tests;

namespace {

/// A store with one entry, "k" = "old".
struct filled {
  temporary_directory directory;
  lmdb::options options = at(directory.path());
  std::optional<lmdb> store;

  explicit filled(durability mode = durability::commit, std::size_t initial_map_bytes = 1 << 20) {
    options.mode = mode;
    options.initial_map_bytes = initial_map_bytes;
    reopen();
    REQUIRE(put(*store, area::records, "k", "old"));
    REQUIRE(store->sync());
  }
  ~filled() { mend(); }
  void reopen() {
    store.reset();
    store.emplace(lmdb::open(options).value());
  }
  static void mend() {
    failing.sync = failing.write = failing.meta_page = 0;
    failing.short_write = false;
  }
  /// Every call is refused, the status tells why, and opening again helps.
  void is_poisoned_until_reopened(const char* content = "old") {
    mend();
    CHECK(failed_with(put(*store, area::records, "k", "newer"), errc::poisoned));
    CHECK(
        get(*store, area::records, "k").starts_with("poisoned: an earlier commit or sync failed"));
    CHECK(failed_with(store->sync(), errc::poisoned));
    CHECK(failed_with(store->copy_to(directory.path("copy")), errc::poisoned));
    CHECK(store->status().value().poisoned);
    CHECK(failed_with(store->close(), errc::poisoned));
    reopen();
    CHECK(get(*store, area::records, "k") == content);
    REQUIRE(put(*store, area::records, "k", "newest"));
    CHECK(get(*store, area::records, "k") == "newest");
  }
};

}  // namespace

TEST_CASE("a failed fsync acknowledges nothing and poisons the store") {
  filled f;
  failing.sync = EIO;
  CHECK(failed_with(put(*f.store, area::records, "k", "new"), errc::io));
  f.is_poisoned_until_reopened();
}

TEST_CASE("a meta page that cannot be written poisons the store") {
  filled f;
  failing.meta_page = EIO;
  CHECK(failed_with(put(*f.store, area::records, "k", "new"), errc::io));
  f.is_poisoned_until_reopened();
}

TEST_CASE("a meta page that finds no room is a full device and still poisons the store") {
  filled f;
  failing.meta_page = ENOSPC;
  CHECK(failed_with(put(*f.store, area::records, "k", "new"), errc::full));
  f.is_poisoned_until_reopened();
}

TEST_CASE("a short write on a device with room poisons the store") {
  filled f;
  failing.short_write = true;
  CHECK(failed_with(put(*f.store, area::records, "k", "new"), errc::io));
  f.is_poisoned_until_reopened();
}

TEST_CASE("a write that finds the device full can be done again when there is room") {
  const auto mode = GENERATE(durability::commit, durability::interval);
  filled f(mode);
  REQUIRE(put(*f.store, area::records, "other", "not synced yet"));
  failing.write = GENERATE(ENOSPC, EDQUOT, EFBIG);
  for (int i = 0; i < 3; ++i) {
    CHECK(failed_with(put(*f.store, area::records, "k", "new"), errc::full));
    CHECK(get(*f.store, area::records, "k") == "old");
  }
  filled::mend();
  CHECK_FALSE(f.store->status().value().poisoned);
  REQUIRE(put(*f.store, area::records, "k", "new"));
  CHECK(get(*f.store, area::records, "k") == "new");
}

TEST_CASE("an fsync that finds the device full poisons the store: nobody knows what it dropped") {
  filled f(durability::interval);
  failing.sync = ENOSPC;
  CHECK(failed_with(put(*f.store, area::records, "k", "new"), errc::full));
  f.is_poisoned_until_reopened();
}

TEST_CASE("with durability::interval a sync that fails poisons the store") {
  filled f(durability::interval);
  REQUIRE(put(*f.store, area::records, "k", "new"));
  failing.sync = EIO;
  CHECK(failed_with(f.store->sync(), errc::io));
  f.is_poisoned_until_reopened("new");  // only a power failure could have taken it back
}

TEST_CASE("with durability::interval closing syncs, and tells when it cannot") {
  filled f(durability::interval);
  REQUIRE(put(*f.store, area::records, "k", "new"));
  failing.sync = EIO;
  CHECK(failed_with(f.store->close(), errc::io));
  filled::mend();
  f.reopen();
  REQUIRE(f.store->close());
}

TEST_CASE("a device that is really full: the store reads on, opens again, and recovers") {
  temporary_directory d;
  const auto mount_point = d.path("device");
  std::filesystem::create_directory(mount_point);
  constexpr int skipped = 77;
  const int code = in_child([&] {
    const int spaces = ::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
    if (::unshare(spaces) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", mount_point.c_str(), "tmpfs", 0, "size=1m") != 0) {
      return skipped;
    }
    auto options = at(mount_point + "/store");
    options.mode = durability::interval;
    auto s = lmdb::open(options).value();
    int written = 0;
    const auto fill = [&](int value_bytes) {
      for (; written < 1000; ++written) {
        const auto value = std::string(static_cast<std::size_t>(value_bytes), 'v');
        const auto done = put(s, area::records, "key " + std::to_string(written), value);
        if (!done) return done.error().code == errc::full;
      }
      return false;
    };
    if (!fill(100'000) || !fill(2'000)) return 1;
    if (written < 5) return 2;
    if (get(s, area::records, "key 3").size() != 100'000) return 3;
    if (s.status().value().poisoned) return 4;
    s = lmdb::open(at(d.path("elsewhere"))).value();
    s = lmdb::open(options).value();  // a program that starts while the device is full
    if (get(s, area::records, "key 3").size() != 100'000) return 5;
    if (!failed_with(put(s, area::records, "new", std::string(900'000, 'v')), errc::full)) return 6;
    if (::mount("none", mount_point.c_str(), "tmpfs", MS_REMOUNT, "size=8m") != 0) return 7;
    if (!put(s, area::records, "new", std::string(900'000, 'v'))) return 8;
    return get(s, area::records, "key 3").size() == 100'000 ? 0 : 9;
  });
  if (code == skipped) WARN("not tested: this user may not mount a small file system");
  CHECK((code == 0 || code == skipped));
  CAPTURE(code);
}

TEST_CASE("a store at the limit of its map is full, and takes what fits again later") {
  filled f;
  f.options.most_map_bytes = 1'000'000;
  f.reopen();
  const auto large = put(*f.store, area::records, "large", std::string(2'000'000, 'v'));
  CHECK(failed_with(large, errc::full));
  CHECK(text(large).find("most_map_bytes") != std::string::npos);
  CHECK(get(*f.store, area::records, "k") == "old");
  for (int i = 0; i < 20; ++i) {  // each replaces the one before: pages are used again
    REQUIRE(put(*f.store, area::records, "fits", std::string(300'000, 'v')));
  }
}

TEST_CASE("the store does not grow under a running read, and does when it has ended") {
  filled f(durability::commit, 1);
  f.options.growth_patience_ms = 30;
  f.reopen();
  std::atomic<bool> inside{false}, leave{false};
  std::string seen;
  std::thread reader([&] {
    const auto done = f.store->read([&](auto& v) -> result<> {
      const auto value = *v.get(area::records, "k");
      inside = true;
      while (!leave) std::this_thread::yield();
      seen = bytes(value);  // the map is still where it was
      return {};
    });
    static_cast<void>(done);
  });
  while (!inside) std::this_thread::yield();
  const auto refused = put(*f.store, area::records, "large", std::string(1'000'000, 'v'));
  CHECK(failed_with(refused, errc::locked));
  REQUIRE(put(*f.store, area::records, "k", "small"));  // what fits is written all the same
  leave = true;
  reader.join();
  CHECK(seen == "old");
  REQUIRE(put(*f.store, area::records, "large", std::string(1'000'000, 'v')));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a process without addresses for a larger map has a full store, not a broken one") {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return;  // they reserve the addresses themselves
#endif
#endif
  temporary_directory d;
  CHECK(in_child([&] {
          auto options = at(d.path());
          options.initial_map_bytes = 1;
          auto s = lmdb::open(options).value();
          std::size_t pages = 0;
          std::ifstream("/proc/self/statm") >> pages;
          const auto most = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (24U << 20);
          const rlimit limit{most, most};
          if (::setrlimit(RLIMIT_AS, &limit) != 0) return 1;
          int written = 0;
          result<> done;
          for (; written < 100; ++written) {
            done = put(s, area::records, "key " + std::to_string(written),
                       std::string(1'000'000, 'v'));
            if (!done) break;
          }
          if (written == 0 || !failed_with(done, errc::full)) return 2;
          if (get(s, area::records, "key 0").size() != 1'000'000) return 3;
          return put(s, area::records, "k", "v") ? 0 : 4;
        }) == 0);
}
#endif
#endif  // __linux__
