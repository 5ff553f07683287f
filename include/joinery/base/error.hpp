// Errors: what went wrong, where, and what to do about it.
//
// Purpose: the one error type of joinery. Whatever touches the outside (a peer, a file, a disk)
// returns it in a `result`; misuse inside a write transaction throws it as a `failure`.
// Invariants: `code` is stable and meant for programs; the texts are meant for people.
// Thread-safety: values.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace joinery {

/// What kind of thing went wrong. Values are stable: they may be logged and compared across
/// versions.
enum class errc {
  invalid_argument = 1,  ///< a parameter is outside its documented range
  not_found = 2,         ///< the record, file or entry does not exist
  dead_record = 3,       ///< an update of a record that was deleted or never created
  overflow = 4,          ///< a counter's total would leave 64 bits
  type_mismatch = 5,     ///< a stored value is of another type than the program reads
  too_large = 6,         ///< a key, value, changeset or frame is above its documented limit
  malformed = 10,        ///< bytes that are not what their format says
  unsupported = 11,      ///< a format or protocol version that this program does not know
  checksum = 12,         ///< bytes whose checksum does not fit: damaged or misplaced
  gap = 20,              ///< a changeset arrived whose predecessors did not
  wrong_space = 21,      ///< a store or peer of another space
  fork = 22,  ///< two different changesets under one dot, or a replica older than its peers know it
  flooded = 23,          ///< a peer sent more than may be held or has been granted
  schema_conflict = 24,  ///< two programs give one field different kinds or types
  diverged = 25,         ///< equal versions with different canonical states
  clock_drift = 26,      ///< a stamp too far ahead of this device's clock
  protocol = 27,         ///< a message that the session's state does not allow
  not_a_member = 28,     ///< a replica that a closed space has evicted, or never admitted
  not_admitted = 29,     ///< a write by a replica that a closed space has not admitted
  renewed = 32,          ///< not a fault: one side took a new replica id; connect again
  reader_expired = 38,   ///< a reader that was kept too long, or that the store could not keep
  stale_row = 39,        ///< a row of a record that was made anew was asked for a large field
  io = 40,               ///< the operating system or LMDB refused; the text says which call
  full = 41,             ///< no space left on the device
  locked = 42,           ///< the store is open elsewhere
  read_only = 43,        ///< a write to something opened for reading
  poisoned = 44,         ///< an earlier sync failed or the process forked: reopen the store
  closed = 45,           ///< used after close, or after the connection ended
  quarantined = 46,      ///< it was found damaged, and is not there again yet
};

/// The name of `code`, as it is written in logs and documents.
constexpr std::string_view name_of(errc code) noexcept {
  switch (code) {
    case errc::invalid_argument: return "invalid_argument";
    case errc::not_found: return "not_found";
    case errc::dead_record: return "dead_record";
    case errc::overflow: return "overflow";
    case errc::type_mismatch: return "type_mismatch";
    case errc::too_large: return "too_large";
    case errc::malformed: return "malformed";
    case errc::unsupported: return "unsupported";
    case errc::checksum: return "checksum";
    case errc::gap: return "gap";
    case errc::wrong_space: return "wrong_space";
    case errc::fork: return "fork";
    case errc::flooded: return "flooded";
    case errc::schema_conflict: return "schema_conflict";
    case errc::diverged: return "diverged";
    case errc::clock_drift: return "clock_drift";
    case errc::protocol: return "protocol";
    case errc::not_a_member: return "not_a_member";
    case errc::not_admitted: return "not_admitted";
    case errc::renewed: return "renewed";
    case errc::reader_expired: return "reader_expired";
    case errc::stale_row: return "stale_row";
    case errc::io: return "io";
    case errc::full: return "full";
    case errc::locked: return "locked";
    case errc::read_only: return "read_only";
    case errc::poisoned: return "poisoned";
    case errc::closed: return "closed";
    case errc::quarantined: return "quarantined";
  }
  return "unknown";
}

struct error {
  errc code{};
  std::string what;    ///< what happened
  std::string where;   ///< the file, key, dot or byte offset; may be empty
  std::string advice;  ///< what the reader can do; may be empty

  /// One line for people: `code: what (where): advice`.
  [[nodiscard]] std::string text() const {
    std::string out{name_of(code)};
    out += ": " + what;
    if (!where.empty()) out += " (" + where + ")";
    if (!advice.empty()) out += "; " + advice;
    return out;
  }
};

/// An `error` as an exception.
class failure : public std::runtime_error {
 public:
  explicit failure(joinery::error e) : std::runtime_error(e.text()), error_(std::move(e)) {}
  [[nodiscard]] const joinery::error& error() const noexcept { return error_; }

 private:
  joinery::error error_;
};

}  // namespace joinery
