#include "sport_tracker/grammar/command_line.hpp"

#include <algorithm>
#include <functional>
#include <ostream>

#include "sport_tracker/grammar/grammar.hpp"
#include "sport_tracker/text.hpp"

namespace sport_tracker {
namespace {

void parse_words(CLI::App& app, std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  app.parse(std::move(words));
}

/// Parses with `app`; the exit code when that is all there is to do.
std::optional<int> parsed(CLI::App& app, std::ostream& out, std::ostream& err,
                          const std::function<void()>& parse) {
  try {
    parse();
    return std::nullopt;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e, out, err), exit_done;  // help was asked for
    const auto strange = app.remaining(true);
    err << "error: "
        << (strange.empty() ? printable(e.what()) : "unknown: " + printable(strange.front()))
        << "; --help tells what there is\n";
    return exit_input;
  } catch (const input_error& e) {
    err << "error: " << e.what() << "\n";
    return exit_input;
  }
}

}  // namespace

std::variant<invocation, int> parse_arguments(int count, const char* const* arguments,
                                              std::ostream& out, std::ostream& err) {
  invocation chosen;
  const auto app = program_grammar(chosen);
  const auto code = parsed(*app, out, err, [&] {
    parse_words(*app, {arguments + std::min(count, 1), arguments + count});
    if (chosen.store.empty()) throw input_error("--store is empty");
    if (chosen.profile.empty()) throw input_error("--profile is empty");
    checked_text("the profile's key", chosen.profile);
  });
  if (code) return *code;
  return chosen;
}

std::variant<request, int> parse_line(const std::string& line, std::ostream& out,
                                      std::ostream& err) {
  request chosen;
  const auto app = line_grammar(chosen);
  const auto code = parsed(*app, out, err, [&] {
    auto words = words_of(line);
    if (!words.empty()) parse_words(*app, std::move(words));
  });
  if (code) return *code;
  if (!chosen.run) return exit_done;
  return chosen;
}

}  // namespace sport_tracker
