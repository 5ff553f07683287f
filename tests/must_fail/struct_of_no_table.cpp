// expect: error: .*joinery: this struct is the record of no table of the schema
#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/replica.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
};
struct stranger {
  BOOST_HANA_DEFINE_STRUCT(stranger, (joinery::lww<int>, age));
};
using app = joinery::tables<joinery::table<"profiles", profile>>;
using database = joinery::replica<app, joinery::history::memory_storage>;

int main() {
  auto db =
      database::open(joinery::history::memory_storage{}, {.space = joinery::space_named("app")})
          .value();
#ifdef FIXED
  return db.find<profile>("me") ? 1 : 0;
#else
  return db.find<stranger>("me") ? 1 : 0;
#endif
}
