// expect: error: .*joinery: every member of a record must be a field
#include "joinery/schema/schema.hpp"

struct profile {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age), (joinery::flag, active));
#else
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age), (bool, active));
#endif
};
using app = joinery::tables<joinery::table<"profiles", profile>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
