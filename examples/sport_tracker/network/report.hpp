// report: what happens with peers, on standard error.
//
// Purpose: one wording for `serve` and `sync`.
// Invariants: whatever a peer says is shown without control characters.
// Thread-safety: none.
#pragma once

#include "joinery/transport/tcp.hpp"
#include "sport_tracker/network/network.hpp"

namespace sport_tracker {

void report(const network_context& c, const joinery::transport::link_info& link,
            const joinery::sync::event& event);
void report_closed(const network_context& c, const joinery::transport::link_info& link,
                   const std::optional<joinery::error>& why);

/// "3 changesets", "1 changeset".
std::string count_of(std::uint64_t n, const std::string& noun);

}  // namespace sport_tracker
