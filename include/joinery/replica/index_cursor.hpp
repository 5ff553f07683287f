// index_cursor: where a page of a query's rows ended.
//
// Purpose: the place of an entry, as bytes that a program may keep.
// Invariants: sealed for its query's table, field and direction; what another query made, or was
// damaged, is refused.
// Thread-safety: pure functions.
#pragma once

#include "joinery/base/cursor.hpp"
#include "joinery/base/result.hpp"
#include "joinery/codec/checksum.hpp"
#include "joinery/replica/index_query.hpp"

namespace joinery::detail {

/// Which query a cursor belongs to: its table, field and direction.
inline std::uint64_t cursor_seal(const index_query& q, bytes_view content) {
  bytes all;
  byte_writer w{all};
  w.block(q.table);
  w.block(q.field);
  w.varint(q.type.code());
  w.u8(q.descending ? 1 : 0);
  w.raw(content);
  return codec::checksum(all);
}
inline bytes write_cursor(const index_query& q, bytes_view value, bytes_view key) {
  bytes content;
  byte_writer w{content};
  w.block(value);
  w.block(key);
  bytes out;
  byte_writer sealed{out};
  sealed.fixed64(cursor_seal(q, content));
  sealed.raw(content);
  return out;
}
inline result<state::index_entry> read_cursor(const index_query& q, bytes_view cursor) {
  byte_reader in{cursor};
  const auto seal = in.fixed64();
  const auto content = in.rest();
  state::index_entry out;
  out.value = bytes{in.block()};
  out.key = bytes{in.block()};
  if (!in.finished() || seal != cursor_seal(q, content))
    return error{errc::invalid_argument, "a cursor of another query, or a damaged one",
                 q.table + "." + q.field, "start the query from its beginning"};
  return out;
}

}  // namespace joinery::detail
