// expect: error: .*joinery: a migration leads to a field of the table's record
#include "joinery/schema/migration.hpp"

using namespace joinery;
struct workout {
  BOOST_HANA_DEFINE_STRUCT(workout, (lww<int>, distance));
};
struct walk {
  BOOST_HANA_DEFINE_STRUCT(walk, (lww<int>, distance));
};
int metres(double km) { return static_cast<int>(km * 1000); }
#ifdef FIXED
using record = workout;
#else
using record = walk;
#endif
using app = tables<
    table<"workouts", record, migrate<&workout::distance, lww<double>, metres, "distance_km">>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
