// row: a record that was read, as the user's struct.
//
// Purpose: the record's packed bytes at one moment, with the struct's handles bound to them. It
// stays as it was, whatever happens in the replica afterwards; the bytes are copied only when the
// replica changes the record while the row lives. Large fields are read from where they are when
// they are asked: a row from a replica shows them as they are then.
// Invariants: reading only; writing through it throws `failure` (read_only). It must not outlive
// the replica that it is from; one from a reader may outlive that.
// Thread-safety: one from a replica belongs to the replica's thread; one from a reader is as a
// `std::string`.
#pragma once

#include <memory>

#include "joinery/replica/ports.hpp"
#include "joinery/schema/schema.hpp"

namespace joinery {

namespace detail {

/// Calls `each(key, record)`; whether to go on.
template <class F, class Record>
bool call_with_row(F& each, bytes_view key, const Record& record) {
  if constexpr (std::is_void_v<decltype(each(key, record))>) {
    each(key, record);
    return true;
  } else {
    return static_cast<bool>(each(key, record));
  }
}

/// Binds a struct to `access` for as long as `each(key, record)` runs.
template <class Record, class F>
bool call_with_record(F& each, row_record& access) {
  Record record;
  schema::bind(record, access);
  return call_with_row(each, access.key(), std::as_const(record));
}

}  // namespace detail

template <class Record>
class row {
 public:
  /// No record.
  row() = default;
  /// Of a living record; none when it is null.
  explicit row(std::unique_ptr<detail::row_record> access) : access_(std::move(access)) {
    if (access_) schema::bind(record_.emplace(), *access_);
  }

  explicit operator bool() const noexcept { return record_.has_value(); }
  /// Precondition: there is a record.
  const Record& operator*() const noexcept { return *record_; }
  const Record* operator->() const noexcept { return &*record_; }
  [[nodiscard]] bytes_view key() const noexcept { return access_->key(); }

 private:
  std::unique_ptr<detail::row_record> access_;
  std::optional<Record> record_;  // its handles point to *access_, which does not move
};

}  // namespace joinery
