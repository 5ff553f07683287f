// progress: a bar on the terminal while files are read.
//
// Purpose: long imports show how far they are; scripts and logs see nothing of it.
// Invariants: draws on standard error, only when that is a terminal, and clears its line before
// anything else is written.
// Thread-safety: none.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace sport_tracker {

class progress_bar {
 public:
  explicit progress_bar(std::size_t files);
  ~progress_bar() { clear(); }
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;

  /// File number `index` (from 0) has been read so far.
  void show(std::size_t index, const std::string& name, std::uint64_t done, std::uint64_t total);
  void clear();

 private:
  using clock = std::chrono::steady_clock;

  std::size_t files_;
  bool terminal_;
  bool drawn_ = false;
  clock::time_point next_;  // short imports draw nothing, long ones ten times a second
};

}  // namespace sport_tracker
