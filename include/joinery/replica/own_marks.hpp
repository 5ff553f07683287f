// own_marks: what a replica must remember about its own id.
//
// Purpose: how much of what it wrote may have been seen by others, which ids it had before, and
// where its bytes lay when it wrote last: the three things that tell what a copy may do.
// Keys: `meta` has "offered" → varint, "former" → replica id*, "place" → bytes.
// Invariants: `offered` is stored before a session sends that changeset; it may be too high, never
// too low. A former id is never written under again.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <vector>

#include "joinery/base/cursor.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/history/log.hpp"

namespace joinery::detail {

struct own_marks {
  std::uint64_t offered = 0;       ///< the highest own seq that a peer may have
  std::vector<replica_id> former;  ///< oldest first
  bytes place;                     ///< of the storage; empty when it does not tell

  template <history::storage_writer W>
  void put(W& to) const {
    put_offered(to, offered);
    if (!former.empty()) {
      bytes ids;
      for (const auto& id : former) ids += id.view();
      history::put_sealed(to, history::area::meta, "former", ids);
    }
    if (!place.empty()) history::put_sealed(to, history::area::meta, "place", place);
  }
  template <history::storage_writer W>
  static void put_offered(W& to, std::uint64_t seq) {
    bytes content;
    byte_writer{content}.varint(seq);
    history::put_sealed(to, history::area::meta, "offered", content);
  }

  template <history::storage_view V>
  static result<own_marks> read(V& from) {
    own_marks out;
    auto offered = history::get_sealed(from, history::area::meta, "offered");
    if (!offered) return offered.error();
    if (*offered) out.offered = byte_reader{**offered}.varint();
    auto former = history::get_sealed(from, history::area::meta, "former");
    if (!former) return former.error();
    byte_reader ids{former->value_or(bytes_view{})};
    while (!ids.at_end()) {
      const auto id = replica_id::from_bytes(ids.take(16));
      if (!id || !ids.ok())
        return error{errc::malformed, "the list of former ids is not readable", "meta entry former",
                     "restore the store"};
      out.former.push_back(*id);
    }
    auto place = history::get_sealed(from, history::area::meta, "place");
    if (!place) return place.error();
    out.place = bytes{place->value_or(bytes_view{})};
    return out;
  }
};

/// Where a storage's bytes lie, as far as it can tell: changes when they are copied, not when they
/// are moved. Empty when it cannot.
template <history::storage S>
bytes place_of(S& storage) {
  if constexpr (requires { storage.place(); }) return storage.place();
  return {};
}

}  // namespace joinery::detail
