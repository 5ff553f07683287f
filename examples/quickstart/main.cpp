#include <joinery/joinery.hpp>
#include <joinery/transport/pipe.hpp>
#include <iostream>

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile,
    (joinery::lww<std::string>, display_name),
    (joinery::pn_counter, xp),
    (joinery::or_set<std::string>, badges));
};
using fitness = joinery::tables<joinery::table<"user_profiles", profile>>;
using database = joinery::stored_replica<fitness>;

int main() {
  auto phone = joinery::open<fitness>("phone.joinery", "my-fitness").value();
  auto watch = joinery::open<fitness>("watch.joinery", "my-fitness").value();

  phone.write([](database::transaction& tx) {  // offline, on the phone
    auto p = tx.create<profile>("me");
    p.display_name = "Ana";
    p.xp += 50;
    p.badges.insert("first-5k");
  }).value();
  watch.write([](database::transaction& tx) {  // offline, on the watch
    auto p = tx.create<profile>("me");
    p.xp += 20;
    p.badges.insert("early-bird");
  }).value();

  joinery::transport::sync_once(phone.endpoint(), watch.endpoint()).value();  // they meet

  auto me = watch.find<profile>("me");
  std::cout << *me->display_name << ": " << *me->xp << " XP, " << me->badges.size() << " badges\n";
  std::cout << (phone.digest().value() == watch.digest().value() ? "in sync\n" : "diverged\n");
}
