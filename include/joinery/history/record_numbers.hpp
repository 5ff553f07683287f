// record_numbers: names records by short numbers, for the store's own use.
//
// Purpose: what is hot in the log names most records for the first time in its entry, and a key is
// most of what an operation takes there. So each record that the snapshot has gets a number, and
// entries of the log say that instead. Numbers never leave the store.
// Keys: `numbers` has fixed32 row → sealed block key*, of the numbers from row × 32 on; an empty
// block for none. Number 0 means none.
// Invariants: a number is given once, in the transaction that first stores the record with it, and
// always means the same key; rows are never taken away. What a damaged row said is found in the
// records, each of which is stored with its number. Only so many numbers are given that all rows
// together are soon read: a log that is opened names its records in any order.
// Thread-safety: as the view or writer that is passed in; a ledger is guarded by its owner.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "joinery/history/record_row.hpp"

namespace joinery::history {

/// How many numbers a row has: so many keys are read where one is wanted.
inline constexpr std::uint32_t numbers_in_row = 32;
/// Numbers are below this: records beyond have none, and entries name them in full.
inline constexpr std::uint32_t most_numbers = 1u << 16;

using keys_of_row = std::array<bytes, numbers_in_row>;

/// A row that nothing is added to any more, even where its last numbers are not known.
inline bytes full_row(const keys_of_row& keys) {
  bytes out;
  for (const auto& key : keys) byte_writer{out}.block(key);
  return out;
}

using number_rows = std::map<std::uint32_t, keys_of_row>;

/// Fills in what `rows` say, by the records that have their numbers. Reads all records.
template <storage_view V>
void find_among_records(V& from, number_rows& rows) {
  from.scan(area::records, {}, [&](bytes_view key, bytes_view value) {
    if (index_of(key) >> 31 != 0) return false;  // parts: they are the last
    const auto record = open_record(key, value);
    if (!record || record->number == 0) return true;
    const auto row = rows.find(record->number / numbers_in_row);
    if (row != rows.end()) row->second[record->number % numbers_in_row] = after_index(key);
    return true;
  });
}

/// Finds keys by their numbers, those of damaged rows among the records; each row is read once.
/// What it gives is valid as long as this and the view's transaction, until something is written in
/// that.
template <storage_view V>
class keys_by_number {
 public:
  /// `checked`: whether rows are believed only with their checksums. Whoever checks what becomes of
  /// the keys may ask in vain first: that takes less.
  explicit keys_by_number(V& from, bool checked = true) noexcept : from_(from), checked_(checked) {}

  std::optional<bytes_view> operator()(std::uint32_t number) {
    byte_reader in{content_of(number / numbers_in_row)};
    for (auto before = number % numbers_in_row; before > 0; --before) in.block();
    const auto key = in.block();
    if (in.ok() && !key.empty()) return key;
    return among_records(number);
  }

  /// What was wrong with the last one that was not found.
  [[nodiscard]] const std::optional<error>& fault() const noexcept { return fault_; }
  /// The rows that said less than they should.
  [[nodiscard]] const number_rows& damaged() const noexcept { return by_records_; }

 private:
  // Nothing when it is damaged.
  bytes_view content_of(std::uint32_t row) {
    if (row >= most_numbers / numbers_in_row) return {};
    if (row >= rows_.size()) rows_.resize(row + std::size_t{1});
    auto& content = rows_[row];
    if (!content.empty()) return content;
    const auto key = index_key(row);
    const auto value = from_.get(area::numbers, key);
    if (value && (!checked_ || open_sealed(area::numbers, key, *value)))
      content = value->substr(std::min(value->size(), sizeof(std::uint64_t)));
    return content;
  }
  std::optional<bytes_view> among_records(std::uint32_t number) {
    if (!checked_) return std::nullopt;
    const auto row = number / numbers_in_row;
    if (!by_records_.contains(row)) {
      number_rows found{{row, {}}};
      find_among_records(from_, found);
      by_records_.merge(found);
    }
    const auto& key = by_records_.at(row)[number % numbers_in_row];
    if (!key.empty()) return bytes_view{key};
    fault_ = unknown(row);
    return std::nullopt;
  }
  static error unknown(std::uint32_t row) {
    return error{errc::checksum, "an entry of the log names a record that is not known",
                 place_of(area::numbers, index_key(row)),
                 "sync with a replica that has the changesets: they are fetched again"};
  }

  V& from_;
  bool checked_;
  std::vector<bytes_view> rows_;  ///< what those say that were read; of others nothing
  number_rows by_records_;
  std::optional<error> fault_;
};

/// Gives numbers to records.
class number_ledger {
 public:
  /// Takes up where the storage is. A last row that cannot be read counts as full.
  template <storage_view V>
  void load(V& from) {
    *this = {};
    const auto last = from.last(area::numbers);
    if (!last) return;
    row_.clear();
    const auto row = std::min(index_of(last->first), most_numbers / numbers_in_row);
    next_ = row * numbers_in_row;
    const auto content = open_sealed(area::numbers, last->first, last->second);
    byte_reader in{content ? *content : bytes_view{}};
    std::uint32_t count = 0;
    for (; in.ok() && !in.at_end(); ++count) in.block();
    if (!content || !in.ok() || count >= numbers_in_row) {
      next_ += numbers_in_row;
    } else {
      next_ += count;
      row_ = *content;
    }
  }

  /// Numbers for the records of one transaction; counts once that is committed: see `accept`.
  class batch {
   public:
    /// The number of the next record; 0 when all are used up.
    template <storage_writer W>
    std::uint32_t add(W& to, bytes_view key) {
      if (next_ >= most_numbers) return 0;
      if (next_ % numbers_in_row == 0) {
        put(to);
        row_.clear();
      }
      byte_writer{row_}.block(key);
      return next_++;
    }
    /// Stores what is not stored yet.
    template <storage_writer W>
    void put(W& to) const {
      if (next_ == first_ || row_.empty()) return;
      put_sealed(to, area::numbers, index_key((next_ - 1) / numbers_in_row), row_);
    }
    /// The first one that it gave, and the one behind the last.
    [[nodiscard]] std::uint32_t first() const noexcept { return first_; }
    [[nodiscard]] std::uint32_t end() const noexcept { return next_; }

   private:
    friend class number_ledger;
    std::uint32_t first_ = 0;
    std::uint32_t next_ = 0;
    bytes row_;
  };
  [[nodiscard]] batch begin() const {
    batch out;
    out.first_ = out.next_ = next_;
    out.row_ = row_;
    return out;
  }
  void accept(batch&& done) {
    next_ = done.next_;
    row_ = std::move(done.row_);
  }
  /// The row that the next number may go into, and what it says; nothing when that is a new one.
  [[nodiscard]] std::optional<std::pair<std::uint32_t, bytes_view>> last_row() const noexcept {
    if (row_.empty()) return std::nullopt;
    return std::pair{(next_ - 1) / numbers_in_row, bytes_view{row_}};
  }

 private:
  std::uint32_t next_ = 1;
  bytes row_ = bytes(1, '\0');  ///< what the row of the last number says: at first that 0 is none
};

}  // namespace joinery::history
