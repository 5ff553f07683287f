// expect: error: .*joinery: a migration cannot feed a counter
#include "joinery/schema/migration.hpp"

using namespace joinery;
struct workout {
#ifdef FIXED
  BOOST_HANA_DEFINE_STRUCT(workout, (tally<std::string>, xp));
#else
  BOOST_HANA_DEFINE_STRUCT(workout, (pn_counter, xp));
#endif
};
struct convert {
  void operator()(const lww<int>& from, pn_counter& to) const { to += *from; }
  void operator()(const lww<int>& from, tally<std::string>& to) const {
    to.grant("before", static_cast<std::uint64_t>(*from));
  }
};
using app = tables<table<"workouts", workout, migrate<&workout::xp, lww<int>, convert{}>>>;

int main() { return app::describe().tables.empty() ? 1 : 0; }
