// A schema with every kind of field, as a newer and as an older version of a program has it.
//
// Purpose: what the simulator runs on in this house; yours goes in its place.
// Thread-safety: none needed; types alone.
#pragma once

#include <string>

#include <joinery/joinery.hpp>

namespace gym {

using joinery::flag, joinery::g_counter, joinery::lww, joinery::map, joinery::max_of;
using joinery::min_of, joinery::mv, joinery::or_set, joinery::pn_counter, joinery::tally;

struct athlete {
  BOOST_HANA_DEFINE_STRUCT(athlete, (lww<std::string>, name), (mv<std::string>, motto),
                           (or_set<int>, badges), (pn_counter, xp), (g_counter, visits),
                           (tally<std::string>, grants), (max_of<double>, longest),
                           (min_of<int>, first), (flag, shares), (map<int, or_set<int>>, gear),
                           (map<int, map<int, pn_counter>>, laps));
};
struct post {
  BOOST_HANA_DEFINE_STRUCT(post, (pn_counter, likes), (map<int, lww<int>>, replies),
                           (lww<std::string>, text));
};
struct plan {
  BOOST_HANA_DEFINE_STRUCT(plan, (lww<int>, goal), (or_set<int>, days));
};
struct draft {
  BOOST_HANA_DEFINE_STRUCT(draft, (lww<std::string>, text));
};
using schema = joinery::tables<joinery::table<"athletes", athlete>,
                               joinery::table<"posts", post, joinery::delete_wins>,
                               joinery::table<"plans", plan, joinery::rank<2>>,
                               joinery::table<"drafts", draft, joinery::local_only>>;

struct athlete_before {
  BOOST_HANA_DEFINE_STRUCT(athlete_before, (lww<std::string>, name), (or_set<int>, badges),
                           (pn_counter, xp));
};
using older_schema = joinery::tables<joinery::table<"athletes", athlete_before>>;

}  // namespace gym
