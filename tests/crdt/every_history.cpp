// Every small history of every type against the oracle (enumeration.hpp).
#include "tests/crdt/enumerated.hpp"

namespace {

using namespace crdt_tests;
using crdt::map;

template <class C>
enumerated of(const char* name, extents reach, vocabulary_limits limits = {}) {
  return {name, oracle_subject_of<C>(), limits, false, reach};
}
template <class C>
enumerated with_stamps(const char* name, extents reach, vocabulary_limits limits = {}) {
  return {name, oracle_subject_of<C>(), limits, true, reach};
}

std::vector<enumerated> plain_types() {
  return {
      with_stamps<crdt::lww<number>>("lww, every stamp and order of ids",
                                     {{2, 600}, {3, 36900}, {4, 2856544}}),
      of<crdt::mv<number>>("mv", {{3, 5692}, {4, 142396}, {5, 3881020}}),
      of<crdt::or_set<number>>("or_set", {{3, 5692}, {4, 142396}, {5, 3881020}}),
      of<crdt::flag>("flag", {{3, 746}, {4, 9290}, {5, 126122}}),
      of<crdt::pn_counter>("pn_counter", {{3, 746}, {4, 9290}, {5, 126122}}),
      of<crdt::g_counter>("g_counter", {{3, 746}, {4, 9290}, {5, 126122}}),
      of<crdt::tally<number>>("tally", {{3, 5692}, {3, 5692}, {4, 142396}}),
      of<crdt::max_of<number>>("max_of", {{3, 2439}, {4, 45693}, {5, 932886}}),
      of<crdt::min_of<number>>("min_of", {{3, 2439}, {4, 45693}, {5, 932886}}),
  };
}

std::vector<enumerated> cells() {
  constexpr vocabulary_limits both_rules{2, 2, delete_rule::mixed, false};
  return {
      of<cell_of<crdt::flag>>("cell of flag, both rules mixed",
                              {{3, 1243}, {4, 27301}, {5, 667552}}, both_rules),
      of<cell_of<crdt::pn_counter>>("cell of pn_counter, both rules mixed",
                                    {{3, 1243}, {4, 27301}, {5, 667552}}, both_rules),
      of<cell_of<crdt::mv<number>>>("cell of mv, both rules mixed",
                                    {{3, 2497}, {3, 2497}, {4, 80449}}, both_rules),
  };
}

std::vector<enumerated> maps() {
  constexpr vocabulary_limits one_key{1, 1, delete_rule::update_wins, false};
  return {
      of<map<number, crdt::lww<number>>>("map of lww", {{2, 1650}, {2, 1650}, {4, 7358470}}),
      with_stamps<map<number, crdt::lww<number>>>("map of lww, one key, every stamp",
                                                  {{2, 1050}, {3, 91440}, {4, 10187615}}, one_key),
      of<map<number, crdt::mv<number>>>("map of mv", {{2, 1650}, {2, 1650}, {4, 7358470}}),
      of<map<number, crdt::or_set<number>>>("map of or_set", {{2, 1650}, {2, 1650}, {4, 7358470}}),
      of<map<number, crdt::flag>>("map of flag", {{2, 630}, {3, 25146}, {4, 1143450}}),
      of<map<number, crdt::pn_counter>>("map of pn_counter", {{2, 630}, {3, 25146}, {4, 1143450}}),
      of<map<number, crdt::g_counter>>("map of g_counter", {{2, 630}, {3, 25146}, {4, 1143450}}),
      of<map<number, crdt::tally<number>>>("map of tally", {{2, 1650}, {2, 1650}, {4, 7358470}}),
      of<map<number, crdt::mv<number>>>("map of mv, one key", {{2, 450}, {3, 14645}, {}}, one_key),
      of<map<number, crdt::or_set<number>>>("map of or_set, one key", {{2, 450}, {3, 14645}, {}},
                                            one_key),
      of<map<number, crdt::tally<number>>>("map of tally, one key", {{2, 450}, {3, 14645}, {}},
                                           one_key),
      of<map<number, crdt::max_of<number>>>("map of max_of", {{2, 1080}, {3, 55520}, {4, 3234392}}),
      of<map<number, crdt::min_of<number>>>("map of min_of", {{2, 1080}, {3, 55520}, {4, 3234392}}),
  };
}

std::vector<enumerated> nested_maps() {
  constexpr vocabulary_limits one_key{1, 1, delete_rule::update_wins, false};
  using flags = map<number, map<number, crdt::flag>>;
  return {
      of<flags>("map of map of flag", {{2, 3294}, {2, 3294}, {3, 301994}}),
      of<flags>("map of map of flag, two keys outside", {{2, 1152}, {3, 64520}, {4, 4163642}},
                {2, 1}),
      of<flags>("map of map of flag, two keys inside", {{2, 912}, {3, 44779}, {4, 2499580}},
                {1, 2}),
      of<map<number, map<number, crdt::or_set<number>>>>(
          "map of map of or_set, one key", {{2, 690}, {3, 29070}, {4, 1375065}}, one_key),
      of<map<number, flags>>("map of map of map of flag, one key",
                             {{2, 534}, {3, 20957}, {4, 932273}}, one_key),
  };
}

TEST_CASE("every small history of a type of one value reads as the oracle reads it") {
  try_ordinary(plain_types());
}
TEST_CASE("every small history of a cell reads as the oracle reads it") { try_ordinary(cells()); }
TEST_CASE("every small history of a map reads as the oracle reads it") { try_ordinary(maps()); }
TEST_CASE("every small history of a map of maps reads as the oracle reads it") {
  try_ordinary(nested_maps());
}
TEST_CASE("every history of types of one value and cells, exhaustively", "[.exhaustive]") {
  try_exhaustively(plain_types());
  try_exhaustively(cells());
}
TEST_CASE("every history of maps, exhaustively", "[.exhaustive]") { try_exhaustively(maps()); }
TEST_CASE("every history of maps of maps, exhaustively", "[.exhaustive]") {
  try_exhaustively(nested_maps());
}

TEST_CASE("the enumeration tries each history once") {
  // By hand: 3, 12, 58 and 321 ways in which 1, 2, 3 and 4 changesets of three replicas can have
  // seen each other; and 1, 3, 3 and 1 ways to cut four operations into 1, 2, 3 and 4 changesets.
  const enumeration one_word(oracle_subject_of<crdt::g_counter>(), {{verb::count, 1}}, 4, false);
  CHECK(one_word.counts.histories ==
        3 + (3 + 12) + (3 + 2 * 12 + 58) + (3 + 3 * 12 + 3 * 58 + 321));
}

// What the enumeration is for: it must find types that are wrong in ways that tests by example
// miss.
oracle_subject broken(const joinery::testing::law_subject& functions, oracle_subject type) {
  type.laws = &functions;
  return type;
}
std::string found_in(const oracle_subject& type, bool stamps = false) {
  return enumeration(type, small_vocabulary(type.shape, {}), 3, stamps).wrong;
}

TEST_CASE("the enumeration finds a remove that takes away what it has not seen") {
  static auto functions = joinery::testing::law_subject_of<crdt::or_set<number>>;
  functions.apply = [](bytes& state, bytes_view delta, const crdt::stamp& by) {
    crdt::version everything;
    for (crdt::replica_index r = 0; r < 3; ++r) everything.set(r, 9);
    crdt::or_set<number> set{bytes{state}};
    set.apply(delta, {by.at, by.time, everything});
    state = set.state();
  };
  CHECK(found_in(broken(functions, oracle_subject_of<crdt::or_set<number>>())) != "");
}
TEST_CASE("the enumeration finds a join that keeps what one side has seen removed") {
  static auto functions = joinery::testing::law_subject_of<crdt::flag>;
  functions.join = [](bytes_view a, const crdt::version&, bytes_view b, const crdt::version&) {
    crdt::flag flag{bytes{a}};
    flag.join({}, crdt::flag{bytes{b}}, {});
    return bytes{flag.state()};
  };
  CHECK(found_in(broken(functions, oracle_subject_of<crdt::flag>())).find("join") !=
        std::string::npos);
}
TEST_CASE("the enumeration finds a canonical form that holds a replica's own numbers") {
  static auto functions = joinery::testing::law_subject_of<crdt::mv<number>>;
  functions.reindex = [](bytes_view state, const crdt::reindexing&) { return bytes{state}; };
  CHECK(found_in(broken(functions, oracle_subject_of<crdt::mv<number>>())).find("numbered") !=
        std::string::npos);
}
TEST_CASE("the enumeration finds a tie that is broken by the wrong id") {
  auto type = oracle_subject_of<crdt::lww<number>>();
  type.read = [](bytes_view state, const roster& ids) {
    roster mirrored;
    for (crdt::replica_index r = 3; r-- > 0;) mirrored.add(ids[r]);
    return subject<crdt::lww<number>>::read(crdt::lww<number>{bytes{state}}, mirrored);
  };
  CHECK(found_in(type, true).find("shows") != std::string::npos);
}

}  // namespace
