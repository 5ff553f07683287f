// What stands in a storage, looked at and damaged from outside.
//
// Purpose: what the tests of damage and of snapshots share.
// Thread-safety: as the storage.
#pragma once

#include "joinery/history/memory_storage.hpp"

namespace replica_tests {

/// Flips a bit in the middle of an entry.
inline void flip(joinery::history::memory_storage& disk, joinery::history::area where,
                 joinery::bytes_view key) {
  disk.write([&](auto& w) -> joinery::result<> {
        joinery::bytes value{w.get(where, key).value()};
        value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 4);
        w.put(where, key, value);
        return {};
      })
      .value();
}

/// Whether a snapshot was joined and its records are not all written yet.
inline bool joining(joinery::history::memory_storage& disk) {
  bool out = false;
  disk.read([&](auto& view) -> joinery::result<> {
        out = view.get(joinery::history::area::meta, "join").has_value();
        return {};
      })
      .value();
  return out;
}

}  // namespace replica_tests
