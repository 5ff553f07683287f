// inspect_local: the tables of a store that never leave the device.
//
// Purpose: counts and prints them, and says that they are local.
// Invariants: reads only; a damaged record ends its table's list, and is told of.
// Thread-safety: as the engine.
#pragma once

#include <ostream>

#include "joinery/replica/engine.hpp"
#include "joinery/tool/inspect_storage.hpp"
#include "joinery/tool/record_json.hpp"

namespace joinery::tool::detail {

inline std::string form_text(const field_form& form) {
  return schema::text_of(form.type, form.values);
}

inline void print_described(std::ostream& out, const described_table& table) {
  for (const auto& f : table.fields) {
    out << "  " << json_string(f.name);
    for (std::size_t i = 0; i < f.forms.size(); ++i)
      out << (i == 0 ? " " : " | ") << printable(form_text(f.forms[i]));
    for (const auto& m : f.migrations)
      out << ", from " << json_string(m.from.name) << " "
          << printable(schema::text_of(m.from.type, m.from.values));
    out << "\n";
  }
}

/// The tables that have records, and their descriptors. `Side` is `engine::local_side`.
template <class Side>
void inspect_local_tables(Side& side, std::ostream& out) {
  std::map<std::string, described_table> described;
  if (auto all = side.described_tables())
    for (auto& table : *all) described.try_emplace(table.name, std::move(table));
  bool first = true;
  for (const auto& name : side.names().sorted()) {
    std::size_t records = 0;
    const auto walked =
        side.for_each(name, {}, [&](bytes_view, bytes_view) { return ++records > 0; });
    if (walked && records == 0) continue;
    if (std::exchange(first, false)) out << "local tables\n";
    out << " " << json_string(name) << "  " << records << " records, local";
    if (!walked) out << "; " << printable(walked.error().text());
    out << "\n";
    if (const auto at = described.find(name); at != described.end())
      print_described(out, at->second);
  }
}

/// The records of one table, if it has any here.
template <class Side>
void inspect_local_table(Side& side, std::ostream& out, std::string_view table,
                         std::size_t max_records) {
  std::size_t shown = 0;
  bool more = false;
  const auto walked = side.for_each(table, {}, [&](bytes_view key, bytes_view packed) {
    more = shown == max_records;
    if (more) return false;
    if (shown++ == 0) out << "local\n";
    out << json_record(key, packed, side.names(), side.replicas()) << "\n";
    return true;
  });
  if (more) out << "… and more\n";
  if (!walked) out << "{\"damaged\":" << json_string(walked.error().text()) << "}\n";
}

/// One record; false when it is not here.
template <class Side>
bool inspect_local_record(Side& side, std::ostream& out, std::string_view table, bytes_view key) {
  const auto kept = side.record(table, key);
  if (kept && kept->empty()) return false;
  out << "local\n";
  if (kept)
    out << json_record(key, *kept, side.names(), side.replicas()) << "\n";
  else
    out << "{\"key\":" << json_key(key) << ",\"damaged\":" << json_string(kept.error().text())
        << "}\n";
  return true;
}

}  // namespace joinery::tool::detail
