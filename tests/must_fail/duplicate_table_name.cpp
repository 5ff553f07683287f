// expect: error: .*joinery: two tables have the same name
#include "joinery/schema/schema.hpp"

struct workout {
  BOOST_HANA_DEFINE_STRUCT(workout, (joinery::lww<int>, minutes));
};
struct post {
  BOOST_HANA_DEFINE_STRUCT(post, (joinery::lww<int>, likes));
};
#ifdef FIXED
using app = joinery::tables<joinery::table<"workouts", workout>, joinery::table<"posts", post>>;
#else
using app = joinery::tables<joinery::table<"workouts", workout>, joinery::table<"workouts", post>>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
