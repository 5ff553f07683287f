// members: what a program is shown of a space's membership.
//
// Purpose: the list of members, and the figures of clean-up in the status.
// Invariants: copies, taken at one moment.
// Thread-safety: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "joinery/causal/replica_id.hpp"

namespace joinery {

enum class member_state : std::uint8_t {
  unknown,  ///< never admitted
  member,
  leaving,  ///< evicted, or admitted only by such; counts until all members know
  evicted,  ///< and all members know
};

constexpr std::string_view name_of(member_state s) noexcept {
  constexpr std::string_view names[] = {"unknown", "member", "leaving", "evicted"};
  return names[static_cast<std::size_t>(s)];
}

struct member {
  replica_id id;
  std::string name;
  member_state state{};
  bool founder = false;  ///< was there when the membership was closed
  /// Its last changeset here, and when that was made (milliseconds since 1970; 0 when it never
  /// wrote).
  std::uint64_t last_seq = 0;
  std::uint64_t last_ms = 0;
  /// How many changes beyond the stable position it is not known to have.
  std::uint64_t lag = 0;
};

/// The part of `replica_status` on membership.
struct membership_status {
  bool closed = false;
  std::size_t members = 0;
  member_state self = member_state::unknown;  ///< of a closed membership
  std::uint64_t stable_position = 0;          ///< every change up to here is known to all members
  std::uint64_t cells_cleaned = 0;            ///< since the replica was opened
  bool cleaning = false;                      ///< a walk over the records is under way or due
  std::vector<replica_id> waiting_for;        ///< whose acknowledgement the next change needs
};

}  // namespace joinery
