// expect: error: .*joinery: a query goes by a field that its table has an index for
#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/replica.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age), (joinery::lww<int>, size));
};
using app = joinery::tables<joinery::table<"profiles", profile, joinery::index<&profile::age>>>;
using database = joinery::replica<app, joinery::history::memory_storage>;

std::size_t count(database& db) {
#ifdef FIXED
  return db.query<profile>().by<&profile::age>().count();
#else
  return db.query<profile>().by<&profile::size>().count();
#endif
}

int main() {}
