// Cold records in a map.
//
// Purpose: a snapshot that counts how often it is asked, and can be made to fail.
// Thread-safety: none.
#pragma once

#include <map>

#include "joinery/state/working_set.hpp"

namespace state_tests {

using namespace joinery;
using namespace joinery::state;

/// What is stored, and what was asked for.
struct shelf {
  std::map<std::pair<name_index, bytes>, stored_record> records;
  std::map<bytes, int> asked;
  bool broken = false;

  result<std::optional<stored_record>> load(name_index table, bytes_view key) {
    ++asked[bytes{key}];
    if (broken) return unreadable();
    const auto at = records.find({table, bytes{key}});
    if (at == records.end()) return std::optional<stored_record>{};
    return std::optional{at->second};
  }
  result<stored_batch> load_from(name_index table, bytes_view key, batch_limits limits,
                                 const stored_batch& /*spare*/ = {}) {
    if (broken) return unreadable();
    stored_batch out;
    for (auto at = records.lower_bound({table, bytes{key}});
         at != records.end() && at->first.first == table; ++at) {
      out.more = out.size() == limits.records;
      if (out.more) break;
      out.add(at->first.second, at->second.packed);
    }
    return out;
  }
  static error unreadable() { return {errc::io, "broken", "", ""}; }
  /// Writes the first `n` records of what is to be written.
  void store(working_set& from, std::size_t n) {
    std::size_t left = n;
    from.for_each_to_write([&](const auto& s) {
      if (left-- == 0) return false;
      records[{s.name().table, bytes{s.name().key}}] = {s.packed.view(), s.position};
      return true;
    });
    from.written(n);
  }
};
static_assert(cold_records<shelf>);

}  // namespace state_tests
