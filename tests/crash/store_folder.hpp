// store_folder: a directory whose store can be replaced by any image of it.
//
// Purpose: what was on a device after a crash is laid out again, in the same file: a replica tells
// by the file's number whether it was copied, and here it was not.
// Invariants: `data.mdb` is one file for all images.
// Thread-safety: none.
#pragma once

#include <fcntl.h>

#include <fstream>

#include "tests/crash/recording.hpp"
#include "tests/store/support.hpp"

namespace crash_tests {

class store_folder {
 public:
  /// In memory where there is such a place: these tests look at what is synced, not how fast.
  store_folder() {
    const char* const base = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    auto name = std::filesystem::canonical(base).string() + "/joinery-crash-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    home_ = name;
    std::filesystem::create_directory(path());
  }
  ~store_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(home_, ignored);
  }
  store_folder(const store_folder&) = delete;
  store_folder& operator=(const store_folder&) = delete;

  [[nodiscard]] std::string path() const { return home_ + "/store"; }

  /// What is there now.
  [[nodiscard]] file_image content() const {
    file_image out;
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      const auto name = entry.path().filename().string();
      if (is_memory(name)) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      out[name].assign(std::istreambuf_iterator<char>(in), {});
    }
    return out;
  }

  /// Lays out `image`, and of what nobody may trust after a crash something else each time.
  void lay_out(const file_image& image, prng& dice) {
    const unwatched quiet;
    keep_data_file();
    for (const auto& entry : std::filesystem::directory_iterator(path()))
      std::filesystem::remove(entry.path());
    for (const auto& [name, content] : image) {
      if (name == "data.mdb" && std::filesystem::exists(kept()))
        std::filesystem::create_hard_link(kept(), path() + "/data.mdb");
      put(name, content);
    }
    if (dice.chance(50)) {
      bytes garbage(16'384, '\0');
      if (dice.chance(50))
        for (auto& c : garbage) c = static_cast<char>(dice.next());
      put("lock.mdb", garbage);
    }
    if (dice.chance(20)) put("joinery." + std::to_string(::getpid()) + ".open", {});
    if (dice.chance(20)) put("joinery." + std::to_string(dice.below(30'000)) + ".open", {});
  }
  /// Overwrites one file where it lies, open as it may be.
  void put(const std::string& name, const bytes& content) const {
    const unwatched quiet;
    const int fd = ::open((path() + "/" + name).c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    const auto size = static_cast<ssize_t>(content.size());
    if (fd < 0 || ::write(fd, content.data(), content.size()) != size) std::abort();
    ::close(fd);
  }

 private:
  [[nodiscard]] std::string kept() const { return home_ + "/data.mdb"; }
  void keep_data_file() const {
    if (!std::filesystem::exists(kept()) && std::filesystem::exists(path() + "/data.mdb"))
      std::filesystem::create_hard_link(path() + "/data.mdb", kept());
  }

  std::string home_;
};

}  // namespace crash_tests
