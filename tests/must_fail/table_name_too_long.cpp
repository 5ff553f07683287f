// expect: error: .*joinery: a table's name has 1 to 64 bytes
#include "joinery/schema/schema.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
};
#ifdef FIXED
using app = joinery::tables<
    joinery::table<"0123456789012345678901234567890123456789012345678901234567890123", profile>>;
#else
using app = joinery::tables<
    joinery::table<"01234567890123456789012345678901234567890123456789012345678901234", profile>>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
