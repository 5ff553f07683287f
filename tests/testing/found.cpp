// Faults that the simulator found, as the plans that it made small.
#include <catch2/catch.hpp>

#include "examples/prove/schema.hpp"
#include "joinery/testing/simulation.hpp"

namespace {

using joinery::testing::action;
using joinery::testing::plan;

void holds(const plan& p) {
  joinery::testing::simulation<gym::schema, gym::older_schema> s{p};
  CHECK_NOTHROW(s.run());
}

}  // namespace

TEST_CASE("a peer whose branch turns out to be ours is asked again, and then sends all") {
  plan p;
  p.seed = 226u;
  p.replicas = 3;
  p.keys = 1;
  p.closed = false;
  p.loss = 4;
  p.duplication = 49;
  p.steps = {
      {action::write, 5, 38, 12363973261985202344u},
      {action::clone, 59, 101, 18100370909131761050u},
      {action::carry, 242, 181, 5133172591736465465u},
      {action::write, 134, 108, 17580992372947456730u},
      {action::write, 107, 138, 17208115924759551513u},
      {action::carry, 189, 211, 10134725526279402531u},
      {action::write, 23, 3, 14028116666889429016u},
  };
  holds(p);
}

TEST_CASE("who left a doubt about its peer to the peer goes on when that has looked") {
  plan p;
  p.seed = 1068u;
  p.replicas = 3;
  p.keys = 1;
  p.closed = true;
  p.loss = 26;
  p.duplication = 3;
  p.steps = {
      {action::carry, 149, 216, 2249705498511599912u},
      {action::clone, 155, 80, 17450456550337194915u},
      {action::write, 139, 35, 5824825348238753167u},
      {action::write, 91, 61, 2247302837294507161u},
      {action::carry, 15, 255, 1405417468903348588u},
      {action::carry, 5, 40, 1361289164552121167u},
      {action::write, 122, 3, 15576851495530643381u},
      {action::upgrade, 39, 118, 2464289579696632239u},
  };
  holds(p);
}

TEST_CASE("what comes to depend on a branch while a session lives is withheld as well") {
  plan p;
  p.seed = 2221u;
  p.replicas = 4;
  p.keys = 1;
  p.closed = false;
  p.loss = 17;
  p.duplication = 28;
  p.steps = {
      {action::clone, 188, 143, 14801686474971071211u},
      {action::carry, 64, 193, 15677300239991510537u},
      {action::write, 255, 196, 9636463561003495591u},
      {action::write, 149, 56, 2413900031668863792u},
      {action::write, 127, 111, 14717346946535578519u},
      {action::write, 215, 99, 13064931351600462382u},
      {action::carry, 92, 125, 8087392693085706112u},
      {action::carry, 107, 104, 7958461475946566462u},
      {action::clone, 236, 114, 5447740229836507593u},
      {action::carry, 124, 8, 1756256089987916142u},
      {action::write, 128, 39, 17722197949538537949u},
      {action::write, 190, 241, 15099623566660176378u},
      {action::write, 150, 32, 12011790324933833655u},
      {action::carry, 145, 37, 5481782218248316119u},
      {action::carry, 46, 44, 3502700962738437441u},
  };
  holds(p);
}

// Too long to be shown step by step: the seeds.
TEST_CASE(
    "a snapshot is not joined over another branch of an origin that is known to have forked") {
  for (const std::uint64_t seed : {431u, 1645u, 2585u}) holds(joinery::testing::make_plan(seed));
}
TEST_CASE("copies that have both given their branch away note the fork, and lose neither") {
  for (const std::uint64_t seed : {898u, 1076u}) holds(joinery::testing::make_plan(seed));
}
TEST_CASE("an answer that comes after the peer has told the result does no harm") {
  holds(joinery::testing::make_plan(556));
}
TEST_CASE("a snapshot is not joined over a branch that is here and was in no head") {
  holds(joinery::testing::make_plan(18182));
}
