// sport_tracker: an offline-first tracker of workouts that several devices share.
#include "sport_tracker/program.hpp"

int main(int count, char** arguments) { return sport_tracker::run_program(count, arguments); }
