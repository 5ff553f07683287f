// format_reader: what the readers of all workout formats share.
//
// Purpose: find one's way through a document by a table of known elements, read values within their
// bounds, and collect what does not depend on the format: times, points, heart rate, sport, title.
// Invariants: an element that the table does not have is passed over with everything in it. An
// empty element is a value that is not there.
// Thread-safety: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sport_tracker/import/import_limits.hpp"
#include "sport_tracker/import/workout_summary.hpp"
#include "sport_tracker/import/xml_stream.hpp"

namespace sport_tracker {

class format_reader : public xml_reader {
 public:
  explicit format_reader(const import_limits& limits) : max_points_(limits.max_points) {}

  /// All but the content hash. Throws `refusal` when the document holds no workout.
  [[nodiscard]] virtual workout_summary summary() const = 0;

 protected:
  /// An element `name` inside `parent` takes the reader to `place`.
  struct edge {
    int parent;
    std::string_view name;
    int place;
    bool is_value;
  };
  static constexpr int passed_over = -1;
  static constexpr std::size_t max_title_bytes = 200;
  static step find(std::span<const edge> edges, int parent, std::string_view name) noexcept;

  /// A number in [low, high], or nothing for an empty text. `what` names it in the error.
  static std::optional<double> number(std::string_view text, std::string_view what, double low,
                                      double high);
  static std::optional<std::int64_t> time(std::string_view text);

  void count_point();
  void note_time(std::int64_t time_ms);
  /// 0 is what sensors without contact write: no reading.
  void note_heart_rate(double bpm);
  /// A maximum that the device worked out itself.
  void note_max_heart_rate(double bpm);
  void note_sport(std::string_view as_written);
  void note_title(std::string_view text);
  static void check_total(double value, double limit, std::string_view what);

  [[nodiscard]] std::uint64_t points() const noexcept { return points_; }
  [[nodiscard]] bool has_heart_rate() const noexcept { return heart_rate_readings_ > 0; }
  [[nodiscard]] std::optional<std::int64_t> elapsed_ms() const noexcept;
  /// What was noted; duration, distance, climb and calories are the format's to fill in.
  [[nodiscard]] workout_summary noted() const;
  static std::uint32_t rounded(double value) noexcept;

 private:
  std::uint64_t max_points_;
  std::uint64_t points_ = 0;
  std::optional<std::int64_t> earliest_ms_, latest_ms_;
  double heart_rate_sum_ = 0;
  std::uint64_t heart_rate_readings_ = 0;
  std::optional<double> max_heart_rate_;
  std::string title_, sport_as_written_;
  std::optional<sport> sport_;
};

}  // namespace sport_tracker
