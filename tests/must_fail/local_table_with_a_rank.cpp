// expect: error: .*joinery: a local_only table has no delete rule and no rank
#include "joinery/schema/schema.hpp"

struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::lww<int>, age));
};
#ifdef FIXED
using app = joinery::tables<joinery::table<"profiles", profile, joinery::local_only>>;
#else
using app =
    joinery::tables<joinery::table<"profiles", profile, joinery::local_only, joinery::rank<2>>>;
#endif

int main() { return app::describe(true).tables.empty() ? 1 : 0; }
