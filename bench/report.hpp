// Lines: what a benchmark prints. A line is measured some times over; each time it gives what
// joinery does, and the limit, which is what the machine does without joinery at that moment. The
// row that is printed holds the medians, their ratio's too, and whether the target is reached.
//
// Purpose: one way to measure and to report for all programs of bench/. They are Google Benchmark's
// programs and understand its options; --benchmark_out=FILE has every repetition, with the counters
// joinery, limit, ratio and target, and what the target judges in the label.
#pragma once

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <vector>

namespace bench {

[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "the benchmark's own check failed: %s\n", what.c_str());
  std::exit(1);
}
inline void check(bool holds, const std::string& what) {
  if (!holds) fail(what);
}

/// Seconds that `work` takes.
template <class F>
double seconds(F&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The same of what one thread does in memory: without the time in which others had its core.
template <class F>
double seconds_of_core(F&& work) {
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  };
  const auto start = now();
  work();
  return now() - start;
}
/// The median of what `measured` gives in some calls.
template <class F>
double median_of(int calls, F&& measured) {
  std::vector<double> all;
  for (int i = 0; i < calls; ++i) all.push_back(measured());
  std::nth_element(all.begin(), all.begin() + calls / 2, all.end());
  return all[static_cast<std::size_t>(calls / 2)];
}

/// What a line is measured in, and what it is to reach.
struct measure {
  enum judge { nothing, at_least, at_most, ratio_at_least, ratio_at_most };

  std::string unit;
  judge by = nothing;
  double target = 0;

  [[nodiscard]] std::string label() const {
    static constexpr const char* words[] = {"", "; >=", "; <=", "; ratio >=", "; ratio <="};
    if (by == nothing) return unit;
    char number[32];
    std::snprintf(number, sizeof number, " %.10g", target);
    return unit + words[by] + number;
  }
};

/// What one repetition gives.
struct sample {
  double seconds = 0;  ///< that were measured
  double joinery = 0;
  double limit = 0;                      ///< 0: there is none
  std::map<std::string, double> more{};  ///< whatever else is worth a counter
};

namespace detail {

struct registered {
  std::string name;
  measure what;
  std::function<sample()> once;
  int repetitions;  ///< 0: as many as the command line says
};
inline std::vector<registered>& lines() {
  static std::vector<registered> all;
  return all;
}

}  // namespace detail

/// Registers a line. `once` is called for each repetition; it makes what it needs, measures, and
/// checks what came out, of which only the measured seconds are reported as time.
inline void line(const std::string& name, measure what, std::function<sample()> once,
                 int repetitions = 0) {
  detail::lines().push_back({name, std::move(what), std::move(once), repetitions});
}

namespace detail {

inline void measure_once(const registered& l, benchmark::State& s) {
  for (auto _ : s) {
    const auto got = l.once();
    s.SetIterationTime(got.seconds);
    s.counters["joinery"] = got.joinery;
    if (got.limit != 0) {
      s.counters["limit"] = got.limit;
      s.counters["ratio"] = got.joinery / got.limit;
    }
    if (l.what.by != measure::nothing) s.counters["target"] = l.what.target;
    for (const auto& [counter, value] : got.more) s.counters[counter] = value;
  }
  s.SetLabel(l.what.label());
}
inline void enter(const registered& l) {
  auto* entered =
      benchmark::RegisterBenchmark(l.name.c_str(), [&l](auto& state) { measure_once(l, state); });
  entered->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
  if (l.repetitions > 0) entered->Repetitions(l.repetitions);
}

/// A figure with three digits that count, and its unit.
inline std::string figure(double value, const std::string& unit = "") {
  static constexpr std::pair<double, const char*> sizes[] = {
      {1e9, " G "}, {1e6, " M "}, {1e3, " k "}, {0, " "}};
  auto size = sizes[3];
  for (const auto& s : sizes)
    if (unit.ends_with("/s") && value >= s.first) {
      size = s;
      break;
    }
  if (size.first > 0) value /= size.first;
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", value >= 100 ? 0 : value >= 10 ? 1 : 2, value);
  return text + (unit.empty() ? "" : size.second + unit);
}

/// Prints one row for each line: the medians.
class row_reporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    std::printf("%-34s %14s %14s %7s  %-14s %s\n", "", "joinery", "limit", "ratio", "target",
                "reached");
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& r : runs) {
      if (r.error_occurred) std::printf("%s: %s\n", r.benchmark_name().c_str(), "failed");
      const bool single = r.run_type == Run::RT_Iteration && r.repetitions < 2;
      if (single || r.aggregate_name == "median") row(r);
    }
    std::fflush(stdout);
  }

 private:
  static void row(const Run& r) {
    const auto& name = r.run_name.function_name;
    const auto what = std::find_if(lines().begin(), lines().end(), [&](const auto& l) {
                        return l.name == name;
                      })->what;
    const auto counter = [&](const char* of) {
      const auto at = r.counters.find(of);
      return at == r.counters.end() ? 0.0 : at->second.value;
    };
    const auto joinery = counter("joinery"), limit = counter("limit"), ratio = counter("ratio");
    const bool most = what.by == measure::at_most || what.by == measure::ratio_at_most;
    const bool of_ratio = what.by == measure::ratio_at_least || what.by == measure::ratio_at_most;
    const auto judged = of_ratio ? ratio : joinery;
    const bool reached = most ? judged <= what.target : judged >= what.target;
    std::string target = "-";
    if (what.by != measure::nothing)
      target = (of_ratio ? "ratio " : "") + std::string(most ? "<= " : ">= ") +
               figure(what.target, of_ratio ? "" : what.unit);
    std::printf("%-34s %14s %14s %7s  %-14s %s\n", name.c_str(), figure(joinery, what.unit).c_str(),
                limit == 0 ? "-" : figure(limit, what.unit).c_str(),
                limit == 0 ? "-" : figure(ratio).c_str(), target.c_str(),
                what.by == measure::nothing ? "-"
                : reached                   ? "yes"
                                            : "no");
    std::string more;
    for (const auto& [of, value] : r.counters)
      if (of != "joinery" && of != "limit" && of != "ratio" && of != "target")
        more += (more.empty() ? "" : ", ") + of + " " + figure(value.value);
    if (!more.empty()) std::printf("  %s\n", more.c_str());
  }
};

}  // namespace detail

/// The main of a program of bench/, once its lines are there: runs those whose names match
/// --benchmark_filter, five times each unless the command line says otherwise.
inline int run(int argc, char** argv) {
  std::string repetitions = "--benchmark_repetitions=5";
  constexpr std::string_view filter = "--benchmark_filter=";
  std::regex wanted{"."};
  std::vector<char*> arguments{argv[0], repetitions.data()};
  for (int i = 1; i < argc; ++i) {
    if (std::string_view{argv[i]}.starts_with(filter))
      wanted = argv[i] + filter.size();
    else
      arguments.push_back(argv[i]);
  }
  for (const auto& l : detail::lines())
    if (std::regex_search(l.name, wanted)) detail::enter(l);
  auto count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  detail::row_reporter rows;
  benchmark::RunSpecifiedBenchmarks(&rows);
  benchmark::Shutdown();
  return 0;
}

}  // namespace bench
