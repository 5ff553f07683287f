// The fuzzers as ordinary tests: replay NAME [FOLDER…] runs the fuzzer's seeds and every file of
// the folders, once each; an input that is at fault is named before the program ends.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/support/target.hpp"

namespace {

char current[512] = "nothing";

void name_input(int signal) {
  std::fprintf(stderr, "fuzz: the input is %s\n", current);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const fuzz::target& t, const std::string& name, fuzz::bytes_view input) {
  std::strncpy(current, name.c_str(), sizeof current - 1);
  fuzz::run_within_bounds(t, input);
}

int replay(const fuzz::target& t, int count, char** folders) {
  std::size_t inputs = 0;
  for (const auto& seed : t.seeds()) run(t, "seed " + std::to_string(inputs++), seed);
  const auto seeds = inputs;
  run(t, "the empty one", {});
  for (int n = 0; n < count; ++n) {
    if (!std::filesystem::exists(folders[n])) continue;
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folders[n]))
      files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      std::ifstream in(file, std::ios::binary);
      run(t, file.string(), fuzz::bytes{std::istreambuf_iterator<char>(in), {}});
      ++inputs;
    }
  }
  std::printf("%s: %zu seeds and %zu stored inputs\n", t.name, seeds, inputs - seeds);
  return seeds > 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS}) std::signal(signal, name_input);
  for (const auto& t : fuzz::targets())
    if (count > 1 && std::string{t.name} == arguments[1])
      return replay(t, count - 2, arguments + 2);
  std::fprintf(stderr, "usage: replay FUZZER [FOLDER…]; the fuzzers are\n");
  for (const auto& t : fuzz::targets()) std::fprintf(stderr, "  %s\n", t.name);
  return 2;
}
