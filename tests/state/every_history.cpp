// Every small history of records against the oracle, by both delete rules (tests/crdt/
// enumeration.hpp): records of one field of each type, of several fields, and several records in
// one changeset.
#include "tests/crdt/enumerated.hpp"
#include "tests/state/record_subject.hpp"

namespace {

using namespace state_tests;
using crdt::map;
using crdt_tests::delete_rule;
using crdt_tests::enumerated;
using crdt_tests::extents;

enum class stamps { lowest, every };

/// The same records under either rule.
template <std::size_t Records, class... Fields>
void add(std::vector<enumerated>& to, const std::string& name, const extents& update_wins,
         const extents& delete_wins, stamps which = stamps::lowest) {
  const auto type = records_of<Records, Fields...>::subject();
  const bool every = which == stamps::every;
  to.push_back(
      {name + ", update_wins", type, {2, 1, delete_rule::update_wins, false}, every, update_wins});
  to.push_back(
      {name + ", delete_wins", type, {2, 1, delete_rule::delete_wins, false}, every, delete_wins});
}

std::vector<enumerated> records_of_one_field() {
  std::vector<enumerated> out;
  add<1, crdt::lww<number>>(out, "record of lww, every stamp", {{2, 162}, {3, 9864}, {4, 840991}},
                            {{2, 162}, {3, 9864}, {4, 812101}}, stamps::every);
  add<1, crdt::mv<number>>(out, "record of mv", {{3, 2053}, {3, 2053}, {4, 62962}},
                           {{3, 2053}, {3, 2053}, {4, 61342}});
  add<1, crdt::or_set<number>>(out, "record of or_set", {{3, 2053}, {3, 2053}, {4, 62962}},
                               {{3, 2053}, {3, 2053}, {4, 61342}});
  add<1, crdt::flag>(out, "record of flag", {{3, 931}, {4, 18700}, {5, 423238}},
                     {{3, 931}, {4, 18052}, {5, 384376}});
  add<1, crdt::pn_counter>(out, "record of pn_counter", {{3, 931}, {4, 18700}, {5, 423238}},
                           {{3, 931}, {4, 18052}, {5, 384376}});
  add<1, crdt::g_counter>(out, "record of g_counter", {{3, 931}, {4, 18700}, {5, 423238}},
                          {{3, 931}, {4, 18052}, {5, 384376}});
  add<1, crdt::tally<number>>(out, "record of tally", {{3, 2053}, {3, 2053}, {4, 62962}},
                              {{3, 2053}, {3, 2053}, {4, 61342}});
  add<1, crdt::max_of<number>>(out, "record of max_of", {{3, 1435}, {3, 1435}, {4, 36361}},
                               {{3, 1435}, {3, 1435}, {4, 35281}});
  add<1, crdt::min_of<number>>(out, "record of min_of", {{3, 1435}, {3, 1435}, {4, 36361}},
                               {{3, 1435}, {3, 1435}, {4, 35281}});
  return out;
}

std::vector<enumerated> records_of_maps() {
  std::vector<enumerated> out;
  add<1, map<number, crdt::lww<number>>>(out, "record of map of lww",
                                         {{2, 150}, {3, 8635}, {4, 593350}},
                                         {{2, 150}, {3, 8635}, {4, 585682}});
  add<1, map<number, crdt::mv<number>>>(out, "record of map of mv",
                                        {{2, 150}, {3, 8635}, {4, 593350}},
                                        {{2, 150}, {3, 8635}, {4, 585682}});
  add<1, map<number, crdt::or_set<number>>>(out, "record of map of or_set",
                                            {{2, 150}, {3, 8635}, {4, 593350}},
                                            {{2, 150}, {3, 8635}, {4, 585682}});
  add<1, map<number, crdt::flag>>(out, "record of map of flag", {{2, 102}, {3, 3919}, {4, 181882}},
                                  {{2, 102}, {3, 3919}, {4, 178534}});
  add<1, map<number, crdt::pn_counter>>(out, "record of map of pn_counter",
                                        {{2, 102}, {3, 3919}, {4, 181882}},
                                        {{2, 102}, {3, 3919}, {4, 178534}});
  add<1, map<number, crdt::g_counter>>(out, "record of map of g_counter",
                                       {{2, 102}, {3, 3919}, {4, 181882}},
                                       {{2, 102}, {3, 3919}, {4, 178534}});
  add<1, map<number, crdt::tally<number>>>(out, "record of map of tally",
                                           {{2, 150}, {3, 8635}, {4, 593350}},
                                           {{2, 150}, {3, 8635}, {4, 585682}});
  add<1, map<number, crdt::max_of<number>>>(out, "record of map of max_of",
                                            {{2, 126}, {3, 6049}, {4, 348430}},
                                            {{2, 126}, {3, 6049}, {4, 343138}});
  add<1, map<number, crdt::min_of<number>>>(out, "record of map of min_of",
                                            {{2, 126}, {3, 6049}, {4, 348430}},
                                            {{2, 126}, {3, 6049}, {4, 343138}});
  add<1, map<number, map<number, crdt::flag>>>(out, "record of map of map of flag",
                                               {{2, 126}, {3, 6337}, {4, 390496}},
                                               {{2, 126}, {3, 6337}, {4, 384880}});
  return out;
}

std::vector<enumerated> larger_records() {
  std::vector<enumerated> out;
  using crdt::lww, crdt::pn_counter, crdt::or_set, crdt::flag;
  add<1, pn_counter, lww<number>>(out, "record of pn_counter and lww",
                                  {{2, 102}, {3, 3631}, {4, 150472}},
                                  {{2, 102}, {3, 3631}, {4, 147448}});
  add<1, lww<number>, lww<number>>(out, "record of two lww, every stamp",
                                   {{2, 258}, {2, 258}, {4, 3649147}},
                                   {{2, 258}, {2, 258}, {4, 3566041}}, stamps::every);
  add<1, or_set<number>, flag, map<number, pn_counter>>(
      out, "record of or_set, flag and map of pn_counter", {{2, 174}, {3, 11389}, {4, 880876}},
      {{2, 174}, {3, 11389}, {4, 870724}});
  add<2, flag>(out, "two records of flag", {{3, 3590}, {3, 3590}, {4, 117614}},
               {{3, 3590}, {3, 3590}, {4, 116318}});
  add<2, pn_counter, lww<number>>(out, "two records of pn_counter and lww",
                                  {{2, 234}, {3, 10574}, {4, 608462}},
                                  {{2, 234}, {3, 10574}, {4, 602414}});
  constexpr crdt_tests::vocabulary_limits amended{1, 1, delete_rule::mixed, true};
  out.push_back({"record of flag, amended, both rules mixed",
                 records_of<1, flag>::subject(),
                 amended,
                 false,
                 {{3, 2497}, {4, 79801}, {5, 2844508}}});
  out.push_back({"record of lww, amended, both rules mixed",
                 records_of<1, lww<number>>::subject(),
                 amended,
                 false,
                 {{2, 138}, {3, 6373}, {4, 339097}}});
  return out;
}

TEST_CASE("every small history of a record of one field reads as the oracle reads it") {
  try_ordinary(records_of_one_field());
}
TEST_CASE("every small history of a record of a map reads as the oracle reads it") {
  try_ordinary(records_of_maps());
}
TEST_CASE("every small history of larger records reads as the oracle reads it") {
  try_ordinary(larger_records());
}
TEST_CASE("every history of records of one field, exhaustively", "[.exhaustive]") {
  try_exhaustively(records_of_one_field());
}
TEST_CASE("every history of records of maps, exhaustively", "[.exhaustive]") {
  try_exhaustively(records_of_maps());
}
TEST_CASE("every history of larger records, exhaustively", "[.exhaustive]") {
  try_exhaustively(larger_records());
}

// Faults of records that the enumeration must find.
std::string found_in(crdt_tests::oracle_subject type, delete_rule rule,
                     const testing::law_subject& functions) {
  type.laws = &functions;
  return crdt_tests::enumeration(
             type, crdt_tests::small_vocabulary(type.shape, {1, 1, rule, false}), 4, false)
      .wrong;
}
using record_of_flag = records_of<1, crdt::flag>;

TEST_CASE("the enumeration finds a join that lets a concurrent creation of before live on") {
  static auto functions = *record_of_flag::subject().laws;
  functions.join = [](bytes_view a, const causal::version& seen_by_a, bytes_view b,
                      const causal::version& seen_by_b) {
    const auto own = crdt::read_cell(record_of_flag::unpack(a)[0]);
    const auto other = crdt::read_cell(record_of_flag::unpack(b)[0]);
    if (own.alive() && !other.alive() && own.incarnation < other.incarnation) return bytes{a};
    return record_of_flag::join(a, seen_by_a, b, seen_by_b);
  };
  CHECK(found_in(record_of_flag::subject(), delete_rule::update_wins, functions) != "");
}
TEST_CASE("the enumeration finds a deletion that loses although it is to win") {
  static auto functions = *record_of_flag::subject().laws;
  functions.apply = [](bytes& state, bytes_view delta, const causal::stamp& by) {
    bytes milder{delta};
    if (milder[1] == static_cast<char>(cell_action::erase_final))
      milder[1] = static_cast<char>(cell_action::erase);
    record_of_flag::apply(state, milder, by);
  };
  CHECK(found_in(record_of_flag::subject(), delete_rule::delete_wins, functions).find("shows") !=
        std::string::npos);
}
TEST_CASE("the enumeration finds a record that comes back as a husk of one field") {
  static auto functions = *record_of_flag::subject().laws;
  functions.apply = [](bytes& state, bytes_view delta, const causal::stamp& by) {
    record_of_flag::apply(state, delta, by);
    auto record = record_of_flag::unpack(state);
    const auto cell = crdt::read_cell(record[0]);
    if (!cell.alive()) record[0].resize(cell.header);
    state = record_of_flag::pack(record);
  };
  CHECK(found_in(record_of_flag::subject(), delete_rule::update_wins, functions) != "");
}

}  // namespace
