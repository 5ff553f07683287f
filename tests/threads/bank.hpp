// The accounts that the tests of threads move money between.
//
// Purpose: one small schema for all of them.
// Thread-safety: none of its own.
#pragma once

#include "joinery/replica/replica.hpp"

namespace thread_tests {

using namespace joinery;

struct account {
  BOOST_HANA_DEFINE_STRUCT(account, (pn_counter, balance), (or_set<int>, moves));
};
using bank = tables<table<"accounts", account>>;

}  // namespace thread_tests
