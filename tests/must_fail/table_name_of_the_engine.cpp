// expect: error: .*joinery: names of tables that begin with 'joinery.' are the engine's own
#include "joinery/schema/schema.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
};
#ifdef FIXED
using app = joinery::tables<joinery::table<"joinery", profile>>;
#else
using app = joinery::tables<joinery::table<"joinery.profiles", profile>>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
