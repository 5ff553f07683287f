// Snapshots: materialised records, each with the log position that it stands for.
//
// Purpose: how the snapshot's mark is stored; its records: record_row.hpp. The mark says from where
// the log must be replayed, and what the replica knew at that position; it is written last, so a
// snapshot may take many small transactions.
// Keys: `meta` has "snapshot" → the sealed mark.
// Invariants: every record's effects up to the mark's position are in `records`; a record may be
// newer than the mark.
// Thread-safety: as the view or writer that is passed in.
#pragma once

#include "joinery/history/origins.hpp"
#include "joinery/history/record_row.hpp"

namespace joinery::history {

struct snapshot_mark {
  std::uint64_t position = 0;
  causal::hlc time = 0;  ///< the highest stamp observed
  origin_table origins;
  std::uint64_t logged_bytes = 0;  ///< of all changesets up to `position` that the log ever had
};

inline bytes write_mark(const snapshot_mark& mark) {
  bytes out;
  byte_writer w{out};
  w.varint(mark.position);
  w.fixed64(mark.time);
  w.varint(mark.logged_bytes);
  write_origins(w, mark.origins);
  return out;
}
inline result<snapshot_mark> read_mark(bytes_view content) {
  byte_reader in{content};
  snapshot_mark mark;
  mark.position = in.varint();
  mark.time = in.fixed64();
  mark.logged_bytes = in.varint();
  mark.origins = read_origins(in);
  if (!in.finished())
    return error{errc::malformed, "the snapshot's mark is not readable", "meta",
                 "restore the store"};
  return mark;
}

}  // namespace joinery::history
