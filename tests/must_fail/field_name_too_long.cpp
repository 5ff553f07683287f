// expect: error: .*joinery: a field's name is longer than 64 bytes
#include "joinery/schema/schema.hpp"

struct inner {
  BOOST_HANA_DEFINE_STRUCT(inner, (joinery::lww<int>, a_name_of_thirty_two_bytes_456789));
};
struct profile {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(profile, (inner, short_name));
#else
  BOOST_HANA_DEFINE_STRUCT(profile, (inner, another_name_of_thirty_two_bytes_8));
#endif
};
using app = joinery::tables<joinery::table<"profiles", profile>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
