#include "sport_tracker/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "sport_tracker/text.hpp"

namespace sport_tracker {
namespace {

constexpr std::size_t bar_columns = 30;

}  // namespace

progress_bar::progress_bar(std::size_t files)
    : files_(files),
      terminal_(::isatty(STDERR_FILENO) == 1),
      next_(clock::now() + std::chrono::milliseconds(300)) {}

void progress_bar::show(std::size_t index, const std::string& name, std::uint64_t done,
                        std::uint64_t total) {
  if (!terminal_ || clock::now() < next_) return;
  next_ = clock::now() + std::chrono::milliseconds(100);
  const double part = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  const double all = (static_cast<double>(index) + part) / static_cast<double>(files_);
  const auto full = std::min(bar_columns, static_cast<std::size_t>(all * bar_columns));
  std::cerr << "\r\033[K[" << std::string(full, '#') << std::string(bar_columns - full, ' ') << "] "
            << index + 1 << "/" << files_ << " " << printable(name, 40) << std::flush;
  drawn_ = true;
}

void progress_bar::clear() {
  if (drawn_) std::cerr << "\r\033[K" << std::flush;
  drawn_ = false;
}

}  // namespace sport_tracker
