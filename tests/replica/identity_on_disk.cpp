// Stores on disk that are copied, moved and put back.
#include <catch2/catch.hpp>

#include "joinery/store/lmdb.hpp"
#include "joinery/transport/pipe.hpp"
#include "tests/replica/sport_like.hpp"
#include "tests/store/support.hpp"

using namespace replica_tests;
using store::lmdb;
using store_tests::temporary_directory;
namespace fs = std::filesystem;

namespace {

using disk_replica = replica<app, lmdb>;

disk_replica open(const std::string& path) {
  auto storage = lmdb::open({.path = path, .initial_map_bytes = std::size_t{1} << 20});
  return disk_replica::open(std::move(storage.value()), {.space = space_named("identity tests")})
      .value();
}
void earn(disk_replica& r, int xp, const std::string& badge_of = "ana") {
  r.write([&](auto& tx) {
     auto a = tx.template create<athlete>(badge_of);
     a.xp += xp;
     a.badges.insert(xp);
     a.laps[1][xp] += xp;
   }).value();
}
std::string shown(disk_replica& r, const std::string& key = "ana") {
  const auto row = r.find<athlete>(key);
  return row ? show_record(*row) : "none";
}
std::int64_t xp(disk_replica& r) { return *r.find<athlete>("ana")->xp; }
void meet(disk_replica& a, disk_replica& b) {
  transport::sync_once(a.endpoint(), b.endpoint()).value();
}
replica_id id_of(disk_replica& r) { return r.status().self; }

/// As `cp` over the file that is there: the file keeps its place.
void put_back(const std::string& image, const std::string& path) {
  fs::copy_file(image + "/data.mdb", path + "/data.mdb", fs::copy_options::overwrite_existing);
}

}  // namespace

TEST_CASE("a closed store that is put back goes on under a new id as soon as it meets anybody") {
  temporary_directory home;
  const auto phone = home.path("phone"), image = home.path("image");
  auto hub = open(home.path("hub"));
  {
    auto p = open(phone);
    earn(p, 1);
    meet(p, hub);
    earn(p, 2);
    p.checkpoint().value();
  }
  fs::copy(phone, image);
  {
    auto p = open(phone);
    earn(p, 10);
    p.write([](auto& tx) { tx.template erase<athlete>("ana"); }).value();
    earn(p, 20);
    meet(p, hub);
  }
  CHECK(xp(hub) == 20);
  for (int again = 0; again < 2; ++again) {
    put_back(image, phone);
    auto p = open(phone);
    const auto old_id = id_of(p);
    CHECK(xp(p) == 3);
    earn(p, 100, "ben");
    p.checkpoint().value();
    meet(p, hub);
    CHECK(id_of(p) != old_id);
    CHECK(xp(p) == 20);
    CHECK(*hub.find<athlete>("ben")->xp == 100 * (again + 1));
    CHECK(shown(p) == shown(hub));
    CHECK(p.digest().value() == hub.digest().value());
    CHECK(p.status().forks.empty());
    const auto digest = p.digest().value();
    earn(p, 1, "cleo");
    const auto id = id_of(p);
    p = open(home.path("elsewhere"));  // closes the phone's
    auto q = open(phone);
    CHECK(id_of(q) == id);
    CHECK(q.digest().value() != digest);
    meet(q, hub);
    CHECK(q.digest().value() == hub.digest().value());
  }
}

TEST_CASE(
    "a store that was copied while it was open is another replica from its first opening on") {
  for (const bool compact : {false, true}) {
    temporary_directory home;
    auto storage = lmdb::open({.path = home.path("a")}).value();
    lmdb* live = nullptr;
    auto a =
        disk_replica::open(std::move(storage), {.space = space_named("identity tests")}).value();
    live = &a.endpoint().storage();
    earn(a, 1);
    live->copy_to(home.path("b"), compact).value();
    earn(a, 10);
    auto b = open(home.path("b"));
    CHECK(id_of(b) != id_of(a));
    CHECK(b.status().former_ids == std::vector{id_of(a)});
    earn(b, 100);
    CHECK(xp(b) == 101);
    auto hub = open(home.path("hub"));
    meet(b, hub);
    meet(a, hub);
    meet(a, b);
    CHECK(xp(hub) == 111);
    CHECK(xp(a) == 111);
    CHECK(a.digest().value() == b.digest().value());
    CHECK(a.status().former_ids.empty());
  }
}

TEST_CASE("a store that was moved is the same replica, and its copy is not") {
  temporary_directory home;
  replica_id id;
  {
    auto a = open(home.path("a"));
    earn(a, 1);
    id = id_of(a);
  }
  {
    auto a = open(home.path("a"));
    CHECK(id_of(a) == id);
  }
  fs::rename(home.path("a"), home.path("moved"));
  {
    auto a = open(home.path("moved"));
    CHECK(id_of(a) == id);
    CHECK(a.status().former_ids.empty());
  }
  fs::create_directory(home.path("copy"));
  fs::copy_file(home.path("moved") + "/data.mdb", home.path("copy") + "/data.mdb");
  auto copy = open(home.path("copy"));
  CHECK(id_of(copy) != id);
  CHECK(xp(copy) == 1);
}
