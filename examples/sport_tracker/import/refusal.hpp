// refusal: how the parts of the importer say no to one another.
//
// Purpose: a reader that meets something it cannot accept throws this from wherever it stands;
// xml_stream catches it, adds the place in the file, and it leaves the importer as a
// `joinery::error`.
// Invariants: never crosses Expat's C frames, never leaves the importer.
// Thread-safety: values.
#pragma once

#include <string>

#include "joinery/base/error.hpp"

namespace sport_tracker {

struct refusal {
  joinery::errc code;
  std::string what;
  std::string advice;
};

}  // namespace sport_tracker
