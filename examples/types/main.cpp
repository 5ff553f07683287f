// Runs the examples of docs/types.md.
#include <exception>
#include <iostream>
#include <utility>

#include "examples.hpp"

int main() {
  using namespace examples;
  const std::pair<const char*, void (*)()> all[] = {
      {"lww", show_lww},
      {"mv", show_mv},
      {"or_set", show_or_set},
      {"pn_counter", show_pn_counter},
      {"g_counter", show_g_counter},
      {"tally", show_tally},
      {"max_of and min_of", show_extremes},
      {"flag", show_flag},
      {"map", show_map},
      {"map of maps", show_map_of_maps},
      {"apply", show_apply},
      {"values", show_values},
      {"a type of your own", show_a_type_of_your_own},
  };
  int wrong = 0;
  for (const auto& [name, show] : all) try {
      show();
      std::cout << name << ": as documented\n";
    } catch (const std::exception& e) {
      std::cout << name << ": " << e.what() << '\n';
      ++wrong;
    }
  return wrong == 0 ? 0 : 1;
}
