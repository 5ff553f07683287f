// workout_parser: the bytes of a TCX or GPX file in, a workout_summary out.
//
// Purpose: the importer without the file system: whatever brings the bytes, in whatever pieces.
// Invariants: memory does not grow with the input. After an error every call gives that error.
// Thread-safety: one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "joinery/base/bytes.hpp"
#include "joinery/base/result.hpp"
#include "sport_tracker/import/import_limits.hpp"
#include "sport_tracker/import/workout_summary.hpp"

namespace sport_tracker {

class workout_parser {
 public:
  /// `file` is the name that errors show.
  explicit workout_parser(std::string file, const import_limits& limits = {});
  ~workout_parser();
  workout_parser(const workout_parser&) = delete;
  workout_parser& operator=(const workout_parser&) = delete;

  joinery::result<void> feed(joinery::bytes_view data);
  /// There are no more bytes: the workout, or why there is none. Call it once, last.
  joinery::result<workout_summary> finish();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace sport_tracker
