#include "sport_tracker/text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace sport_tracker {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }
bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The length of the UTF-8 sequence that `text` begins with; 0 when it is none.
std::size_t sequence_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if (!continues(text[i])) return 0;
  // Overlong forms, surrogates and what lies beyond Unicode.
  if ((lead == 0xE0 && at(1) < 0xA0) || (lead == 0xED && at(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && at(1) < 0x90) || (lead == 0xF4 && at(1) > 0x8F)) return 0;
  // C1 controls, which some terminals obey.
  if (lead == 0xC2 && at(1) < 0xA0) return 0;
  return length;
}

using day_point = std::chrono::sys_days;

/// Within the years 1 to 9999: a peer may have stored anything.
std::int64_t within_calendar(std::int64_t ms) {
  return std::clamp<std::int64_t>(ms, -62'135'596'800'000, 253'402'300'799'999);
}

std::string date_text(day_point day) {
  const std::chrono::year_month_day date{day};
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return out.data();
}

}  // namespace

std::string checked_text(std::string_view what, std::string text, bool lines) {
  const auto limit = lines ? max_text_bytes : max_line_bytes;
  if (text.size() > limit) {
    throw input_error(std::string(what) + " has " + std::to_string(text.size()) +
                      " bytes; the limit is " + std::to_string(limit));
  }
  for (std::string_view rest = text; !rest.empty();) {
    const auto length = sequence_length(rest);
    if (length == 0) throw input_error(std::string(what) + " is not valid UTF-8 text");
    if (is_control(rest[0]) && !(lines && (rest[0] == '\n' || rest[0] == '\t')))
      throw input_error(std::string(what) + " has control characters in it");
    rest.remove_prefix(length);
  }
  return text;
}

std::string printable(std::string_view text, std::size_t columns) {
  std::string out;
  std::size_t shown = 0;
  while (!text.empty()) {
    const auto length = sequence_length(text);
    if (columns > 0 && ++shown > columns - 1 && text.size() > length) return out + "…";
    if (length == 0) {
      out += "?";
    } else if (is_control(text[0])) {
      out += " ";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string short_key(std::string_view key) { return printable(key.substr(0, 8)); }

std::string utc_time(std::int64_t ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds{within_calendar(ms)}};
  const auto day = floor<days>(at);
  const hh_mm_ss clock{floor<seconds>(at - day)};
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "T%02d:%02d:%02dZ", static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return date_text(day) + out.data();
}

std::string utc_date(std::int64_t ms) {
  using namespace std::chrono;
  return date_text(floor<days>(sys_time<milliseconds>{milliseconds{within_calendar(ms)}}));
}

std::optional<std::int64_t> days_of_date(std::string_view date) {
  using namespace std::chrono;
  if (date.size() != 10 || date[4] != '-' || date[7] != '-') return std::nullopt;
  const auto number = [&](std::size_t from, std::size_t count) -> int {
    int n = 0;
    for (const char c : date.substr(from, count)) {
      if (c < '0' || c > '9') return -1;
      n = n * 10 + (c - '0');
    }
    return n;
  };
  const int y = number(0, 4), m = number(5, 2), d = number(8, 2);
  if (y < 1 || m < 1 || d < 1) return std::nullopt;
  const year_month_day out{year{y}, month{static_cast<unsigned>(m)}, day{static_cast<unsigned>(d)}};
  if (!out.ok()) return std::nullopt;
  return sys_days{out}.time_since_epoch().count();
}

std::string_view weekday_of(std::int64_t days) {
  constexpr std::array<std::string_view, 7> names{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
  const std::chrono::weekday day{day_point{std::chrono::days{days}}};
  return names[day.c_encoding()];
}

std::string duration_text(std::uint32_t seconds) {
  std::array<char, 40> out{};
  const auto hours = seconds / 3600;
  const auto minutes = seconds / 60 % 60;
  if (hours > 0) {
    std::snprintf(out.data(), out.size(), "%u:%02u:%02u", hours, minutes, seconds % 60);
  } else {
    std::snprintf(out.data(), out.size(), "%u:%02u", minutes, seconds % 60);
  }
  return out.data();
}

std::string distance_text(std::uint32_t metres, bool imperial) {
  std::array<char, 40> out{};
  const double units = metres / (imperial ? 1609.344 : 1000.0);
  std::snprintf(out.data(), out.size(), "%.2f %s", units, imperial ? "mi" : "km");
  return out.data();
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  bool inside = false;  // a word, perhaps an empty one between quotes
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (quote == '\0' && blank) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      words.back() += line[++i];
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
    } else if (quote != '\0' && c == quote) {
      quote = '\0';
    } else {
      words.back() += c;
    }
  }
  if (quote != '\0') throw input_error(std::string("a quote ") + quote + " is not closed");
  return words;
}

std::vector<std::string> hashtags_in(std::string_view text) {
  std::vector<std::string> tags;
  for (auto at = text.find('#'); at != std::string_view::npos; at = text.find('#', at + 1)) {
    std::string tag;
    for (const char c : text.substr(at + 1)) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                          static_cast<unsigned char>(c) >= 0x80;
      if (!letter) break;
      tag += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    if (!tag.empty()) tags.push_back(tag.substr(0, max_line_bytes));
  }
  return tags;
}

}  // namespace sport_tracker
