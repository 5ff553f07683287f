// The system's calls, as this program makes them: see system_calls.hpp.
#include "tests/crash/system_calls.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace crash_tests {

namespace {

watcher* watching = nullptr;
int watched_socket = -1;

std::string& watched_directory() {
  static std::string path;
  return path;
}

/// The name of an open file beneath the watched directory.
bool names(int fd, std::string& out) {
  std::array<char, 4096> path{};
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const auto size = ::readlink(link.c_str(), path.data(), path.size());
  if (size <= 0) return false;
  const joinery::bytes_view whole{path.data(), static_cast<std::size_t>(size)};
  const auto& home = watched_directory();
  if (!whole.starts_with(home)) return false;
  if (whole.size() > home.size() && whole[home.size()] != '/') return false;
  out = whole.substr(std::min(home.size() + 1, whole.size()));
  return true;
}

[[noreturn]] void die() {
  ::syscall(SYS_kill, ::syscall(SYS_getpid), SIGKILL);
  for (;;) ::pause();
}

/// Asks about `call` and makes it: `forward(bytes)` is the kernel's own.
template <class Forward>
ssize_t decide(const system_call& call, Forward forward) {
  auto* const asked = std::exchange(watching, nullptr);  // what it calls is not shown
  const auto said = asked->judge(call);
  const auto part = std::min(said.part, call.data.size());
  ssize_t out = -1;
  int number = said.error;
  const bool writes = call.kind == call_kind::write || call.kind == call_kind::send;
  if (number == 0 && (!said.dies || (writes && part > 0))) {
    out = forward(part);
    number = errno;
  }
  if (said.dies) die();
  if (out >= 0 && part == call.data.size()) asked->done(call);
  watching = asked;
  if (out < 0) errno = number;
  return out;
}

bool is_synced(int fd) {
  const auto flags = ::fcntl(fd, F_GETFL);
  return flags != -1 && (flags & O_DSYNC) != 0;
}

template <class Forward>
ssize_t on_file(call_kind kind, const char* name, int fd, std::uint64_t place,
                joinery::bytes_view data, Forward forward) {
  system_call call{kind, name, {}, place, data, false};
  if (watching == nullptr || fd < 0) return forward(data.size());
  if (fd == watched_socket)
    call.kind = call_kind::send;
  else if (!names(fd, call.file))
    return forward(data.size());
  call.synced = is_synced(fd);
  return decide(call, forward);
}

std::uint64_t position_of(int fd) {
  const auto at = ::lseek(fd, 0, SEEK_CUR);
  return at < 0 ? 0 : static_cast<std::uint64_t>(at);
}

joinery::bytes_view view(const void* data, std::size_t size) {
  return {static_cast<const char*>(data), size};
}

ssize_t plain_write(const char* name, int fd, const void* data, std::size_t size) {
  const auto at = watching != nullptr ? position_of(fd) : 0;
  return on_file(call_kind::write, name, fd, at, view(data, size),
                 [&](std::size_t part) { return ::syscall(SYS_write, fd, data, part); });
}
ssize_t placed_write(int fd, const void* data, std::size_t size, off_t at) {
  return on_file(call_kind::write, "pwrite", fd, static_cast<std::uint64_t>(at), view(data, size),
                 [&](std::size_t part) { return ::syscall(SYS_pwrite64, fd, data, part, at); });
}

joinery::bytes gathered(const struct iovec* parts, int count) {
  joinery::bytes out;
  for (int n = 0; n < count; ++n) out += view(parts[n].iov_base, parts[n].iov_len);
  return out;
}

int sync_file(const char* name, int number, int fd) {
  return static_cast<int>(on_file(call_kind::sync, name, fd, 0, {},
                                  [&](std::size_t) { return ::syscall(number, fd); }));
}

int cut_file(int fd, off_t size) {
  return static_cast<int>(on_file(call_kind::truncate, "ftruncate", fd,
                                  static_cast<std::uint64_t>(size), {},
                                  [&](std::size_t) { return ::syscall(SYS_ftruncate, fd, size); }));
}

template <class Forward>
int on_path(call_kind kind, const char* name, const char* path, std::uint64_t place,
            Forward forward) {
  const joinery::bytes_view whole{path};
  const auto& home = watched_directory();
  if (watching == nullptr || whole.size() <= home.size() || !whole.starts_with(home) ||
      whole[home.size()] != '/')
    return static_cast<int>(forward(0));
  const system_call call{kind, name, std::string{whole.substr(home.size() + 1)}, place, {}, false};
  return static_cast<int>(decide(call, forward));
}

}  // namespace

void watch(watcher* w, std::string directory, int socket) {
  watching = w;
  watched_directory() = std::move(directory);
  watched_socket = socket;
}

unwatched::unwatched() : before_(std::exchange(watching, nullptr)) {}
unwatched::~unwatched() { watching = before_; }

}  // namespace crash_tests

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  return crash_tests::plain_write("write", fd, data, size);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  return crash_tests::placed_write(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t at) {
  return crash_tests::placed_write(fd, data, size, at);
}
ssize_t writev(int fd, const struct iovec* parts, int count) {
  if (crash_tests::watching == nullptr) return ::syscall(SYS_writev, fd, parts, count);
  const auto all = crash_tests::gathered(parts, count);
  return crash_tests::plain_write("writev", fd, all.data(), all.size());
}
ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t at) {
  const auto all = crash_tests::gathered(parts, count);
  return crash_tests::placed_write(fd, all.data(), all.size(), at);
}
ssize_t send(int fd, const void* data, size_t size, int flags) {
  return crash_tests::on_file(crash_tests::call_kind::send, "send", fd, 0,
                              crash_tests::view(data, size), [&](std::size_t part) {
                                return ::syscall(SYS_sendto, fd, data, part, flags, nullptr,
                                                 socklen_t{0});
                              });
}
int fsync(int fd) { return crash_tests::sync_file("fsync", SYS_fsync, fd); }
int fdatasync(int fd) { return crash_tests::sync_file("fdatasync", SYS_fdatasync, fd); }
int ftruncate(int fd, off_t size) noexcept { return crash_tests::cut_file(fd, size); }
int ftruncate64(int fd, off_t size) noexcept { return crash_tests::cut_file(fd, size); }
int truncate(const char* path, off_t size) noexcept {
  return crash_tests::on_path(crash_tests::call_kind::truncate, "truncate", path,
                              static_cast<std::uint64_t>(size),
                              [&](std::size_t) { return ::syscall(SYS_truncate, path, size); });
}
int unlink(const char* path) noexcept {
  return crash_tests::on_path(crash_tests::call_kind::unlink, "unlink", path, 0,
                              [&](std::size_t) { return ::syscall(SYS_unlink, path); });
}
int posix_fadvise(int fd, off_t from, off_t size, int advice) noexcept {
  const auto forward = [&](std::size_t) {
    return ::syscall(SYS_fadvise64, fd, from, size, advice);
  };
  if (advice != POSIX_FADV_DONTNEED) return static_cast<int>(forward(0));
  return static_cast<int>(crash_tests::on_file(crash_tests::call_kind::forget_cached,
                                               "posix_fadvise", fd, 0, {}, forward));
}

}  // extern "C"
