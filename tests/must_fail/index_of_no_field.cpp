// expect: error: .*joinery: an index names a field of its table's record
#include "joinery/schema/schema.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
};
struct post {
  BOOST_HANA_DEFINE_STRUCT(post, (joinery::lww<int>, likes));
};
#ifdef FIXED
using app = joinery::tables<joinery::table<"profiles", profile, joinery::index<&profile::age>>>;
#else
using app = joinery::tables<joinery::table<"profiles", profile, joinery::index<&post::likes>>>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
