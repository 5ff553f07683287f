// The examples of docs/types.md, one function each; they throw when something is not as they say.
#pragma once

namespace examples {

void show_lww();
void show_mv();
void show_or_set();
void show_pn_counter();
void show_g_counter();
void show_tally();
void show_extremes();
void show_flag();
void show_map();
void show_map_of_maps();
void show_apply();
void show_values();
void show_a_type_of_your_own();

}  // namespace examples
