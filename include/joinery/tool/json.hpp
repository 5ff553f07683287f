// JSON text: strings, numbers, and values whose types only their encoding tells.
//
// Purpose: shows what is in a store without the structs that it was written with. The encoding of
// values describes itself: a text, a number, bytes, a tuple (crdt/value.hpp).
// Invariants: the output is valid JSON in plain ASCII without control characters, whatever the
// bytes are; what is no value is shown in hexadecimal; nesting is bounded.
// Thread-safety: pure functions.
#pragma once

#include <charconv>
#include <cmath>

#include "joinery/crdt/value.hpp"

namespace joinery::tool {

namespace detail {

// Takes one character of UTF-8; 0xFFFD and one byte when it is none.
inline std::uint32_t take_character(byte_reader& in) {
  constexpr std::uint32_t replacement = 0xFFFD;
  const std::uint32_t lead = in.u8();
  if (lead < 0x80) return lead;
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4) return replacement;
  auto rest = in;
  auto code = lead & (0x3Fu >> more);
  for (int i = 0; i < more; ++i) {
    const std::uint32_t next = rest.u8();
    if (!rest.ok() || (next & 0xC0) != 0x80) return replacement;
    code = code << 6 | (next & 0x3F);
  }
  constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
    return replacement;
  in = rest;
  return code;
}

inline void append_escape(std::string& out, std::uint32_t unit) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += digits[unit >> shift & 0xF];
}

}  // namespace detail

/// `text` as a JSON string, quotes included. Bytes that are no UTF-8 show as U+FFFD.
inline std::string json_string(std::string_view text) {
  std::string out = "\"";
  byte_reader in{text};
  while (!in.at_end()) {
    const auto c = detail::take_character(in);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c >= 0x20 && c < 0x7F) {
      out += static_cast<char>(c);
    } else if (c < 0x10000) {
      detail::append_escape(out, c);
    } else {
      detail::append_escape(out, 0xD800 + ((c - 0x10000) >> 10));
      detail::append_escape(out, 0xDC00 + ((c - 0x10000) & 0x3FF));
    }
  }
  return out += '"';
}

/// Whether `text` is UTF-8 throughout, without control characters.
inline bool is_text(bytes_view text) {
  byte_reader in{text};
  while (!in.at_end()) {
    const auto before = in.left();
    const auto c = detail::take_character(in);
    if (c < 0x20 || c == 0x7F || (c == 0xFFFD && before - in.left() == 1)) return false;
  }
  return true;
}

/// `{"hex":"00ff"}`: bytes that are no text.
inline std::string json_hex(bytes_view data) { return "{\"hex\":\"" + to_hex(data) + "\"}"; }

/// A record's key: a text, or bytes.
inline std::string json_key(bytes_view key) {
  return is_text(key) ? json_string(key) : json_hex(key);
}

/// The shortest text that reads back as `value`; always with a point or an exponent.
inline std::string json_double(double value) {
  if (std::isinf(value)) return value > 0 ? "{\"double\":\"inf\"}" : "{\"double\":\"-inf\"}";
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  std::string out(text, end);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

namespace detail {

inline constexpr int max_tuple_depth = 16;

inline std::optional<std::string> json_element(byte_reader& in, int depth);

inline std::optional<std::string> json_tuple(byte_reader& in, int depth) {
  std::string out = "[";
  while (in.ok() && !in.at_end() &&
         static_cast<std::uint8_t>(in.rest().front()) == crdt::detail::tag_tuple) {
    in.u8();
    const auto element = crdt::detail::read_escaped(in);
    byte_reader inner{element};
    const auto text = json_element(inner, depth + 1);
    if (!text || !inner.finished()) return std::nullopt;
    if (out.size() > 1) out += ",";
    out += *text;
  }
  return out += "]";
}

inline std::optional<std::string> json_element(byte_reader& in, int depth) {
  if (in.at_end() || depth > max_tuple_depth) return std::nullopt;
  const auto read = [&]<class T>(T*) { return crdt::value_traits<T>::read(in); };
  const auto lead = static_cast<std::uint8_t>(in.rest().front());
  std::string out;
  switch (lead) {
    case crdt::detail::tag_null: in.u8(); return "null";
    case crdt::detail::tag_bytes:
      out = json_hex(read(static_cast<crdt::blob*>(nullptr)).data);
      break;
    case crdt::detail::tag_text: out = json_string(read(static_cast<std::string*>(nullptr))); break;
    case crdt::detail::tag_tuple: return json_tuple(in, depth);
    case crdt::detail::tag_double: out = json_double(read(static_cast<double*>(nullptr))); break;
    case crdt::detail::tag_false: in.u8(); return "false";
    case crdt::detail::tag_true: in.u8(); return "true";
    default: {
      const auto number = crdt::detail::read_int(in);
      out = number.negative ? "-" : "";
      out += std::to_string(number.magnitude);
    }
  }
  if (!in.ok()) return std::nullopt;
  return out;
}

}  // namespace detail

/// An encoded value (crdt/value.hpp) of whatever type.
inline std::string json_value(bytes_view encoded) {
  byte_reader in{encoded};
  const auto text = detail::json_element(in, 0);
  return text && in.finished() ? *text : json_hex(encoded);
}

}  // namespace joinery::tool
