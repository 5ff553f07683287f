// The descriptor of a schema as bytes, and its fingerprint.
//
// Purpose: two programs compare fingerprints first, and exchange descriptors only when those
// differ.
// Format: MessagePack [1, [[table, delete rule, [[field, shape, values]…]]…]], and for a field with
// declared migrations [field, shape, values, [[former field, shape, values]…]];
// docs/format-session.md. Ranks stay at home.
// Invariants: a decoded descriptor keeps the rules of schema::descriptor (unique names); decoding
// is within limits.
// Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <set>
#include <tuple>

#include "joinery/base/result.hpp"
#include "joinery/codec/checksum.hpp"
#include "joinery/codec/limits.hpp"
#include "joinery/codec/pack.hpp"
#include "joinery/schema/descriptor.hpp"

namespace joinery::codec {

inline constexpr std::uint64_t descriptor_format = 1;
inline constexpr std::size_t max_tables = 256;
inline constexpr std::size_t max_fields = 1024;      ///< of one table
inline constexpr std::size_t max_formers = 16;       ///< of one field
inline constexpr std::size_t max_values_text = 256;  ///< bytes of a field's `values`

/// In the program's order of tables and fields.
inline bytes encode_descriptor(const schema::descriptor& d) {
  bytes out;
  pack_writer w{out};
  w.array(2);
  w.u64(descriptor_format);
  w.array(d.tables.size());
  for (const auto& table : d.tables) {
    w.array(3);
    w.text(table.name);
    w.u64(static_cast<std::uint64_t>(table.rule));
    w.array(table.fields.size());
    for (const auto& field : table.fields) {
      w.array(field.formers.empty() ? 3 : 4);
      w.text(field.name);
      w.u64(field.type.code());
      w.text(field.values);
      if (field.formers.empty()) continue;
      w.array(field.formers.size());
      for (const auto& former : field.formers) {
        w.array(3);
        w.text(former.name);
        w.u64(former.type.code());
        w.text(former.values);
      }
    }
  }
  return out;
}

/// 64 bits that are equal for programs which say the same, in whatever order.
inline std::uint64_t fingerprint(schema::descriptor d) {
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  for (auto& table : d.tables) {
    std::sort(table.fields.begin(), table.fields.end(), by_name);
    for (auto& field : table.fields)
      std::sort(field.formers.begin(), field.formers.end(), [](const auto& a, const auto& b) {
        return std::tie(a.name, a.type, a.values) < std::tie(b.name, b.type, b.values);
      });
  }
  std::sort(d.tables.begin(), d.tables.end(), by_name);
  return checksum(encode_descriptor(d));
}

namespace detail {

class descriptor_reader {
 public:
  explicit descriptor_reader(bytes_view data) : in_(data) {}

  result<schema::descriptor> read() {
    schema::descriptor d;
    const auto items = in_.array();
    const auto format = in_.u64();
    if (in_.ok() && items > 0 && format > descriptor_format)
      return unknown("format " + std::to_string(format), "");
    if (items != 2 || format != descriptor_format) in_.fail();
    for (auto n = counted(max_tables); n > 0 && in_.ok(); --n) read_table(d);
    if (unknown_) return *unknown_;
    if (in_.finished()) return d;
    return error{errc::malformed, "bytes that are no descriptor", "",
                 "the peer that sent them is at fault"};
  }

 private:
  void read_table(schema::descriptor& d) {
    in_.array_of(3);
    schema::table_descriptor table;
    table.name = name(tables_);
    const auto rule = in_.u64();
    if (rule > static_cast<std::uint64_t>(schema::delete_rule::delete_wins))
      unknown_ = unknown("delete rule " + std::to_string(rule), table.name);
    table.rule = static_cast<schema::delete_rule>(rule);
    std::set<std::string_view> fields;
    for (auto n = counted(max_fields); n > 0 && in_.ok(); --n) {
      const auto items = in_.array();
      schema::field_descriptor field;
      field.name = name(fields);
      field.type = shape();
      field.values = values();
      if (items == 4)
        read_formers(field);
      else if (items != 3)
        in_.fail();
      if (in_.ok() && !field.type.valid())
        unknown_ =
            unknown("kind " + std::to_string(field.type.code()), table.name + "." + field.name);
      table.fields.push_back(std::move(field));
    }
    d.tables.push_back(std::move(table));
  }

  // A former kind may be one that this program does not know: it is only compared.
  void read_formers(schema::field_descriptor& field) {
    auto n = counted(max_formers);
    if (n == 0) in_.fail();
    for (; n > 0 && in_.ok(); --n) {
      in_.array_of(3);
      std::set<std::string_view> alone;
      schema::former_field former;
      former.name = name(alone);
      former.type = shape();
      former.values = values();
      field.formers.push_back(std::move(former));
    }
  }

  crdt::shape shape() {
    return crdt::shape::from_code(static_cast<std::uint32_t>(in_.u64_up_to(0xFFFFFFFF)));
  }
  std::string values() {
    const auto text = in_.text();
    if (text.size() > max_values_text) in_.fail();
    return std::string{text};
  }
  std::size_t counted(std::size_t limit) {
    const auto n = in_.array();
    if (n > limit) in_.fail();
    return in_.ok() ? n : 0;
  }
  std::string name(std::set<std::string_view>& among) {
    const auto text = in_.text();
    if (text.empty() || text.size() > max_name || !among.insert(text).second) in_.fail();
    return std::string{text};
  }
  static error unknown(std::string what, std::string where) {
    return {errc::unsupported, "a descriptor with " + what, std::move(where),
            "this program does not know it: update it"};
  }

  pack_reader in_;
  std::set<std::string_view> tables_;
  std::optional<error> unknown_;
};

}  // namespace detail

/// Errors: malformed, unsupported (kinds or rules of a newer joinery).
inline result<schema::descriptor> decode_descriptor(bytes_view data) {
  return detail::descriptor_reader{data}.read();
}

}  // namespace joinery::codec
