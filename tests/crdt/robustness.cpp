// Bytes from outside: nothing crashes, and what is accepted keeps everything acceptable.
//
// Strategy: states and deltas of random executions, with bytes changed, cut, added or taken from
// another; and plain random bytes. Whatever `valid` and `valid_delta` let through is applied,
// joined, reindexed and read; the result must be valid again ("closed"). The sanitizers of the test
// presets watch over the memory.
#include <catch2/catch.hpp>

#include "joinery/crdt/dispatch.hpp"
#include "joinery/testing/execution.hpp"
#include "tests/crdt/cell_of.hpp"

namespace {

using namespace joinery::crdt;
using joinery::bytes;
using joinery::bytes_view;
using joinery::testing::execution;
using joinery::testing::law_subject;
using joinery::testing::law_subject_of;
using joinery::testing::prng;

bytes random_bytes(prng& random) {
  bytes out;
  for (auto n = random.below(24); n > 0; --n)
    out.push_back(static_cast<char>(random.chance(70) ? random.below(8) : random.next()));
  return out;
}

bytes mutated(bytes data, const bytes& other, prng& random) {
  for (auto n = 1 + random.below(2); n > 0; --n) {
    const auto at = static_cast<std::size_t>(random.below(data.size() + 1));
    switch (random.below(5)) {
      case 0: data.insert(at, 1, static_cast<char>(random.below(8))); break;
      case 1: data = data.substr(0, at); break;
      case 2: data = data.substr(0, at) + other.substr(std::min(at, other.size())); break;
      default:
        if (at < data.size())
          data[at] = static_cast<char>(random.chance(70) ? random.below(8) : random.next());
    }
  }
  return data;
}

class closedness {
 public:
  std::size_t states_taken = 0, deltas_taken = 0;
  std::string wrong;

  closedness(const law_subject& type, std::uint64_t seed)
      : type_(type), random_(seed), run_(type, seed, 12) {
    for (const auto& m : run_.moments()) states_.push_back(m.state);
    for (const auto& c : run_.changesets())
      deltas_.insert(deltas_.end(), c.deltas.begin(), c.deltas.end());
    if (deltas_.empty()) return;
    for (int i = 0; i < 20; ++i) take_state(), take_delta();
    for (int i = 0; i < 20 && wrong.empty(); ++i) try_together();
  }

 private:
  replica_index replicas() const { return static_cast<replica_index>(run_.replicas().size()); }

  void take_state() {
    const bytes a{random_.pick(states_)}, b{random_.pick(states_)};
    const auto s = random_.chance(20) ? random_bytes(random_) : mutated(a, b, random_);
    if (!type_.valid(s, replicas())) return;
    ++states_taken;
    states_.push_back(s);
  }
  void take_delta() {
    const auto d = random_.chance(20)
                       ? random_bytes(random_)
                       : mutated(random_.pick(deltas_), random_.pick(deltas_), random_);
    if (!type_.valid_delta(d)) return;
    ++deltas_taken;
    deltas_.push_back(d);
  }
  void try_together() {
    auto s = random_.pick(states_);
    const auto seen = random_.pick(run_.moments()).seen;
    if (random_.chance(50)) {
      const auto r = static_cast<replica_index>(random_.below(replicas()));
      auto context = seen;
      context.raise({r, context.at(r) + 1});
      type_.apply(s, random_.pick(deltas_), {{r, context.at(r)}, random_.next(), context});
    } else {
      s = type_.join(s, seen, random_.pick(states_), random_.pick(run_.moments()).seen);
    }
    expect_valid(s);
    expect_valid(type_.reindex(s, {{3, 1, 2, 0}, random_.chance(50)}), 4);
    (void)type_.read(s, run_.replicas());
    states_.push_back(s);
  }
  void expect_valid(bytes_view state, replica_index of = 0) {
    if (!type_.valid(state, of == 0 ? replicas() : of)) wrong = joinery::to_hex(state);
  }

  const law_subject& type_;
  prng random_;
  execution run_;
  std::vector<bytes> states_;
  std::vector<bytes> deltas_;
};

template <class C>
void check_closed() {
  std::size_t states = 0, deltas = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    closedness run(law_subject_of<C>, seed);
    CAPTURE(seed);
    CHECK(run.wrong == "");
    if (!run.wrong.empty()) return;
    states += run.states_taken;
    deltas += run.deltas_taken;
  }
  CHECK(states > 100);  // or the test would show nothing
  CHECK(deltas > 100);
}

TEST_CASE("registers stay well-formed under whatever they accept") {
  check_closed<lww<int>>();
  check_closed<mv<std::string>>();
}
TEST_CASE("sets and flags stay well-formed under whatever they accept") {
  check_closed<or_set<std::string>>();
  check_closed<flag>();
}
TEST_CASE("counters, tallies and extremes stay well-formed under whatever they accept") {
  check_closed<pn_counter>();
  check_closed<g_counter>();
  check_closed<tally<std::string>>();
  check_closed<max_of<int>>();
  check_closed<min_of<std::string>>();
}
TEST_CASE("maps and cells stay well-formed under whatever they accept") {
  check_closed<map<int, lww<int>>>();
  check_closed<map<std::string, g_counter>>();
  check_closed<map<bool, map<bool, or_set<int>>>>();
  check_closed<crdt_tests::cell_of<tally<int>>>();
}

TEST_CASE("no bytes crash any shape") {
  std::vector<shape> shapes;
  for (std::uint32_t k = 1; k <= 9; ++k) {
    shape s = static_cast<kind>(k);
    shapes.push_back(s);
    while (s.levels() < shape::max_levels) shapes.push_back(s = shape::map_of(s));
  }
  CHECK(shapes.size() == 36);
  prng random(7);
  std::size_t accepted = 0;
  for (int i = 0; i < 30'000; ++i) {
    const auto type = random.pick(shapes);
    REQUIRE(type.valid());
    const auto data = random_bytes(random);
    version seen;
    seen.set(1, 2);
    if (valid(type, data, 3) && valid(type, join(type, data, {}, data, seen), 3)) ++accepted;
    if (!valid_delta(type, data)) continue;
    bytes state;
    apply(type, state, data, {{1, 2}, 0, seen}).onto(state);
    CHECK(valid(type, state, 3));
    ++accepted;
  }
  CHECK(accepted > 1000);
}

TEST_CASE("a state that names a replica beyond the roster is refused") {
  const bytes dot_of_2("\x02\x01", 2);
  CHECK(valid(kind::flag, dot_of_2, 3));
  CHECK_FALSE(valid(kind::flag, dot_of_2, 2));
  CHECK_FALSE(valid(kind::pn_counter, dot_of_2 + '\2', 2));
  CHECK_FALSE(valid(kind::mv, dot_of_2 + bytes(9, '\0') + "\1x", 2));
}

TEST_CASE("deltas that say nothing, too little or too much are refused") {
  const auto refused = [](shape type, bytes_view delta) { return !valid_delta(type, delta); };
  for (std::uint32_t k = 1; k <= 9; ++k) {
    CHECK(refused(static_cast<kind>(k), ""));
    CHECK(refused(shape::map_of(static_cast<kind>(k)), ""));
  }
  CHECK(refused(kind::lww, bytes_view{"\0", 1}));  // a rank without a value
  CHECK(refused(kind::or_set, "\1"));              // the insertion of nothing
  CHECK(refused(kind::or_set, "\2x"));
  CHECK(refused(kind::tally, "\5"));
  CHECK(refused(kind::flag, "\2"));
  CHECK(refused(kind::flag, "\1\1"));
  CHECK(refused(kind::pn_counter, "\2\2"));
  const shape flags = shape::map_of(kind::flag);
  CHECK(valid_delta(flags, bytes_view{"\1k\1\1\1", 5}));  // update "k" in its first incarnation
  CHECK(refused(flags, bytes_view{"\0\1\1\1", 4}));       // no key
  CHECK(refused(flags, bytes_view{"\1k\0\1\1", 5}));      // incarnation 0
  CHECK(refused(flags, bytes_view{"\1k\1\4\1", 5}));      // an unknown action
  CHECK(refused(flags, bytes_view{"\1k\1\1\7", 5}));      // a delta that is none of a flag
  CHECK(refused(flags, bytes_view{"\1k\1\2\1", 5}));      // an erasure with something behind it
  CHECK(refused(shape::map_of(flags), bytes_view{"\1k\1\1\1", 5}));
}

TEST_CASE("a state out of order, with two dots of a replica, or with a dot of none is refused") {
  const auto flag_of = [](bytes_view dots) { return valid(kind::flag, dots, 9); };
  CHECK(flag_of(bytes_view{"\1\1\2\1", 4}));
  CHECK_FALSE(flag_of(bytes_view{"\2\1\1\1", 4}));
  CHECK_FALSE(flag_of(bytes_view{"\1\1\1\2", 4}));
  CHECK_FALSE(flag_of(bytes_view{"\1\0", 2}));
  CHECK_FALSE(flag_of(bytes_view{"\1", 1}));
  CHECK_FALSE(flag_of(bytes_view{"\x81\0\1", 3}));  // a varint in a longer form
  const auto set_of = [](bytes_view entries) { return valid(kind::or_set, entries, 9); };
  CHECK(set_of(bytes_view{"\1a\2\1\1\1b\2\1\1", 10}));
  CHECK_FALSE(set_of(bytes_view{"\1b\2\1\1\1a\2\1\1", 10}));
  CHECK_FALSE(set_of(bytes_view{"\1a\2\1\1\1a\2\1\1", 10}));
  CHECK_FALSE(set_of(bytes_view{"\1a\0", 3}));
}

// A peer that lies about seqs could plant a dot that no version covers, and the next honest change
// put a second dot of that replica beside it: the state would then be refused by the store that
// wrote it.
TEST_CASE("a planted dot of the future does not make an honest change malformed") {
  version seen;
  seen.set(0, 6);
  const stamp by{{0, 6}, 1, seen};
  bytes planted("\0\x09", 2);
  flag f{planted};
  f.apply(flag::set(true), by);
  CHECK(unpack<flag>(f.state(), 1).has_value());

  or_set<int> s;
  s.apply(s.insert(1), {{0, 9}, 1, seen});
  s.apply(s.insert(1), by);
  CHECK(unpack<or_set<int>>(s.state(), 1).has_value());

  lww<int> r;
  r.apply(r.set(1), {{0, 9}, 1, seen});
  r.apply(r.set(2), by);
  CHECK(unpack<lww<int>>(r.state(), 1).has_value());
}

TEST_CASE("an incarnation at its end is refused a successor instead of starting over") {
  using counts = map<int, pn_counter>;
  // What a hostile peer sends: the entry, erased, in the last incarnation there is.
  const auto last = detail::cell_delta(~std::uint64_t{0}, cell_action::erase);
  bytes delta;
  joinery::byte_writer w{delta};
  w.block(encode_value(1));
  w.raw(last);
  REQUIRE(counts::rules_type::valid_delta(delta));
  version seen;
  seen.set(0, 1);
  counts c;
  c.apply(delta, {{0, 1}, 1, seen});
  for (const auto& write : {+[](const counts& m) { return m.create(1); },
                            +[](const counts& m) { return m.update(1, pn_counter::add(1)); }}) {
    try {
      (void)write(c);
      FAIL("an incarnation after the last");
    } catch (const joinery::failure& f) {
      CHECK(f.error().code == joinery::errc::overflow);
    }
  }
}

}  // namespace
