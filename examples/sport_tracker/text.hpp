// Text: what comes from the command line and what goes to the terminal.
//
// Purpose: checks what a user types, shows what peers may have written, and knows how to write
// times, lengths and keys.
// Invariants: output holds no control character, whatever is in the store; input that is not UTF-8
// is refused.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sport_tracker {

/// What the user asked for cannot be done as asked: exit code 2.
class input_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// How long a text the user may store; far below the library's limit of a changeset.
inline constexpr std::size_t max_line_bytes = 200;
inline constexpr std::size_t max_text_bytes = 20'000;

/// `text`, or input_error when it is not UTF-8, has control characters (line ends are let through
/// when `lines`), or is longer than the limit. `what` names it in the message.
std::string checked_text(std::string_view what, std::string text, bool lines = false);

/// `text` on one line, without control characters; cut to `columns` characters unless 0.
std::string printable(std::string_view text, std::size_t columns = 0);

/// The first characters of a key: enough to name it, as long as no other begins with them.
std::string short_key(std::string_view key);

/// 2024-05-01T07:30:00Z.
std::string utc_time(std::int64_t ms);
/// 2024-05-01.
std::string utc_date(std::int64_t ms);
/// Days since 1970-01-01; nothing when it is no date of the form 2024-05-01.
std::optional<std::int64_t> days_of_date(std::string_view date);
/// mon to sun.
std::string_view weekday_of(std::int64_t days);

/// 41:10, or 1:02:33.
std::string duration_text(std::uint32_t seconds);
/// 8.02 km, or 4.98 mi.
std::string distance_text(std::uint32_t metres, bool imperial);

/// The words of a command line, as a shell splits them: blanks separate, '…' and "…" keep them
/// together, a backslash takes the next character as it is. input_error when a quote is open.
std::vector<std::string> words_of(std::string_view line);

/// The words that follow a # in `text`, in lower case.
std::vector<std::string> hashtags_in(std::string_view text);

}  // namespace sport_tracker
