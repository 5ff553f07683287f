#include "sport_tracker/import/workout_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "sport_tracker/import/workout_parser.hpp"

namespace sport_tracker {
namespace {

namespace fs = std::filesystem;
using joinery::errc;

constexpr std::size_t piece_bytes = 64 * 1024;

struct file_closer {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using file_handle = std::unique_ptr<std::FILE, file_closer>;

joinery::error os_error(std::string what, int number, const fs::path& path) {
  return {errc::io, what + ": " + std::generic_category().message(number), path.string(),
          "check the file and its permissions"};
}

/// The size of a regular file. A directory, FIFO or device is refused unopened: opening could
/// block.
joinery::result<std::uint64_t> size_of(const fs::path& path) {
  std::error_code fault;
  const auto status = fs::status(path, fault);
  if (status.type() == fs::file_type::not_found) {
    return joinery::error{errc::not_found, "there is no such file", path.string(),
                          "check the path"};
  }
  if (fault) return os_error("the file cannot be looked at", fault.value(), path);
  if (status.type() != fs::file_type::regular) {
    return joinery::error{errc::invalid_argument,
                          fs::is_directory(status) ? "this is a directory, not a workout file"
                                                   : "this is a device or pipe, not a file",
                          path.string(), "name a TCX or GPX file"};
  }
  const std::uint64_t size = fs::file_size(path, fault);
  if (fault) return os_error("the file's size cannot be read", fault.value(), path);
  return size;
}

}  // namespace

joinery::result<workout_summary> read_workout_file(const fs::path& path,
                                                   const progress_callback& progress,
                                                   const import_limits& limits) {
  const auto size = size_of(path);
  if (!size) return size.error();
  if (*size > limits.max_file_bytes) {
    return joinery::error{errc::too_large,
                          "the file has " + std::to_string(*size) + " bytes; at most " +
                              std::to_string(limits.max_file_bytes) + " are read",
                          path.string(), "split it: one file is one workout"};
  }
  errno = 0;
  const file_handle file{std::fopen(path.string().c_str(), "rb")};
  if (!file) return os_error("the file cannot be opened", errno, path);

  workout_parser parser(path.string(), limits);
  std::vector<char> piece(piece_bytes);
  std::uint64_t done = 0;
  while (const auto got = std::fread(piece.data(), 1, piece.size(), file.get())) {
    if (auto fed = parser.feed({piece.data(), got}); !fed) return fed.error();
    done += got;
    if (progress) progress(done, std::max(done, *size));
  }
  if (std::ferror(file.get()) != 0) return os_error("the file cannot be read", errno, path);
  auto workout = parser.finish();
  // A file that shrank while it was read ends here all the same.
  if (workout && progress && done != *size) progress(done, done);
  return workout;
}

}  // namespace sport_tracker
