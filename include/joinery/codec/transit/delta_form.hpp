// delta_form: what the bytes of a delta say, for those that are worth it.
//
// Purpose: splits the common deltas into what repeats (kept in the kind of operation), a number
// and a string; and puts them together again.
// Invariants: `write_delta` gives back exactly the bytes that `split_delta` took apart; what it
// does not know is opaque, and stays as it is.
// Thread-safety: pure functions.
#pragma once

#include <bit>
#include <cstring>

#include "joinery/base/cursor.hpp"
#include "joinery/crdt/kind.hpp"

namespace joinery::codec::transit {

/// What stands behind the prefix of a delta.
enum class value_form : std::uint8_t {
  none,      ///< nothing
  opaque,    ///< anything
  text,      ///< a text without zeros
  binary,    ///< bytes without zeros
  positive,  ///< an integer from 0 on
  negative,  ///< one below
  plus,      ///< a counter's amount
  minus,
  amount,  ///< a tally's amount, of a text without zeros
  absent,
  no,
  yes,
};
inline constexpr std::uint8_t last_value_form = static_cast<std::uint8_t>(value_form::yes);

constexpr bool has_number(value_form f) noexcept {
  return f >= value_form::positive && f <= value_form::amount;
}
constexpr bool has_text(value_form f) noexcept {
  return f == value_form::text || f == value_form::amount;
}
constexpr bool has_blob(value_form f) noexcept {
  return f == value_form::binary || f == value_form::opaque;
}

struct delta_form {
  static constexpr std::uint8_t no_prefix = 0x80;

  value_form value = value_form::none;
  std::uint8_t prefix = no_prefix;  ///< the first byte, when it stands for itself
};

struct split {
  delta_form form;
  std::uint64_t number = 0;
  bytes_view text;
};

namespace detail {

/// The value that `data` is, if it is one of those with a form.
inline bool split_value(bytes_view data, split& s) {
  if (data.empty()) return false;
  const auto lead = static_cast<std::uint8_t>(data[0]);
  const auto rest = data.substr(1);
  if (lead == 1 || lead == 2) {
    if (rest.empty() || std::memchr(rest.data(), 0, rest.size()) != &rest.back()) return false;
    s.form.value = lead == 2 ? value_form::text : value_form::binary;
    s.text = rest.substr(0, rest.size() - 1);
    return true;
  }
  if (lead >= 0x14 - 8 && lead <= 0x14 + 8) {
    const bool below = lead < 0x14;
    const std::size_t n = below ? 0x14u - lead : lead - 0x14u;
    if (rest.size() != n) return false;
    const std::uint8_t flip = below ? 0xFF : 0;
    for (const char c : rest) s.number = s.number << 8 | (static_cast<std::uint8_t>(c) ^ flip);
    s.form.value = below ? value_form::negative : value_form::positive;
    return n == 0 || s.number >> (8 * n - 8) != 0;  // the shortest
  }
  if (!rest.empty()) return false;
  s.form.value = lead == 0x26   ? value_form::no
                 : lead == 0x27 ? value_form::yes
                                : value_form::absent;
  return lead == 0 || lead == 0x26 || lead == 0x27;
}

inline bool split_known(crdt::shape type, bytes_view delta, split& s) {
  using crdt::kind;
  switch (type.code() < 256 ? type.outer() : kind{}) {
    case kind::lww:
    case kind::mv:
    case kind::or_set:
      if (delta.empty() || static_cast<std::uint8_t>(delta[0]) >= 0x80) return false;
      s.form.prefix = static_cast<std::uint8_t>(delta[0]);
      return split_value(delta.substr(1), s);
    case kind::max_of:
    case kind::min_of: return split_value(delta, s);
    case kind::pn_counter:
    case kind::g_counter: {
      byte_reader in{delta};
      const auto amount = in.varint();
      s.number = amount >> 1;
      s.form.value = (amount & 1) != 0 ? value_form::minus : value_form::plus;
      return in.finished();
    }
    case kind::tally: {
      byte_reader in{delta};
      const auto amount = in.varint();
      if (!in.ok() || !split_value(in.rest(), s) || s.form.value != value_form::text) return false;
      s.number = amount;
      s.form.value = value_form::amount;
      return true;
    }
    case kind::flag:
      if (delta.size() != 1 || static_cast<std::uint8_t>(delta[0]) >= 0x80) return false;
      s.form.prefix = static_cast<std::uint8_t>(delta[0]);
      return true;
    default: return false;
  }
}

}  // namespace detail

inline split split_delta(crdt::shape type, bytes_view delta) {
  split s;
  if (detail::split_known(type, delta, s)) return s;
  return {{value_form::opaque}, 0, delta};
}

/// How many bytes `write_delta` writes.
inline std::size_t delta_size(const split& s) noexcept {
  const std::size_t prefix = s.form.prefix != delta_form::no_prefix ? 1 : 0;
  switch (s.form.value) {
    case value_form::none: return prefix;
    case value_form::opaque: return prefix + s.text.size();
    case value_form::text:
    case value_form::binary: return prefix + 2 + s.text.size();
    case value_form::positive:
    case value_form::negative:
      return prefix + 1 + (static_cast<std::size_t>(std::bit_width(s.number)) + 7) / 8;
    case value_form::plus:
    case value_form::minus: return prefix + varint_size(s.number << 1 | 1);
    case value_form::amount: return prefix + varint_size(s.number) + 2 + s.text.size();
    default: return prefix + 1;
  }
}

namespace detail {

inline char* write_varint(char* at, std::uint64_t value) noexcept {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}
inline char* write_bytes(char* at, bytes_view data) noexcept {
  if (!data.empty()) std::memcpy(at, data.data(), data.size());
  return at + data.size();
}
inline char* write_text(char* at, char lead, bytes_view text) noexcept {
  *at++ = lead;
  at = write_bytes(at, text);
  *at++ = 0;
  return at;
}
inline char* write_integer(char* at, std::uint64_t magnitude, bool below) noexcept {
  const auto n = (static_cast<unsigned>(std::bit_width(magnitude)) + 7) / 8;
  *at++ = static_cast<char>(below ? 0x14 - n : 0x14 + n);
  const std::uint64_t value = below ? ~magnitude : magnitude;
  for (auto i = n; i-- > 0;) *at++ = static_cast<char>(value >> 8 * i);
  return at;
}

}  // namespace detail

/// Writes the delta to `at`, where it has room, and gives its end.
inline char* write_delta(char* at, const split& s) noexcept {
  if (s.form.prefix != delta_form::no_prefix) *at++ = static_cast<char>(s.form.prefix);
  switch (s.form.value) {
    case value_form::none: return at;
    case value_form::opaque: return detail::write_bytes(at, s.text);
    case value_form::text: return detail::write_text(at, 2, s.text);
    case value_form::binary: return detail::write_text(at, 1, s.text);
    case value_form::positive: return detail::write_integer(at, s.number, false);
    case value_form::negative: return detail::write_integer(at, s.number, true);
    case value_form::plus: return detail::write_varint(at, s.number << 1);
    case value_form::minus: return detail::write_varint(at, s.number << 1 | 1);
    case value_form::amount:
      return detail::write_text(detail::write_varint(at, s.number), 2, s.text);
    case value_form::absent: *at++ = 0; return at;
    case value_form::no: *at++ = 0x26; return at;
    case value_form::yes: *at++ = 0x27; return at;
  }
  return at;
}

}  // namespace joinery::codec::transit
