#include "examples.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/mv.hpp"
#include "replica.hpp"

namespace examples {

using joinery::crdt::lww;
using joinery::crdt::mv;

void show_lww() {
  const auto names = phone_and_watch();
  // [docs]
  using title = lww<std::string>;
  replica<title> phone{0}, watch{1};

  phone.write(title::set("Morning run"), 1000);
  meet(phone, watch);
  phone.write(title::set("Long run"), 3000);
  watch.write(title::set("Interval run"), 2000);
  meet(phone, watch);
  expect(watch.state.get(names) == "Long run");  // concurrent: the later stamp is shown
  expect(watch.state.in_conflict());             // and the other has not been lost

  watch.write(title::set("Interval run"), 1);  // it saw both: the wall clock does not matter
  meet(phone, watch);
  expect(phone.state.get(names) == "Interval run");
  expect(!phone.state.in_conflict());
  // [/docs]
}

void show_mv() {
  // [docs]
  using note = mv<std::string>;
  replica<note> phone{0}, watch{1};

  phone.write(note::set("knee hurts"));
  watch.write(note::set("felt great"));
  meet(phone, watch);
  const std::vector<std::string> both{"felt great", "knee hurts"};
  expect(phone.state.get() == both);

  phone.write(note::set("knee hurt at first"));  // a person resolves it
  meet(phone, watch);
  expect(watch.state.get().size() == 1);
  // [/docs]
}

}  // namespace examples
