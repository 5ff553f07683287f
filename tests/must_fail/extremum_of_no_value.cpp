// expect: error: .*joinery: what a max_of or min_of holds must be a value
#include "joinery/schema/schema.hpp"

struct profile {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::max_of<std::string>, field));
#else
  BOOST_HANA_DEFINE_STRUCT(profile, (joinery::max_of<char*>, field));
#endif
};
using app = joinery::tables<joinery::table<"profiles", profile>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
