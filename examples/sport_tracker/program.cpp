#include "sport_tracker/program.hpp"

#include <iostream>

#include "sport_tracker/commands/totals.hpp"
#include "sport_tracker/context.hpp"
#include "sport_tracker/grammar/command_line.hpp"
#include "sport_tracker/network/network.hpp"

namespace sport_tracker {
namespace {

/// The library's advice is for programs; this is for who types commands.
joinery::error advised(joinery::error e) {
  using joinery::errc;
  if (e.code == errc::not_found) e.advice = "check --store; commands that write make a new one";
  if (e.code == errc::wrong_space) e.advice = "check --store and --space";
  if (e.code == errc::locked)
    e.advice = "type the command into that process, or end it; commands that only read work";
  return e;
}

database open_database(const invocation& what, access need) {
  joinery::store::lmdb_options where;
  where.path = what.store;
  where.read_only = need == access::read;
  joinery::replica_options options;
  options.space = joinery::space_named(what.space);
  auto db = joinery::open<sport_schema>(std::move(where), std::move(options));
  if (!db) throw joinery::failure(advised(db.error()));
  return std::move(*db);
}

/// Runs `body` and turns what it throws into an exit code.
template <class F>
int guarded(std::ostream& err, F&& body) {
  try {
    return body();
  } catch (const input_error& e) {
    err << "error: " << e.what() << std::endl;
    return exit_input;
  } catch (const std::exception& e) {
    err << "error: " << printable(e.what()) << std::endl;
    return exit_failed;
  }
}

/// One line of the standard input of `serve` or `sync --live`.
void run_line(context& c, const std::string& line) {
  guarded(c.err, [&] {
    auto parsed = parse_line(line, c.out, c.err);
    if (const auto* code = std::get_if<int>(&parsed)) return *code;
    return std::get<request>(parsed).run(c);
  });
  c.out << std::flush;
}

/// What a sync changed here.
void print_merged(std::ostream& out, const std::vector<total>& before,
                  const std::vector<total>& after) {
  std::string changes;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (before[i].amount == after[i].amount) continue;
    changes += (changes.empty() ? "" : ", ") + after[i].name + " " +
               std::to_string(before[i].amount) + " -> " + std::to_string(after[i].amount);
  }
  out << "merged: " << (changes.empty() ? "no total changed here" : changes) << std::endl;
}

int run(const invocation& what) {
  const bool stays = what.serve || what.sync;
  const auto need = stays ? access::write : what.command.need;
  auto db = open_database(what, need);
  context c{db, what.profile, std::cout, std::cerr, stays};
  int code = exit_done;
  if (stays) {
    const network_context n{engine_of(db), [&](const std::string& line) { run_line(c, line); },
                            what.verbose, std::cout, std::cerr};
    const bool once = what.sync && !what.sync->live;
    const auto before = once ? totals_of(db) : std::vector<total>{};
    code = what.serve ? serve(n, *what.serve) : sync(n, *what.sync);
    if (once) print_merged(std::cout, before, totals_of(db));
  } else {
    code = what.command.run(c);
  }
  if (need == access::write) db.checkpoint().value();
  return code;
}

}  // namespace

int run_program(int count, const char* const* arguments) {
  const auto parsed = parse_arguments(count, arguments, std::cout, std::cerr);
  if (const auto* code = std::get_if<int>(&parsed)) return *code;
  const int code = guarded(std::cerr, [&] { return run(std::get<invocation>(parsed)); });
  if (!std::cout.flush()) {
    std::cerr << "error: the output could not be written\n";
    return exit_failed;
  }
  return code;
}

}  // namespace sport_tracker
