// Snapshots: materialised records, each with the log position that it stands for.
//
// Purpose: how records and the snapshot's mark are stored. The mark says from where the log must be
// replayed, and what the replica knew at that position; it is written last, so a snapshot may take
// many small transactions.
// Keys: `records` has fixed32 table index, key → sealed varint position, packed record. `meta` has
// "snapshot" → the sealed mark. `local` has its records in the same form, and stands for no
// position.
// Invariants: every record's effects up to the mark's position are in `records`; a record may be
// newer than the mark.
// Thread-safety: as the view or writer that is passed in.
#pragma once

#include <cstring>

#include "joinery/history/log.hpp"
#include "joinery/history/origins.hpp"

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

inline bytes record_key(std::uint32_t table, bytes_view key) {
  bytes full(4 + key.size(), '\0');
  for (std::size_t i = 0; i < 4; ++i)
    full[i] = static_cast<char>(static_cast<std::uint8_t>(table >> (24 - 8 * i)));
  key.copy(full.data() + 4, key.size());
  return full;
}

/// The same without asking the allocator, as nearly all keys are short.
class short_record_key {
 public:
  short_record_key(std::uint32_t table, bytes_view key) {
    if (key.size() > sizeof room_ - 4) {
      long_ = record_key(table, key);
      view_ = long_;
      return;
    }
    for (std::size_t i = 0; i < 4; ++i)
      room_[i] = static_cast<char>(static_cast<std::uint8_t>(table >> (24 - 8 * i)));
    if (!key.empty()) std::memcpy(room_ + 4, key.data(), key.size());
    view_ = {room_, 4 + key.size()};
  }
  short_record_key(const short_record_key&) = delete;
  short_record_key& operator=(const short_record_key&) = delete;
  operator bytes_view() const noexcept { return view_; }

 private:
  char room_[68];
  bytes long_;
  bytes_view view_;
};

template <storage_writer W>
void put_record(W& to, std::uint32_t table, bytes_view key, std::uint64_t position,
                bytes_view packed, area where = area::records) {
  bytes content;
  byte_writer w{content};
  w.varint(position);
  w.raw(packed);
  put_sealed(to, where, record_key(table, key), content);
}

/// The same for a part of a large field: an empty one is not stored.
template <storage_writer W>
void put_part(W& to, std::uint32_t parts, bytes_view key, std::uint64_t position,
              bytes_view packed) {
  if (packed.empty())
    to.erase(area::records, record_key(parts, key));
  else
    put_record(to, parts, key, position, packed);
}

struct record_content {
  std::uint64_t position = 0;
  bytes_view packed;
};
/// A record's content; nothing when it is damaged.
inline std::optional<record_content> unsealed_record(bytes_view key, bytes_view value,
                                                     area where = area::records) {
  const auto content = codec::unsealed(static_cast<std::uint8_t>(where), key, value);
  if (!content) return std::nullopt;
  byte_reader in{*content};
  record_content r;
  r.position = in.varint();
  r.packed = in.rest();
  return r;
}
inline result<record_content> open_record(bytes_view key, bytes_view value,
                                          area where = area::records) {
  if (const auto content = unsealed_record(key, value, where)) return *content;
  return damaged_entry(where, key);
}

}  // namespace joinery::history
