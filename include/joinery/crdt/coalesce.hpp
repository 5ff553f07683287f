// Coalescing: one delta for two of the same changeset.
//
// Purpose: a transaction that writes a field twice sends it once.
// Invariants: applying the coalesced delta gives the same state as applying both, in the same
// changeset.
// Thread-safety: pure functions.
#pragma once

#include <optional>

#include "joinery/crdt/dispatch.hpp"

namespace joinery::crdt {

/// What two deltas must have in common to be coalesced: the element or key, or nothing for plain
/// fields.
inline bytes_view coalescing_key(shape type, bytes_view delta) {
  byte_reader in{delta};
  switch (type.outer()) {
    case kind::or_set: return delta.substr(1);
    case kind::tally: in.varint(); return in.rest();
    case kind::map: return in.block();
    default: return {};
  }
}

/// One delta with the effect of `older`, then `newer`; nothing when there is none. Precondition:
/// equal keys.
inline std::optional<bytes> coalesce(shape type, bytes_view older, bytes_view newer) {
  switch (type.outer()) {
    case kind::pn_counter:
    case kind::g_counter: {
      const auto sum =
          detail::clamp(detail::wide{byte_reader{older}.zigzag()} + byte_reader{newer}.zigzag());
      if (sum.clamped) return std::nullopt;
      bytes out;
      byte_writer{out}.zigzag(sum.value);
      return out;
    }
    case kind::tally:
      return bytes{byte_reader{older}.varint() > byte_reader{newer}.varint() ? older : newer};
    case kind::max_of: return bytes{std::max(older, newer)};
    case kind::min_of: return bytes{std::min(older, newer)};
    case kind::map: {
      byte_reader a{older}, b{newer};
      const auto key = a.block();
      b.block();
      const auto incarnation = a.varint();
      const bool both_update = incarnation == b.varint() &&
                               a.u8() == static_cast<std::uint8_t>(cell_action::update) &&
                               b.u8() == static_cast<std::uint8_t>(cell_action::update);
      if (!both_update ||
          coalescing_key(type.inner(), a.rest()) != coalescing_key(type.inner(), b.rest()))
        return std::nullopt;
      const auto inner = coalesce(type.inner(), a.rest(), b.rest());
      if (!inner) return std::nullopt;
      bytes out;
      byte_writer w{out};
      w.block(key);
      w.raw(detail::cell_delta(incarnation, cell_action::update, *inner));
      return out;
    }
    default: return bytes{newer};
  }
}

}  // namespace joinery::crdt
