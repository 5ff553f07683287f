#include "examples.hpp"
#include "joinery/crdt/counter.hpp"
#include "joinery/crdt/tally.hpp"
#include "replica.hpp"

namespace examples {

using joinery::crdt::g_counter;
using joinery::crdt::pn_counter;
using joinery::crdt::tally;

void show_pn_counter() {
  // [docs]
  replica<pn_counter> phone{0}, watch{1};

  phone.write(pn_counter::add(50));
  watch.write(pn_counter::add(20));
  watch.write(pn_counter::add(-5));
  meet(phone, watch);
  meet(phone, watch);  // meeting twice counts nothing twice
  expect(phone.state.get().value == 65);

  const auto most = std::numeric_limits<std::int64_t>::max();
  expect(!phone.state.can_add(phone.me, most));  // its total would overflow: ask before writing
  expect(!phone.state.get().clamped);            // the sum was not cut to 64 bits either
  // [/docs]
}

void show_g_counter() {
  // [docs]
  replica<g_counter> phone{0}, watch{1};

  phone.write(g_counter::add(3));
  watch.write(g_counter::add(4));
  meet(phone, watch);
  expect(watch.state.get().value == 7);
  // g_counter::add(-1) throws a joinery::failure: invalid_argument
  // [/docs]
  try {
    (void)g_counter::add(-1);
    expect(false);
  } catch (const joinery::failure& f) {
    expect(f.error().code == joinery::errc::invalid_argument);
  }
}

void show_tally() {
  // [docs]
  using xp = tally<std::string>;
  replica<xp> phone{0}, watch{1};

  phone.write(xp::grant("workout 7f3a", 120));
  watch.write(xp::grant("workout 7f3a", 120));  // the same workout, imported on both
  watch.write(xp::grant("workout 91c0", 80));
  meet(phone, watch);
  expect(phone.state.get().value == 200);
  expect(phone.state.at("workout 7f3a") == 120u);
  // [/docs]
}

}  // namespace examples
