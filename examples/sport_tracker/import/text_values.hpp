// Text values: numbers, times and titles as XML files write them.
//
// Purpose: read them strictly, without locale and without a guess. Blanks around a value are
// dropped.
// Invariants: no allocation but for the strings that are returned; time linear in the text.
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sport_tracker {

/// `text` without XML blanks (space, tab, CR, LF) at both ends.
std::string_view trimmed(std::string_view text) noexcept;

/// A finite decimal number, such as "-12", "+0.5" or "1e3". No NaN, infinity, hexadecimal, comma,
/// or blank inside.
std::optional<double> parse_number(std::string_view text) noexcept;

/// Milliseconds since 1970-01-01 UTC from `YYYY-MM-DDThh:mm:ss[.fraction][zone]`, year 0001 to
/// 9999. The zone is `Z`, `±hh:mm` or `±hhmm`; without one the time is UTC, as GPX has it. Digits
/// below the millisecond are cut. A leap second (23:59:60 UTC) is the first second of the next day.
std::optional<std::int64_t> parse_time(std::string_view text) noexcept;

/// A title fit for one line of a screen: control characters become blanks, blanks in a row become
/// one, and what exceeds `max_bytes` is cut between characters. `text` is valid UTF-8.
std::string one_line(std::string_view text, std::size_t max_bytes);

/// `text` as an error message shows it: in quotes, on one line, cut short.
std::string quoted(std::string_view text);

}  // namespace sport_tracker
