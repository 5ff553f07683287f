// expect: error: .*joinery: a schema needs at least one table
#include "joinery/schema/schema.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
};
#ifdef FIXED
using app = joinery::tables<joinery::table<"profiles", profile>>;
#else
using app = joinery::tables<>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
