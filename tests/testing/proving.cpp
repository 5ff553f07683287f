// The simulator as a program, on a schema that fails: what it prints, and its exit codes.
#include <unistd.h>

#include <catch2/catch.hpp>

#include <cstdio>
#include <limits>

#include "joinery/testing/prove.hpp"

namespace {

using measured = std::tuple<double, bool>;
struct fragile {
  BOOST_HANA_DEFINE_STRUCT(fragile, (joinery::lww<measured>, ratio), (joinery::pn_counter, count));
};
using fragile_schema = joinery::tables<joinery::table<"fragile", fragile>>;

}  // namespace

/// One that makes what cannot be stored, now and then.
template <>
struct joinery::testing::arbitrary<measured> {
  static measured make(prng& random) {
    return {random.chance(20) ? std::numeric_limits<double>::quiet_NaN() : 1.5, true};
  }
};

namespace {

using namespace joinery;

/// What `prove` prints, behind its exit code.
std::string proved(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "prove");
  std::vector<char*> argv;
  for (auto& a : arguments) argv.push_back(a.data());
  std::FILE* out = std::tmpfile();
  REQUIRE(out != nullptr);
  int kept[2];
  for (int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    std::fflush(nullptr);
    kept[fd - 1] = ::dup(fd);
    ::dup2(::fileno(out), fd);
  }
  const int code = testing::prove<fragile_schema>(static_cast<int>(argv.size()), argv.data());
  std::fflush(nullptr);
  for (int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    ::dup2(kept[fd - 1], fd);
    ::close(kept[fd - 1]);
  }
  auto text = std::to_string(code) + "\n";
  std::rewind(out);
  for (int c = std::fgetc(out); c != EOF; c = std::fgetc(out)) text += static_cast<char>(c);
  std::fclose(out);
  return text;
}

TEST_CASE("a schema that fails is proved to: its seed, what is wrong, and a small test of it") {
  const auto has = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  const auto small = proved({"3", "--steps", "60"});
  CHECK(small.starts_with("1\nseed 0, step "));
  has(small, "NaN");
  has(small, "making it small");
  has(small, "TEST_CASE(\"simulation: seed 0, 2 steps\") {\n");
  has(small, "  p.replicas = 2;\n");
  has(small, "{action::write, ");
  has(small, "joinery::testing::simulation<my_schema>{p}.run()");
  has(small, "seeds                  0\n");
  const auto first = proved({"3", "--from", "7", "--first", "--steps", "60"});
  CHECK(first.starts_with("1\nseed 7 fails at step "));
  CHECK(first.find("making it small") == std::string::npos);
  CHECK(proved({"0"}).starts_with("0\n  seeds                  0\n"));
  for (const char* wrong : {"many", "-1", "7x", "", "--steps"}) {
    CAPTURE(wrong);
    CHECK(proved({wrong}).starts_with("2\nprove [SEEDS]"));
  }
}

}  // namespace
