// expect: error: .*joinery: a record must be declared with BOOST_HANA_DEFINE_STRUCT
#include "joinery/schema/schema.hpp"

struct profile {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
#else
  joinery::lww<int> age;
#endif
};
using app = joinery::tables<joinery::table<"profiles", profile>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
