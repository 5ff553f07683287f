// The ids of replicas and spaces.
//
// Purpose: `replica_id` names one writer of a space for good; `space_id` names one replicated
// dataset.
// Invariants: replica ids are random, never derived from a user or device (two stores would share
// one).
// Thread-safety: values.
#pragma once

#include "joinery/base/clock.hpp"
#include "joinery/base/id128.hpp"

namespace joinery {

using replica_id = id128<struct replica_id_tag>;
using space_id = id128<struct space_id_tag>;

/// A fresh replica id: 128 random bits, never `none`.
inline replica_id new_replica_id(random_source& random) {
  replica_id id;
  do random.fill(id.data);
  while (id.is_none());
  return id;
}

}  // namespace joinery
