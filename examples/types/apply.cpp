#include "examples.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/crdt/or_set.hpp"
#include "replica.hpp"

namespace examples {

using namespace joinery::crdt;

void show_apply() {
  // [docs]
  using badges = or_set<std::string>;
  // One changeset of replica 0: two operations, one dot.
  version context;
  context.set(0, 1);
  const stamp by{{0, 1}, 1000, context};
  const auto first = badges::insert("first-5k");
  const auto second = badges::insert("early-bird");

  badges a, b;  // on two replicas, each with nothing yet
  for (badges* on : {&a, &b}) {
    on->apply(first, by);
    on->apply(second, by);
  }
  expect(a == b);

  badges c;  // a third one was not told, and merges a's state instead
  const version nothing;
  c.join(nothing, a, context);
  expect(c == a);

  // States travel as bytes. From outside they are checked first, and so are deltas.
  const auto received = unpack<badges>(a.state(), /*replicas in the roster*/ 1);
  expect(received && *received == a);
  expect(!unpack<badges>("no state", 1));
  expect(valid_delta(badges::type(), first));
  // [/docs]
}

void show_values() {
  // [docs]
  expect(encode_value(-2) < encode_value(-1) && encode_value(-1) < encode_value(300));
  expect(decode_value<std::int8_t>(encode_value(300)) == std::nullopt);  // never cut
  using key = std::tuple<std::string, std::optional<int>>;
  expect(decode_value<key>(encode_value(key{"lap", 3})) == key("lap", 3));
  // [/docs]
}

}  // namespace examples
