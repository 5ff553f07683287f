// expect: error: .*joinery: a map holds fields
#include "joinery/schema/schema.hpp"

struct profile {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::map<std::string, joinery::lww<int>>, bests));
#else
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::map<std::string, int>, bests));
#endif
};
using app = joinery::tables<joinery::table<"profiles", profile>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
