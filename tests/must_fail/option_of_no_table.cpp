// expect: error: .*joinery: a table's options are update_wins or delete_wins, rank<N>
#include "joinery/schema/schema.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
};
#ifdef FIXED
using app = joinery::tables<joinery::table<"profiles", profile, joinery::rank<2>>>;
#else
using app = joinery::tables<joinery::table<"profiles", profile, 2>>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
