// Sports: the handful of kinds that the tracker tells apart.
//
// Purpose: map what a file says about its sport onto one small set. The word is compared whole, in
// lower case and without blanks, hyphens and underscores; nothing is concluded from a part of a
// word, from speed or from a number. Whatever the table does not have, and a file that says
// nothing, is `other`.
// Invariants: names are stable, they are stored.
// Thread-safety: pure functions.
#pragma once

#include <string_view>

namespace sport_tracker {

enum class sport { run, ride, swim, walk, hike, sup, other };

/// The name that is stored and shown: "run", "ride", "swim", "walk", "hike", "sup" or "other".
std::string_view name_of(sport kind) noexcept;

/// What a TCX `Activity/@Sport` or a GPX `trk/type` means; the table is in sport.cpp.
sport sport_from(std::string_view as_written);

}  // namespace sport_tracker
