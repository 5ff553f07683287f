// transaction: typed writes that become one changeset, and changes of local tables.
//
// Purpose: hands out the user's structs, bound to drafts of packed records. `replica::write`
// commits it when the body returns, and drops it when the body throws.
// Invariants: nothing of it is visible outside before the commit; drafts are kept in place while it
// lives.
// Thread-safety: one thread; must not be kept beyond `write`.
#pragma once

#include <optional>

#include "joinery/replica/ports.hpp"
#include "joinery/schema/schema.hpp"

namespace joinery {

namespace detail {

/// Where the records of a struct stand.
template <class Schema, class Record>
inline constexpr table_place table_of_record{
    Schema::template find<Record>::name, Schema::template find<Record>::rule,
    Schema::template find<Record>::rank, Schema::template find<Record>::is_local};

}  // namespace detail

template <class Schema>
class transaction final {
 public:
  explicit transaction(detail::drafts_port& drafts) : drafts_(drafts) {}
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;

  /// The record under `key`, made when there is none. On one that is there it is a touch: it
  /// survives a concurrent deletion. Throws `failure`: invalid_argument (empty key), too_large (a
  /// key above 400 bytes), and read errors.
  template <class Record>
  Record create(std::string_view key) {
    auto& d = draft_of<Record>(key);
    d.create();
    return bound<Record>(d);
  }
  /// The record under `key`, to change it. Throws `failure` (not_found) when there is none.
  template <class Record>
  Record edit(std::string_view key) {
    auto& d = draft_of<Record>(key);
    if (!d.alive())
      throw failure({errc::not_found, "there is no such record", d.where(),
                     "create it, or test with contains()"});
    return bound<Record>(d);
  }
  /// As `edit`; nothing when there is none.
  template <class Record>
  std::optional<Record> find(std::string_view key) {
    auto& d = draft_of<Record>(key);
    if (!d.alive()) return std::nullopt;
    return bound<Record>(d);
  }
  template <class Record>
  [[nodiscard]] bool contains(std::string_view key) {
    return draft_of<Record>(key).alive();
  }
  /// Deletes the record; false when there is none.
  template <class Record>
  bool erase(std::string_view key) {
    return draft_of<Record>(key).erase();
  }

 private:
  template <class Record>
  detail::draft_record& draft_of(std::string_view key) {
    return drafts_.draft_of(detail::table_of_record<Schema, Record>, key);
  }
  template <class Record>
  static Record bound(detail::draft_record& d) {
    Record record;
    schema::bind(record, d);
    return record;
  }

  detail::drafts_port& drafts_;
};

}  // namespace joinery
