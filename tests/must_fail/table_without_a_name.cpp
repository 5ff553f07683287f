// expect: error: .*joinery: a table's name has 1 to 64 bytes
#include "joinery/schema/schema.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
};
#ifdef FIXED
using app = joinery::tables<joinery::table<"profiles", profile>>;
#else
using app = joinery::tables<joinery::table<"", profile>>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
