// expect: error: .*joinery: a field of the same kind and name cannot change its type
#include "joinery/schema/migration.hpp"

using namespace joinery;
struct workout {
  BOOST_HANA_DEFINE_STRUCT(workout, (lww<int>, distance));
};
int metres(double km) { return static_cast<int>(km * 1000); }
#ifdef FIXED
using app = tables<
    table<"workouts", workout, migrate<&workout::distance, lww<double>, metres, "distance_km">>>;
#else
using app = tables<table<"workouts", workout, migrate<&workout::distance, lww<double>, metres>>>;
#endif

int main() { return app::describe().tables.empty() ? 1 : 0; }
