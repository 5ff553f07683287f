// expect: error: .*joinery: the key of a map must be a value
#include "joinery/schema/schema.hpp"

struct profile {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::map<double, joinery::flag>, seen));
#else
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::map<float, joinery::flag>, seen));
#endif
};
using app = joinery::tables<joinery::table<"profiles", profile>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
