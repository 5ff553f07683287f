// expect: error: .*joinery: an element of an or_set must be a value
#include "joinery/schema/schema.hpp"

struct profile {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::or_set<std::string>, field));
#else
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::or_set<char*>, field));
#endif
};
using app = joinery::tables<joinery::table<"profiles", profile>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
