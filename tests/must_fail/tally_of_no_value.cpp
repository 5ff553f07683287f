// expect: error: .*joinery: the key of a tally must be a value
#include "joinery/schema/schema.hpp"

struct profile {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::tally<std::string>, field));
#else
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::tally<char*>, field));
#endif
};
using app = joinery::tables<joinery::table<"profiles", profile>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
