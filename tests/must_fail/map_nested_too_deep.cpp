// expect: error: .*joinery: maps nest at most three deep
#include "joinery/schema/schema.hpp"

template <class V>
using by_name = joinery::map<std::string, V>;

struct profile {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(profile, (by_name<by_name<by_name<joinery::flag>>>, seen));
#else
  BOOST_HANA_DEFINE_STRUCT(profile, (by_name<by_name<by_name<by_name<joinery::flag>>>>, seen));
#endif
};
using app = joinery::tables<joinery::table<"profiles", profile>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
