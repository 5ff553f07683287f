// admission: may changesets be exchanged with this peer?
//
// Purpose: an endpoint that knows members has its say; sessions know nothing of tables. One that
// knows none (a relay without state) takes everybody.
// Invariants: who is refused is told why, and neither heard nor served.
// Thread-safety: as the endpoint.
#pragma once

#include "joinery/sync/endpoint.hpp"

namespace joinery::sync {

/// An endpoint that knows who may take part.
template <class E>
concept knows_members = requires(E& e, const replica_id& peer,
                                 std::span<const bytes_view> changesets) {
  { e.admits(peer) } -> std::same_as<result<>>;
  /// As `ingest`, and the peer's own changesets are judged as such.
  { e.ingest_from(peer, changesets) } -> std::same_as<result<ingest_report>>;
};

template <endpoint E>
result<> admits(E& e, const replica_id& peer) {
  if constexpr (knows_members<E>)
    return e.admits(peer);
  else
    return {};
}

template <endpoint E>
result<ingest_report> ingest_from(E& e, const replica_id& peer,
                                  std::span<const bytes_view> changesets) {
  if constexpr (knows_members<E>)
    return e.ingest_from(peer, changesets);
  else
    return e.ingest(changesets);
}

}  // namespace joinery::sync
