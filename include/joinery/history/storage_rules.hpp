// What every storage refuses: the limits on keys and values, the same for each model of `storage`.
//
// Purpose: a program that works over one storage works over the other, mistakes included.
// Invariants: keys have 1 to 511 bytes, those of `area::log` exactly eight; a value stays below 4
// GiB. Thread-safety: values and pure functions.
#pragma once

#include <optional>
#include <string>

#include "joinery/base/error.hpp"
#include "joinery/history/storage.hpp"

namespace joinery::history {

inline constexpr std::size_t max_key_bytes = 511;
inline constexpr std::uint64_t max_value_bytes = 0xFFFF'FFFF;
inline constexpr std::size_t log_key_bytes = 8;

constexpr std::string_view name_of(area a) noexcept {
  switch (a) {
    case area::meta: return "meta";
    case area::roster: return "roster";
    case area::names: return "names";
    case area::log: return "log";
    case area::dots: return "dots";
    case area::records: return "records";
    case area::held: return "held";
    case area::staged: return "staged";
    case area::evidence: return "evidence";
    case area::indexes: return "indexes";
    case area::quarantine: return "quarantine";
    case area::local: return "local";
    case area::numbers: return "numbers";
    case area::numbers_copy: return "numbers_copy";
  }
  return "unknown";
}

/// What a read throws in a transaction that had a fault: an answer would be a lie. `write` and
/// `read` catch it and return the fault, or run the body again; a body lets it pass.
struct transaction_lost {};

/// Where a fault is, for an error's `where`: "records, key 0a1b…".
inline std::string place_of(area a, bytes_view key) {
  constexpr std::size_t shown = 24;
  std::string out{name_of(a)};
  if (key.empty()) return out;
  return out + ", key " + to_hex(key.substr(0, shown)) + (key.size() > shown ? "…" : "");
}

/// What is wrong with `key` in `a`, if anything.
inline std::optional<error> bad_key(area a, bytes_view key) {
  if (a == area::log && key.size() != log_key_bytes) {
    return error{errc::invalid_argument, "a key of the log is eight bytes, big-endian",
                 place_of(a, key), "make it with byte_writer::fixed64"};
  }
  if (key.empty()) {
    return error{errc::invalid_argument, "an empty key", place_of(a, key),
                 "a key has 1 to 511 bytes"};
  }
  if (key.size() > max_key_bytes) {
    return error{errc::too_large, "a key of " + std::to_string(key.size()) + " bytes",
                 place_of(a, key), "a key has at most 511 bytes: store a hash of a longer one"};
  }
  return std::nullopt;
}

/// What is wrong with putting `value` under `key`, if anything.
inline std::optional<error> bad_entry(area a, bytes_view key, bytes_view value) {
  if (auto bad = bad_key(a, key)) return bad;
  if (value.size() > max_value_bytes) {
    return error{errc::too_large, "a value of " + std::to_string(value.size()) + " bytes",
                 place_of(a, key), "a value stays below 4 GiB: split it"};
  }
  return std::nullopt;
}

/// The error for a new key of the log that is not above all others.
inline error log_not_appended(bytes_view key) {
  return {errc::invalid_argument, "a new entry of the log below or among its present ones",
          place_of(area::log, key), "positions only grow; an existing one may be overwritten"};
}

/// The error for a read or write that is started inside another on the same thread.
inline error nested_use() {
  return {errc::invalid_argument, "a read or write inside another one of the same storage", "",
          "finish the outer one first: they do not nest"};
}

}  // namespace joinery::history
