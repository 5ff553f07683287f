// expect: error: .*joinery: a field that is migrated from is no member of the record any more
#include "joinery/schema/migration.hpp"

using namespace joinery;
struct workout {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(workout, (lww<int>, distance));
#else
  BOOST_HANA_DEFINE_STRUCT(workout, (lww<int>, distance), (lww<double>, distance_km));
#endif
};
int metres(double km) { return static_cast<int>(km * 1000); }
using app = tables<
    table<"workouts", workout, migrate<&workout::distance, lww<double>, metres, "distance_km">>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
