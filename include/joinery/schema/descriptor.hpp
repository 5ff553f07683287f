// descriptors: what a schema says, as data.
//
// Purpose: names, kinds, value types and delete rules of a program's tables, for comparing two
// programs and for whoever reads a space without its structs.
// Invariants: names are unique within their table or schema; the order is the program's.
// Thread-safety: values.
#pragma once

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

struct field_descriptor {
  std::string name;
  crdt::shape type;
  std::string values;  ///< names of the value types, from the outside in, such as "text int"
  friend bool operator==(const field_descriptor&, const field_descriptor&) = default;
};

struct table_descriptor {
  std::string name;
  delete_rule rule = delete_rule::update_wins;
  std::vector<field_descriptor> fields;
  friend bool operator==(const table_descriptor&, const table_descriptor&) = default;
};

struct descriptor {
  std::vector<table_descriptor> tables;
  friend bool operator==(const descriptor&, const descriptor&) = default;
};

/// The first thing that two programs say differently of the same name. Tables and fields that only
/// one of them knows are no contradiction.
inline std::optional<error> contradiction(const descriptor& ours, const descriptor& theirs) {
  const auto conflict = [](std::string where, const std::string& a, const std::string& b) {
    return error{errc::schema_conflict, "ours is " + a + ", theirs is " + b, std::move(where),
                 "give the changed field a new name, or update the older program"};
  };
  for (const auto& a : ours.tables) {
    for (const auto& b : theirs.tables) {
      if (a.name != b.name) continue;
      if (a.rule != b.rule) {
        const auto text = [](delete_rule r) {
          return std::string{r == delete_rule::update_wins ? "update_wins" : "delete_wins"};
        };
        return conflict(a.name, text(a.rule), text(b.rule));
      }
      for (const auto& f : a.fields) {
        for (const auto& g : b.fields) {
          if (f.name != g.name || f == g) continue;
          const auto text = [](const field_descriptor& d) {
            std::string out;
            auto s = d.type;
            for (; s.outer() == crdt::kind::map; s = s.inner()) out += "map of ";
            return out + std::string{crdt::name_of(s.outer())} + " <" + d.values + ">";
          };
          return conflict(a.name + "." + f.name, text(f), text(g));
        }
      }
    }
  }
  return std::nullopt;
}

}  // namespace joinery::schema
