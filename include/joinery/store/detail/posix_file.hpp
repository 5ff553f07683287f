// Files of the operating system: descriptors that close themselves, and its errors as ours.
//
// Purpose: the few calls around LMDB that this room makes itself, with EINTR and close-on-exec
// taken care of.
// Invariants: a `file` owns at most one descriptor.
// Thread-safety: values.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "joinery/base/bytes.hpp"
#include "joinery/base/result.hpp"

namespace joinery::store::detail {

/// The operating system's `number` as an error; `call` says what was asked.
inline error system_error(int number, const std::string& call, std::string where) {
  auto code = errc::io;
  std::string advice;
  if (number == ENOENT) {
    code = errc::not_found;
  } else if (number == ENOSPC || number == EDQUOT || number == EFBIG) {
    code = errc::full;
    advice = "make room on the device, and write again";
  } else if (number == EACCES || number == EPERM) {
    advice = "check who owns the directory and its files";
  } else if (number == EROFS) {
    advice = "the file system is mounted read-only: open the store with read_only";
  } else if (number == EMFILE || number == ENFILE) {
    advice = "too many open files: close some, or raise the limit";
  }
  return {code, call + ": " + std::generic_category().message(number), std::move(where), advice};
}

/// Repeats `call` while a signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
  auto out = call();
  while (out == -1 && errno == EINTR) out = call();
  return out;
}

class file {
 public:
  file() = default;
  explicit file(int fd) noexcept : fd_(fd) {}
  file(file&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  file& operator=(file&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~file() { close(); }

  /// Opened close-on-exec; what it creates is for its owner alone.
  static result<file> open(const std::string& path, int flags) {
    const int fd = uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0600); });
    if (fd == -1) return system_error(errno, "open", path);
    return file(fd);
  }

  explicit operator bool() const noexcept { return fd_ != -1; }
  [[nodiscard]] int fd() const noexcept { return fd_; }

  void close() noexcept {
    if (fd_ != -1) ::close(fd_);
    fd_ = -1;
  }

  /// Up to `size` bytes from `offset`; fewer at the end of the file.
  [[nodiscard]] result<bytes> read_at(std::uint64_t offset, std::size_t size) const {
    bytes out(size, '\0');
    std::size_t done = 0;
    while (done < size) {
      const auto n = uninterrupted([&] {
        return ::pread(fd_, out.data() + done, size - done, static_cast<off_t>(offset + done));
      });
      if (n == -1) return system_error(errno, "read", "byte " + std::to_string(offset + done));
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    out.resize(done);
    return out;
  }

  [[nodiscard]] std::uint64_t size() const noexcept {
    struct stat info {};
    return ::fstat(fd_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
  }

  /// Takes the whole file's lock if nobody has it. Of this open file alone: no other open of the
  /// same file, in this process or another, may hold it.
  [[nodiscard]] bool try_lock() const noexcept {
    return uninterrupted([&] { return ::flock(fd_, LOCK_EX | LOCK_NB); }) == 0;
  }

 private:
  int fd_ = -1;
};

/// Flushes what was written to `fd` to the medium itself. fsync of Apple's systems stops at the
/// drive's cache.
inline int flush_to_device(int fd) noexcept {
#ifdef F_FULLFSYNC
  if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;
#endif
  return uninterrupted([&] { return ::fsync(fd); });
}

/// Makes the names in directory `path` durable. Best effort: some file systems cannot.
inline void flush_directory(const std::string& path) noexcept {
  const file directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) static_cast<void>(flush_to_device(directory.fd()));
}

/// Creates `path` and what is missing above it, for the owner alone.
inline result<> make_directories(const std::string& path) {
  for (std::size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const auto part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0700) == 0) {
      const auto parent = part.find_last_of('/');
      flush_directory(parent == std::string::npos ? "." : part.substr(0, parent + 1));
      continue;
    }
    const int number = errno;
    struct stat info {};
    if (::stat(part.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
    return system_error(number == EEXIST ? ENOTDIR : number, "make directory", part);
  }
  return {};
}

}  // namespace joinery::store::detail
