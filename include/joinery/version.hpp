// The version of the library.
//
// Purpose: one place that states it; the build reads it from here. Formats and protocols carry
// versions of their own (docs/format.md).
// Thread-safety: constants.
#pragma once

#include <string_view>

namespace joinery {

/// Semantic version of this library, as "major.minor.patch".
inline constexpr std::string_view library_version = "0.1.0";

}  // namespace joinery
