// system_calls: the calls by which this process changes files and sends on sockets, seen and
// decided on by the tests.
//
// Purpose: LMDB and the store write with the system's calls; the program of these tests defines
// those itself (system_calls.cpp), so that they can be recorded, cut short, refused, or be the last
// that a process does.
// Invariants: only calls on files beneath the watched directory, and on the watched socket, are
// shown; all others go straight to the kernel.
// Thread-safety: none: the thread that watches makes the calls.
#pragma once

#include <cstdint>
#include <string>

#include "joinery/base/bytes.hpp"

namespace crash_tests {

enum class call_kind : std::uint8_t { write, sync, truncate, unlink, forget_cached, send };

struct system_call {
  call_kind kind{};
  const char* name = "";    ///< as the manual has it
  std::string file;         ///< relative to the watched directory; empty: the directory itself
  std::uint64_t place = 0;  ///< of a write: the offset; of truncate: the new size
  joinery::bytes_view data{};
  bool synced = false;  ///< the descriptor is O_DSYNC: durable once the call has returned
};

/// What becomes of a call.
struct verdict {
  std::size_t part = ~std::size_t{0};  ///< of a write: how many bytes get through
  int error = 0;                       ///< instead of the call: the error number that it gives
  bool dies = false;  ///< the process is killed once `part` is through; a sync: before it
};

struct watcher {
  virtual ~watcher() = default;
  virtual verdict judge(const system_call& call) = 0;
  /// `call` was done in full.
  virtual void done(const system_call& call) = 0;
};

/// From now on `w` is asked; null ends it. `directory` is an absolute path without links in it.
void watch(watcher* w, std::string directory = {}, int socket = -1);

/// Nothing is shown while one lives.
class unwatched {
 public:
  unwatched();
  ~unwatched();
  unwatched(const unwatched&) = delete;
  unwatched& operator=(const unwatched&) = delete;

 private:
  watcher* before_;
};

}  // namespace crash_tests
