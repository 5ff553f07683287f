// All field handles.
//
// Purpose: one include for the members that a record may have.
// Invariants: none of its own.
// Thread-safety: as each field.
#pragma once

#include "joinery/schema/fields/counter.hpp"
#include "joinery/schema/fields/extremum.hpp"
#include "joinery/schema/fields/flag.hpp"
#include "joinery/schema/fields/lww.hpp"
#include "joinery/schema/fields/map.hpp"
#include "joinery/schema/fields/mv.hpp"
#include "joinery/schema/fields/or_set.hpp"
#include "joinery/schema/fields/tally.hpp"
