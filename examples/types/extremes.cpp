#include "examples.hpp"
#include "joinery/crdt/extremum.hpp"
#include "replica.hpp"

namespace examples {

using joinery::crdt::max_of;
using joinery::crdt::min_of;

void show_extremes() {
  // [docs]
  replica<max_of<double>> phone{0}, watch{1};  // the longest run, in km

  phone.write(max_of<double>::put(21.1));
  watch.write(max_of<double>::put(10.0));
  meet(phone, watch);
  expect(watch.state.get() == 21.1);

  using lap = min_of<std::chrono::sys_seconds>;  // the first lap of all
  replica<lap> one{0}, other{1};
  const std::chrono::sys_seconds early{std::chrono::seconds{100}};
  one.write(lap::put(early + std::chrono::hours{1}));
  other.write(lap::put(early));
  meet(one, other);
  expect(one.state.get() == early);
  // [/docs]
}

}  // namespace examples
