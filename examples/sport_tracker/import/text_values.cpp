#include "sport_tracker/import/text_values.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

namespace sport_tracker {
namespace {

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Takes a time apart from the left; its first fault is sticky.
class time_reader {
 public:
  explicit time_reader(std::string_view text) noexcept : text_(text) {}

  int digits(int count, int low, int high) noexcept {
    int value = 0;
    for (int i = 0; i < count; ++i) {
      if (!next_is_digit()) return ok_ = false, low;
      value = value * 10 + (text_[at_++] - '0');
    }
    if (value < low || value > high) return ok_ = false, low;
    return value;
  }
  void expect(char upper, char lower) noexcept {
    if (!skip(upper, lower)) ok_ = false;
  }
  bool skip(char upper, char lower) noexcept {
    if (at_ == text_.size() || (text_[at_] != upper && text_[at_] != lower)) return false;
    ++at_;
    return true;
  }
  /// The digits after the point, as milliseconds.
  int fraction_ms() noexcept {
    if (!next_is_digit()) return ok_ = false, 0;
    int value = 0;
    for (int unit = 100; next_is_digit(); unit /= 10) value += (text_[at_++] - '0') * unit;
    return value;
  }
  /// Minutes east of UTC.
  int zone() noexcept {
    if (at_ == text_.size() || skip('Z', 'z')) return 0;
    const bool west = skip('-', '-');
    if (!west) expect('+', '+');
    const int hours = digits(2, 0, 23);
    skip(':', ':');
    const int minutes = hours * 60 + digits(2, 0, 59);
    return west ? -minutes : minutes;
  }
  [[nodiscard]] bool finished() const noexcept { return ok_ && at_ == text_.size(); }

 private:
  [[nodiscard]] bool next_is_digit() const noexcept {
    return at_ < text_.size() && is_digit(text_[at_]);
  }
  std::string_view text_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<double> parse_number(std::string_view text) noexcept {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return std::nullopt;
  }
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, value);
  if (fault != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_time(std::string_view text) noexcept {
  namespace chrono = std::chrono;
  time_reader in(trimmed(text));
  const int year = in.digits(4, 1, 9999);
  in.expect('-', '-');
  const int month = in.digits(2, 1, 12);
  in.expect('-', '-');
  const int day = in.digits(2, 1, 31);
  in.expect('T', 't');
  const int hour = in.digits(2, 0, 23);
  in.expect(':', ':');
  const int minute = in.digits(2, 0, 59);
  in.expect(':', ':');
  const int second = in.digits(2, 0, 60);
  const int fraction_ms = in.skip('.', '.') ? in.fraction_ms() : 0;
  const int zone_min = in.zone();
  if (!in.finished()) return std::nullopt;

  const chrono::year_month_day date{chrono::year{year}, chrono::month{static_cast<unsigned>(month)},
                                    chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days = chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t utc_min = days * 1440 + hour * 60 + minute - zone_min;
  if (second == 60 && (utc_min + 1) % 1440 != 0) return std::nullopt;
  return (utc_min * 60 + second) * 1000 + fraction_ms;
}

std::string one_line(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    length = std::min(length, text.size() - at);
    const auto character = text.substr(at, length);
    at += length;
    // C0, DEL and C1: characters that would steer a terminal.
    const bool control =
        lead < 0x20 || lead == 0x7F ||
        (lead == 0xC2 && length == 2 && static_cast<unsigned char>(character[1]) < 0xA0);
    if (control || lead == ' ') {
      if (!out.empty() && out.back() != ' ' && out.size() < max_bytes) out.push_back(' ');
      continue;
    }
    if (out.size() + length > max_bytes) break;
    out.append(character);
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t shown = 40;
  const auto line = one_line(text, shown + 1);
  if (line.size() <= shown) return "\"" + line + "\"";
  return "\"" + one_line(text, shown) + "…\"";
}

}  // namespace sport_tracker
