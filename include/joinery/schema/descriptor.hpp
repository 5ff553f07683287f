// descriptors: what a schema says, as data.
//
// Purpose: names, kinds, value types, delete rules, ranks and migrations of a program's tables, for
// comparing two programs and for whoever reads a space without its structs.
// Invariants: names are unique within their table or schema; the order is the program's.
// Thread-safety: values.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "joinery/base/error.hpp"
#include "joinery/crdt/kind.hpp"

namespace joinery::schema {

/// What a delete does against a concurrent update of the same incarnation.
enum class delete_rule : std::uint8_t {
  update_wins = 0,  ///< the update brings the whole record back
  delete_wins = 1,  ///< the record stays deleted
};

/// What a field was before its program declared a migration.
struct former_field {
  std::string name;
  crdt::shape type;
  std::string values;
  friend bool operator==(const former_field&, const former_field&) = default;
};

struct field_descriptor {
  std::string name;
  crdt::shape type;
  std::string values;  ///< names of the value types, from the outside in, such as "text int"
  std::vector<former_field> formers{};  ///< that this field is migrated from
  friend bool operator==(const field_descriptor&, const field_descriptor&) = default;
};

struct table_descriptor {
  std::string name;
  delete_rule rule = delete_rule::update_wins;
  std::vector<field_descriptor> fields{};
  std::int64_t rank = 0;  ///< of this program's writes; programs may differ in it
  friend bool operator==(const table_descriptor&, const table_descriptor&) = default;
};

struct descriptor {
  std::vector<table_descriptor> tables;
  friend bool operator==(const descriptor&, const descriptor&) = default;
};

inline std::string text_of(delete_rule r) {
  return r == delete_rule::update_wins ? "update_wins" : "delete_wins";
}
/// Such as "map of lww <text int>"; kinds of a newer joinery by their number.
inline std::string text_of(crdt::shape type, std::string_view values) {
  std::string out;
  for (; type.outer() == crdt::kind::map; type = type.inner()) out += "map of ";
  const auto name = crdt::name_of(type.outer());
  if (name == "?") {
    out += "kind ";
    out += std::to_string(type.code());
  } else {
    out += name;
  }
  out += " <";
  out += values;
  out += ">";
  return out;
}

/// Whether `newer` is declared to be migrated from `older`, a field of the same name.
inline bool migrates(const field_descriptor& newer, const field_descriptor& older) {
  return std::find(newer.formers.begin(), newer.formers.end(),
                   former_field{older.name, older.type, older.values}) != newer.formers.end();
}

/// The first thing that two programs say differently of the same name. Tables and fields that only
/// one of them knows are no contradiction, nor is a field that one migrates from the other's.
inline std::optional<error> contradiction(const descriptor& ours, const descriptor& theirs) {
  const auto conflict = [](std::string where, const std::string& a, const std::string& b) {
    return error{errc::schema_conflict, "ours is " + a + ", theirs is " + b, std::move(where),
                 "give the changed field a new name, declare its migration, or update the older "
                 "program"};
  };
  for (const auto& a : ours.tables) {
    for (const auto& b : theirs.tables) {
      if (a.name != b.name) continue;
      if (a.rule != b.rule) return conflict(a.name, text_of(a.rule), text_of(b.rule));
      for (const auto& f : a.fields) {
        for (const auto& g : b.fields) {
          if (f.name != g.name || (f.type == g.type && f.values == g.values)) continue;
          if (migrates(f, g) || migrates(g, f)) continue;
          return conflict(a.name + "." + f.name, text_of(f.type, f.values),
                          text_of(g.type, g.values));
        }
      }
    }
  }
  return std::nullopt;
}

}  // namespace joinery::schema
