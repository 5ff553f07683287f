// expect: error: .*joinery: a table has one delete rule
#include "joinery/schema/schema.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
};
#ifdef FIXED
using app = joinery::tables<joinery::table<"profiles", profile, joinery::delete_wins>>;
#else
using app = joinery::tables<
    joinery::table<"profiles", profile, joinery::delete_wins, joinery::update_wins>>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
