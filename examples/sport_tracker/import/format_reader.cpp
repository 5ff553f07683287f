#include "sport_tracker/import/format_reader.hpp"

#include <algorithm>
#include <cmath>

#include "sport_tracker/import/refusal.hpp"
#include "sport_tracker/import/text_values.hpp"

namespace sport_tracker {
namespace {

using joinery::errc;

constexpr std::size_t max_sport_bytes = 60;

/// A bound as people write it: "-90", "10000000".
std::string plain(double bound) { return std::to_string(static_cast<std::int64_t>(bound)); }

}  // namespace

xml_reader::step format_reader::find(std::span<const edge> edges, int parent,
                                     std::string_view name) noexcept {
  for (const auto& known : edges) {
    if (known.parent == parent && known.name == name) return {known.place, known.is_value};
  }
  return {passed_over, false};
}

std::optional<double> format_reader::number(std::string_view text, std::string_view what,
                                            double low, double high) {
  if (trimmed(text).empty()) return std::nullopt;
  const auto value = parse_number(text);
  if (!value) {
    throw refusal{errc::malformed,
                  std::string{what} + " " + quoted(text) + " is not a finite decimal number",
                  "correct or remove it"};
  }
  if (*value < low || *value > high) {
    throw refusal{
        errc::malformed,
        std::string{what} + " " + quoted(text) + " is outside " + plain(low) + " to " + plain(high),
        "correct or remove it"};
  }
  return value;
}

std::optional<std::int64_t> format_reader::time(std::string_view text) {
  if (trimmed(text).empty()) return std::nullopt;
  const auto value = parse_time(text);
  if (!value) {
    throw refusal{errc::malformed, quoted(text) + " is not a time",
                  "write it like 2024-05-01T07:30:00Z, or remove it"};
  }
  return value;
}

void format_reader::count_point() {
  if (points_ == max_points_) {
    throw refusal{errc::too_large, "more than " + std::to_string(max_points_) + " track points",
                  "split the file: one file is one workout"};
  }
  ++points_;
}

void format_reader::note_time(std::int64_t time_ms) {
  earliest_ms_ = std::min(time_ms, earliest_ms_.value_or(time_ms));
  latest_ms_ = std::max(time_ms, latest_ms_.value_or(time_ms));
  if (static_cast<double>(*latest_ms_ - *earliest_ms_) > max_duration_s * 1000) {
    throw refusal{errc::malformed, "this time is more than a year away from others in the file",
                  "correct it, or split the file: one file is one workout"};
  }
}

void format_reader::note_heart_rate(double bpm) {
  if (bpm <= 0) return;
  heart_rate_sum_ += bpm;
  ++heart_rate_readings_;
  note_max_heart_rate(bpm);
}

void format_reader::note_max_heart_rate(double bpm) {
  if (bpm > 0) max_heart_rate_ = std::max(bpm, max_heart_rate_.value_or(bpm));
}

void format_reader::note_sport(std::string_view as_written) {
  const auto word = one_line(as_written, max_sport_bytes);
  if (word.empty()) return;
  const auto kind = sport_from(word);
  if (!sport_) {
    sport_ = kind;
    sport_as_written_ = word;
  } else if (*sport_ != kind) {
    sport_ = sport::other;  // several sports in one workout are none of them
  }
}

void format_reader::note_title(std::string_view text) {
  if (title_.empty()) title_ = one_line(text, max_title_bytes);
}

void format_reader::check_total(double value, double limit, std::string_view what) {
  if (value <= limit) return;
  throw refusal{errc::malformed,
                "up to here the " + std::string{what} + " adds up to more than " + plain(limit),
                "correct the file, or split it: one file is one workout"};
}

std::optional<std::int64_t> format_reader::elapsed_ms() const noexcept {
  if (!earliest_ms_) return std::nullopt;
  return *latest_ms_ - *earliest_ms_;
}

workout_summary format_reader::noted() const {
  workout_summary out;
  out.kind = sport_.value_or(sport::other);
  out.sport_as_written = sport_as_written_;
  out.title = title_;
  out.started_at_ms = earliest_ms_;
  if (has_heart_rate()) {
    out.average_heart_rate_bpm =
        rounded(heart_rate_sum_ / static_cast<double>(heart_rate_readings_));
  }
  if (max_heart_rate_) out.max_heart_rate_bpm = rounded(*max_heart_rate_);
  out.points = points_;
  return out;
}

std::uint32_t format_reader::rounded(double value) noexcept {
  return static_cast<std::uint32_t>(std::lround(value));
}

}  // namespace sport_tracker
