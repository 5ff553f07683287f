// program: the real sport_tracker, run as a user runs it.
//
// Purpose: devices with a store each, commands with their exit codes and output, and servers in the
// background.
// Thread-safety: none. POSIX only, as the program's console.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tracker_tests {

namespace fs = std::filesystem;
using words = std::vector<std::string>;

inline std::string content_of(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream{path, std::ios::binary}.rdbuf();
  return out.str();
}

/// A folder of its own, gone with the test.
struct scratch {
  fs::path folder;
  scratch() {
    auto name = (fs::temp_directory_path() / "joinery-tracker-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder = name;
  }
  ~scratch() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  [[nodiscard]] fs::path write(const std::string& name, std::string_view text) const {
    std::ofstream{folder / name, std::ios::binary} << text;
    return folder / name;
  }
};

inline fs::path sample(const std::string& name) {
  return fs::path{JOINERY_SOURCE_DIR} / "examples/sport_tracker/data" / name;
}

/// A process of the program, with its output in files.
class process {
 public:
  process(const words& arguments, const fs::path& out, const fs::path& err, int input) {
    words all{JOINERY_PROGRAM_sport_tracker};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : all) argv.push_back(word.data());
    argv.push_back(nullptr);
    // Opened here, so that what an earlier process wrote is gone when this returns.
    const int o = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int e = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    id_ = ::fork();
    if (id_ != 0) {
      ::close(o);
      ::close(e);
      if (id_ < 0) throw std::runtime_error("no process");
      return;
    }
    ::dup2(input, 0);
    ::dup2(o, 1);
    ::dup2(e, 2);
    for (int fd = 3; fd < 256; ++fd) ::close(fd);  // the ends of other servers' pipes among them
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  process(process&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  process& operator=(process&&) = delete;
  ~process() {
    if (id_ > 0) end(SIGKILL);
  }

  /// Its exit code; 128 and the signal when it was killed.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(id_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int end(int signal) {
    ::kill(id_, signal);
    return wait();
  }

 private:
  pid_t id_ = -1;
};

struct outcome {
  int code = -1;
  std::string out, err;
};

/// True as soon as `done` is; false after half a minute.
inline bool eventually(const std::function<bool()>& done) {
  using namespace std::chrono;
  const auto limit = steady_clock::now() + seconds(30);
  while (!done()) {
    if (steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A process that stays: `serve` or `sync --live`, with a standard input to write to.
class station {
 public:
  station(const words& arguments, const fs::path& files)
      : out_(files.string() + ".out"),
        err_(files.string() + ".err"),
        input_(pipe_of()),
        process_(arguments, out_, err_, input_.read) {
    ::close(input_.read);
  }
  station(const station&) = delete;
  station& operator=(const station&) = delete;
  ~station() { close_input(); }

  void say(const std::string& line) const {
    const auto text = line + "\n";
    if (::write(input_.write, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      throw std::runtime_error("the process does not listen");
  }
  void close_input() {
    if (input_.write >= 0) ::close(std::exchange(input_.write, -1));
  }
  [[nodiscard]] std::string out() const { return content_of(out_); }
  [[nodiscard]] std::string err() const { return content_of(err_); }
  [[nodiscard]] bool shows(const std::string& part) const {
    return eventually([&] { return has(out(), part); });
  }
  [[nodiscard]] bool tells(const std::string& part) const {
    return eventually([&] { return has(err(), part); });
  }
  int end(int signal = SIGTERM) { return process_.end(signal); }
  int wait() { return process_.wait(); }

  /// Where it listens: 127.0.0.1:PORT.
  [[nodiscard]] std::string address() const {
    const std::string before = "listening on ";
    if (!shows("\n")) throw std::runtime_error("it does not listen: " + err());
    const auto line = out().substr(0, out().find('\n'));
    if (!line.starts_with(before)) throw std::runtime_error("unexpected: " + line);
    return line.substr(before.size());
  }

 private:
  struct ends {
    int read = -1, write = -1;
  };
  static ends pipe_of() {
    int both[2];
    if (::pipe(both) != 0) throw std::runtime_error("no pipe");
    return {both[0], both[1]};
  }

  fs::path out_, err_;
  ends input_;
  process process_;
};

class device {
 public:
  device(const scratch& where, std::string name) : where_(where), name_(std::move(name)) {}

  [[nodiscard]] fs::path store() const { return where_.folder / name_; }

  [[nodiscard]] outcome run(const words& command) const {
    const auto out = where_.folder / "out", err = where_.folder / "err";
    const int nothing = ::open("/dev/null", O_RDONLY);
    process p{with_store(command), out, err, nothing};
    ::close(nothing);
    const int code = p.wait();
    return {code, content_of(out), content_of(err)};
  }
  /// The output of a command that must succeed.
  [[nodiscard]] std::string ask(const words& command) const {
    const auto result = run(command);
    if (result.code != 0)
      throw std::runtime_error(name_ + " " + command[0] + ": exit code " +
                               std::to_string(result.code) + ": " + result.err);
    return result.out;
  }
  void make(const words& command) const { static_cast<void>(ask(command)); }

  [[nodiscard]] station serve(const words& options = {"0"}) const {
    words all{"--verbose", "serve"};
    all.insert(all.end(), options.begin(), options.end());
    return stay(all);
  }
  [[nodiscard]] station stay(const words& command) const {
    return {with_store(command), where_.folder / (name_ + ".stays")};
  }

  [[nodiscard]] std::string state() const { return ask({"show", "--json"}); }
  [[nodiscard]] std::string digest() const { return ask({"digest"}); }
  /// A figure of `show`: "workouts", "XP", "open conflicts"…
  [[nodiscard]] std::string total(const std::string& name) const {
    std::istringstream lines{ask({"show"})};
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with(name + "  ")) return line.substr(line.rfind(' ') + 1);
    throw std::runtime_error("show has no " + name);
  }
  /// The key of the workout whose line in the list has `part`.
  [[nodiscard]] std::string workout(const std::string& part) const {
    std::istringstream lines{ask({"workouts"})};
    for (std::string line; std::getline(lines, line);)
      if (has(line, part)) return line.substr(0, line.find(' '));
    throw std::runtime_error("no workout " + part);
  }
  /// Meets `other`, which serves for that time.
  void meet(const device& other) const {
    auto server = other.serve();
    make({"sync", server.address()});
    if (server.end() != 0) throw std::runtime_error("serve did not end well: " + server.err());
  }

 private:
  [[nodiscard]] words with_store(const words& command) const {
    words all{"--store", store().string()};
    all.insert(all.end(), command.begin(), command.end());
    return all;
  }

  const scratch& where_;
  std::string name_;
};

}  // namespace tracker_tests
