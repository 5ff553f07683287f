// Every CRDT of joinery, with several types of values, against every law.
#include <catch2/catch.hpp>

#include "joinery/testing/laws.hpp"
#include "tests/crdt/cell_of.hpp"

namespace {

using namespace joinery::crdt;
using crdt_tests::cell_of;
using text = std::string;
using day = std::chrono::sys_days;

template <class C>
std::string broken_law() {
  joinery::testing::law_options options;
  if (JOINERY_SANITIZED) options.executions /= 4;
  return joinery::testing::broken_law<C>(options);
}

TEST_CASE("registers keep the laws") {
  CHECK(broken_law<lww<int>>() == "");
  CHECK(broken_law<lww<std::optional<text>>>() == "");
  CHECK(broken_law<mv<text>>() == "");
  CHECK(broken_law<mv<std::tuple<bool, int>>>() == "");
}

TEST_CASE("or_set keeps the laws") {
  CHECK(broken_law<or_set<text>>() == "");
  CHECK(broken_law<or_set<joinery::replica_id>>() == "");
}

TEST_CASE("counters keep the laws") {
  CHECK(broken_law<pn_counter>() == "");
  CHECK(broken_law<g_counter>() == "");
}

TEST_CASE("tally keeps the laws") {
  CHECK(broken_law<tally<text>>() == "");
  CHECK(broken_law<tally<blob>>() == "");
}

TEST_CASE("max_of and min_of keep the laws") {
  CHECK(broken_law<max_of<std::int64_t>>() == "");
  CHECK(broken_law<max_of<text>>() == "");
  CHECK(broken_law<min_of<double>>() == "");
  CHECK(broken_law<min_of<day>>() == "");
}

TEST_CASE("flag keeps the laws") { CHECK(broken_law<flag>() == ""); }

TEST_CASE("maps of every type keep the laws") {
  CHECK(broken_law<map<text, lww<text>>>() == "");
  CHECK(broken_law<map<int, mv<std::optional<int>>>>() == "");
  CHECK(broken_law<map<text, or_set<int>>>() == "");
  CHECK(broken_law<map<day, pn_counter>>() == "");
  CHECK(broken_law<map<bool, g_counter>>() == "");
  CHECK(broken_law<map<text, tally<int>>>() == "");
  CHECK(broken_law<map<int, max_of<double>>>() == "");
  CHECK(broken_law<map<int, min_of<text>>>() == "");
  CHECK(broken_law<map<blob, flag>>() == "");
}

TEST_CASE("maps of maps keep the laws") {
  CHECK(broken_law<map<bool, map<text, or_set<int>>>>() == "");
  CHECK(broken_law<map<bool, map<bool, map<bool, pn_counter>>>>() == "");
}

TEST_CASE("cells with both delete rules keep the laws") {
  CHECK(broken_law<cell_of<lww<text>>>() == "");
  CHECK(broken_law<cell_of<or_set<int>>>() == "");
  CHECK(broken_law<cell_of<pn_counter>>() == "");
  CHECK(broken_law<cell_of<map<bool, flag>>>() == "");
}

}  // namespace
