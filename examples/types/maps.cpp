#include "examples.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"
#include "replica.hpp"

namespace examples {

using joinery::crdt::map;
using joinery::crdt::or_set;
using joinery::crdt::pn_counter;

void show_map() {
  // [docs]
  using streaks = map<std::string, pn_counter>;
  replica<streaks> phone{0}, watch{1};

  phone.write(phone.state.update("run", pn_counter::add(3)));
  meet(phone, watch);
  phone.write(phone.state.erase("run").value());
  watch.write(watch.state.update("run", pn_counter::add(1)));
  meet(phone, watch);
  expect(phone.state.at("run")->get().value == 4);  // the update wins, and brings all of it back

  phone.write(phone.state.erase("run").value());
  phone.write(phone.state.update("run", pn_counter::add(1)));  // made again: the next incarnation
  watch.write(watch.state.update("run", pn_counter::add(1)));  // of the old one
  meet(phone, watch);
  expect(watch.state.at("run")->get().value == 1);  // nothing of the old one shows, seen or not
  // [/docs]
}

void show_map_of_maps() {
  // [docs]
  using places = map<std::string, or_set<std::string>>;  // the routes of a town
  using countries = map<std::string, places>;
  replica<countries> phone{0};

  const auto routes = or_set<std::string>::insert("river loop");
  const auto towns = phone.state.at("fr").value_or(places{});
  phone.write(phone.state.update("fr", towns.update("Lyon", routes)));
  expect(phone.state.at("fr")->at("Lyon")->contains("river loop"));
  // [/docs]
}

}  // namespace examples
