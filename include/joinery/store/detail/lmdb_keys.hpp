// Keys of the interface ↔ keys of LMDB.
//
// Purpose: the log's keys are integers to LMDB (its fastest order, and made for appending), in this
// machine's byte order; the interface has them as eight big-endian bytes. Other areas' keys are the
// same in both.
// Invariants: converted keys live as long as the `lmdb_keys` that gave them: eight bytes for each
// entry of the log that one transaction looked at.
// Thread-safety: a value of one transaction.
#pragma once

#include <array>
#include <forward_list>

#include "joinery/base/cursor.hpp"
#include "joinery/history/storage_rules.hpp"
#include "joinery/store/detail/lmdb_format.hpp"
#include "joinery/store/detail/lmdb_transaction.hpp"

namespace joinery::store::detail {

/// A key as LMDB takes it; keeps a converted one.
class lmdb_key {
 public:
  /// The least key of LMDB that is not below `key`; nothing when no key can be.
  static std::optional<lmdb_key> at_least(history::area a, bytes_view key) {
    lmdb_key out(key);
    if (a != history::area::log) return out;
    bytes first{key.substr(0, history::log_key_bytes)};
    first.resize(history::log_key_bytes, '\0');
    auto number = byte_reader(first).fixed64();
    if (key.size() > history::log_key_bytes && ++number == 0) return std::nullopt;
    return out.set(number) ? std::optional(out) : std::nullopt;
  }
  /// `key` itself; nothing when LMDB cannot hold it.
  static std::optional<lmdb_key> exactly(history::area a, bytes_view key) {
    const bool log = a == history::area::log;
    if (key.empty() || key.size() > history::max_key_bytes) return std::nullopt;
    if (log && key.size() != history::log_key_bytes) return std::nullopt;
    return at_least(a, key);
  }

  [[nodiscard]] MDB_val val() noexcept {
    return is_number_ ? MDB_val{sizeof number_, &number_} : to_val(plain_);
  }

 private:
  explicit lmdb_key(bytes_view plain) noexcept : plain_(plain) {}
  bool set(std::uint64_t number) noexcept {
    number_ = static_cast<std::size_t>(number);
    is_number_ = true;
    return number_ == number;
  }

  bytes_view plain_;
  std::size_t number_ = 0;
  bool is_number_ = false;
};

/// Gives LMDB's keys back as the interface has them.
class lmdb_keys {
 public:
  bytes_view external(history::area a, const MDB_val& key) {
    if (a != history::area::log || key.mv_size != sizeof(std::size_t)) return to_view(key);
    std::uint64_t number = lmdb_format::load<std::size_t>(to_view(key));
    auto& out = converted_.emplace_front();
    for (auto byte = out.rbegin(); byte != out.rend(); ++byte, number >>= 8) {
      *byte = static_cast<char>(number & 0xFF);
    }
    return {out.data(), out.size()};
  }

 private:
  std::forward_list<std::array<char, history::log_key_bytes>> converted_;  // stay where they are
};

}  // namespace joinery::store::detail
