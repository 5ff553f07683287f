// Fuzzer of packed states: every kind of CRDT, alone and in maps.
//
// Strategy: the first byte chooses a type; then come the number of replicas, two versions, two
// states, and a delta. States that no run of honest replicas gives are most of what is tried.
// Invariants: whatever is accepted as well-formed keeps well-formed under application, join (in
// both orders, with itself, with nothing) and renumbering of replicas, and is read without harm;
// what is chosen by shape does what the type does. Memory and time grow with the input.
#include "fuzz/support/input.hpp"
#include "joinery/crdt/dispatch.hpp"
#include "joinery/testing/execution.hpp"

namespace fuzz::of_crdts {

using namespace joinery;
using namespace joinery::crdt;
using testing::law_subject;

struct subject {
  shape type;
  const law_subject* laws;
};
template <class C>
constexpr subject of() {
  return {C::type(), &testing::law_subject_of<C>};
}
const subject subjects[] = {
    of<lww<int>>(),
    of<mv<std::string>>(),
    of<or_set<std::string>>(),
    of<flag>(),
    of<pn_counter>(),
    of<g_counter>(),
    of<tally<std::string>>(),
    of<max_of<int>>(),
    of<min_of<std::string>>(),
    of<map<int, lww<int>>>(),
    of<map<std::string, g_counter>>(),
    of<map<bool, map<bool, or_set<int>>>>(),
};

constexpr causal::replica_index most_replicas = 4;

const causal::roster& roster() {
  static const auto all = [] {
    prng dice{1};
    return testing::some_replicas(dice, most_replicas);
  }();
  return all;
}

version some_version(input& in, causal::replica_index replicas) {
  version out;
  for (causal::replica_index r = 0; r < replicas; ++r) out.set(r, in.number());
  return out;
}

class trial {
 public:
  trial(const subject& s, input& in)
      : type_(s.type),
        laws_(*s.laws),
        replicas_(static_cast<causal::replica_index>(1 + in.below(most_replicas))),
        seen_a_(some_version(in, replicas_)),
        seen_b_(some_version(in, replicas_)) {
    const auto a = in.block(), b = in.block();
    const auto time = in.u64();
    const auto by = static_cast<causal::replica_index>(in.below(replicas_));
    const auto delta = in.rest();
    for (const auto state : {a, b})
      demand(laws_.valid(state, replicas_) == valid(type_, state, replicas_), "two judgements");
    demand(laws_.valid_delta(delta) == valid_delta(type_, delta), "two judgements of a delta");
    const bool good_a = valid(type_, a, replicas_), good_b = valid(type_, b, replicas_);
    if (good_a) alone(a);
    if (good_a && good_b) together(a, b);
    if (good_a && valid_delta(type_, delta)) change(a, by, time, delta);
  }

 private:
  void demand_valid(bytes_view state, causal::replica_index of, const char* after) {
    demand(valid(type_, state, of), std::string{"a state that is malformed after "} + after);
  }

  void alone(bytes_view a) {
    look(a);
    for (const bool canonical : {false, true}) {
      const reindexing map{{3, 1, 2, 0}, canonical};
      const auto moved = reindex(type_, a, map);
      demand_valid(moved, most_replicas, "renumbering");
      demand(moved == laws_.reindex(a, map), "two renumberings");
      if (!canonical) demand(reindex(type_, moved, map) == a, "renumbering back gives another");
    }
    demand_valid(join(type_, a, seen_a_, a, seen_a_), replicas_, "a join with itself");
    demand_valid(join(type_, a, seen_a_, {}, {}), replicas_, "a join with nothing");
    demand(join(type_, a, seen_a_, {}, version{}) == a, "a join with what never was anything");
  }

  void together(bytes_view a, bytes_view b) {
    const auto ab = join(type_, a, seen_a_, b, seen_b_);
    demand_valid(ab, replicas_, "a join");
    demand(ab == laws_.join(a, seen_a_, b, seen_b_), "two joins");
    demand_valid(join(type_, b, seen_b_, a, seen_a_), replicas_, "the join the other way");
    look(ab);
    auto both = seen_a_;
    both.merge(seen_b_);
    demand_valid(join(type_, ab, both, b, seen_b_), replicas_, "joining once more");
  }

  void change(bytes_view a, causal::replica_index by, causal::hlc time, bytes_view delta) {
    auto context = seen_a_;
    context.raise({by, std::min(context.at(by), ~std::uint64_t{0} - 1) + 1});
    const stamp at{{by, context.at(by)}, time, context};
    bytes state{a}, other{a};
    apply(type_, a, delta, at).onto(state);
    demand_valid(state, replicas_, "a change");
    laws_.apply(other, delta, at);
    demand(state == other, "two changes");
    look(state);
    demand_valid(join(type_, state, context, a, seen_a_), replicas_, "a join with what it was");
  }

  /// Values of other types than the program's are refused by an exception of ours, or passed over.
  void look(bytes_view state) {
    try {
      static_cast<void>(laws_.read(state, roster()));
    } catch (const failure&) {}
  }

  shape type_;
  const law_subject& laws_;
  causal::replica_index replicas_;
  version seen_a_, seen_b_;
};

void run(bytes_view data) {
  input in{data};
  const auto& s = in.pick(subjects);
  trial{s, in};
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  for (std::size_t n = 0; n < std::size(subjects); ++n) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      const testing::execution history{*subjects[n].laws, seed, 14};
      const auto& moments = history.moments();
      const auto& a = moments[moments.size() / 2];
      const auto& b = moments.back();
      bytes one{static_cast<char>(n), static_cast<char>(most_replicas - 1)};
      for (const auto* m : {&a, &b})
        for (causal::replica_index r = 0; r < most_replicas; ++r)
          one.push_back(static_cast<char>(m->seen.at(r)));
      write_block(one, a.state);
      write_block(one, b.state);
      one += bytes(8, '\1') + '\1';
      if (const auto& all = history.changesets(); !all.empty() && !all.back().deltas.empty())
        one += all.back().deltas.front();
      out.push_back(one);
    }
  }
  return out;
}

const registration here{{"crdt", run, seeds, {256, 64u << 10, 100}}};

}  // namespace fuzz::of_crdts
