// expect: error: .*joinery: a migration's function takes the old field's value
#include "joinery/schema/migration.hpp"

using namespace joinery;
struct workout {
  BOOST_HANA_DEFINE_STRUCT(workout, (lww<int>, distance));
};
#ifdef FIXED
int metres(double km) { return static_cast<int>(km * 1000); }
#else
int metres(const std::string& km) { return static_cast<int>(km.size()); }
#endif
using app = tables<
    table<"workouts", workout, migrate<&workout::distance, lww<double>, metres, "distance_km">>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
