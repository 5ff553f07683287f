// What the status says when something is wrong with the store, and how it heals.
#include <catch2/catch.hpp>

#include "joinery/store/lmdb.hpp"
#include "tests/sport_tracker/program.hpp"

using namespace tracker_tests;

namespace {

/// Damages the first record of the snapshot.
void damage_record(const fs::path& store) {
  auto disk = joinery::store::lmdb::open({.path = store.string()}).value();
  disk.write([](auto& w) -> joinery::result<> {
        joinery::bytes key, value;
        w.scan(joinery::history::area::records, {}, [&](auto k, auto v) {
          key.assign(k);
          value.assign(v);
          return false;
        });
        value.back() = static_cast<char>(value.back() ^ 1);
        w.put(joinery::history::area::records, key, value);
        return {};
      })
      .value();
}

}  // namespace

TEST_CASE("the status finds damage, says where it is, and a command that writes mends it") {
  const scratch files;
  const device phone{files, "phone"};
  phone.make({"profile", "set", "name", "Ana Kos"});
  const auto healthy = phone.run({"status"});
  CHECK(healthy.code == 0);
  CHECK_FALSE(has(healthy.out, "damaged"));
  const auto digest = phone.digest();

  damage_record(phone.store());
  const auto hurt = phone.run({"status"});
  CHECK(hurt.code == 0);
  CHECK(has(hurt.out, "damaged entries   1"));
  CHECK(has(hurt.out, "records, key "));
  CHECK(has(hurt.out, "none: quarantined"));

  phone.make({"profile", "set", "bio", "Runs."});
  const auto mended = phone.run({"status"});
  CHECK_FALSE(has(mended.out, "damaged"));
  CHECK(has(mended.out, "digest"));
  CHECK(phone.digest() != digest);  // and all of it can be read
}
