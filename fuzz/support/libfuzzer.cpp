// libFuzzer's entry points, for a program with one fuzzer. With the environment variable
// JOINERY_FUZZ_SEEDS it writes the fuzzer's seeds into that folder and ends.
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "fuzz/support/target.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

const fuzz::target& only() {
  fuzz::demand(fuzz::targets().size() == 1, "a program of libFuzzer has one fuzzer");
  return fuzz::targets().front();
}

void write_seeds(const std::filesystem::path& folder) {
  std::size_t n = 0;
  for (const auto& seed : only().seeds()) {
    std::ofstream out(folder / ("seed_" + std::to_string(n++)), std::ios::binary);
    out << seed;
  }
}

}  // namespace

// Half of the time would go into remembering who allocated what;
// ASAN_OPTIONS=malloc_context_size=30 tells it when a finding is looked into.
extern "C" const char* __asan_default_options() {
  return "malloc_context_size=1:quarantine_size_mb=16";
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  if (const char* folder = std::getenv("JOINERY_FUZZ_SEEDS")) {
    write_seeds(folder);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::run_within_bounds(only(), {reinterpret_cast<const char*>(data), size});
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  if (only().mend == nullptr) return size;
  fuzz::prng dice{seed};
  const auto mended = only().mend({reinterpret_cast<const char*>(data), size}, dice);
  if (mended.size() > most) return size;
  std::memcpy(data, mended.data(), mended.size());
  return mended.size();
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* a, std::size_t a_size,
                                                 const std::uint8_t* b, std::size_t b_size,
                                                 std::uint8_t* out, std::size_t most,
                                                 unsigned seed) {
  fuzz::prng dice{seed};
  const auto head = static_cast<std::size_t>(dice.below(a_size + 1));
  const auto tail = static_cast<std::size_t>(dice.below(b_size + 1));
  fuzz::bytes mixed{reinterpret_cast<const char*>(a), head};
  mixed.append(reinterpret_cast<const char*>(b) + tail, b_size - tail);
  if (only().mend != nullptr) mixed = only().mend(mixed, dice);
  const auto size = mixed.size() < most ? mixed.size() : most;
  std::memcpy(out, mixed.data(), size);
  return size;
}
