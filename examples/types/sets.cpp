#include "examples.hpp"
#include "joinery/crdt/flag.hpp"
#include "joinery/crdt/or_set.hpp"
#include "replica.hpp"

namespace examples {

using joinery::crdt::flag;
using joinery::crdt::or_set;

void show_or_set() {
  // [docs]
  using badges = or_set<std::string>;
  replica<badges> phone{0}, watch{1};

  phone.write(badges::insert("first-5k"));
  meet(phone, watch);
  phone.write(badges::erase("first-5k"));
  watch.write(badges::insert("first-5k"));  // it is there already, but this is a change too
  meet(phone, watch);
  expect(phone.state.contains("first-5k"));  // the erasure had not seen the second insertion

  phone.write(badges::erase("first-5k"));
  meet(phone, watch);
  expect(watch.state.size() == 0);
  expect(watch.state.state().empty());  // no tombstone is left behind
  // [/docs]
}

void show_flag() {
  // [docs]
  replica<flag> phone{0}, watch{1};

  phone.write(flag::set(true));
  meet(phone, watch);
  phone.write(flag::set(false));
  watch.write(flag::set(true));
  meet(phone, watch);
  expect(phone.state.get());

  phone.write(flag::set(false));
  meet(phone, watch);
  expect(!watch.state.get());
  // [/docs]
}

}  // namespace examples
