#include "examples.hpp"
#include "joinery/crdt/packed.hpp"
#include "joinery/testing/laws.hpp"
#include "replica.hpp"

namespace examples {

// [docs]
// A latch: once on, on for good. Packed as one byte, or none. Its only delta is that byte.
struct latch_rules {
  static constexpr joinery::crdt::shape type() { return {}; }
  static bool valid(joinery::bytes_view state, joinery::crdt::replica_index) {
    return state.empty() || state == "!";
  }
  static bool valid_delta(joinery::bytes_view delta) { return delta == "!"; }
  static void apply(joinery::bytes_view state, joinery::bytes_view delta,
                    const joinery::crdt::stamp&, joinery::crdt::detail::splice& out) {
    out.removed = state.size();  // all of it, from its beginning
    out.inserted = delta;
  }
  static joinery::bytes join(joinery::bytes_view a, const joinery::crdt::version&,
                             joinery::bytes_view b, const joinery::crdt::version&) {
    return joinery::bytes{a.empty() ? b : a};
  }
  static joinery::bytes reindex(joinery::bytes_view state, const joinery::crdt::reindexing&) {
    return joinery::bytes{state};
  }
};

struct latch : joinery::crdt::packed<latch_rules> {
  using packed::packed;
  static joinery::bytes close() { return "!"; }
  bool closed() const { return !state_.empty(); }
};
// [/docs]

}  // namespace examples

// [docs]
template <>
struct joinery::testing::generator<examples::latch> {
  static bytes delta(prng&, const examples::latch&, causal::replica_index) {
    return examples::latch::close();
  }
  static std::string read(const examples::latch& now, const causal::roster&) {
    return now.closed() ? "closed" : "open";
  }
};
// [/docs]

namespace examples {

void show_a_type_of_your_own() {
  // [docs]
  expect(joinery::testing::broken_law<latch>() == "");
  // [/docs]
}

}  // namespace examples
