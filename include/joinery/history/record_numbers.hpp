// record_numbers: names records by short numbers, for the store's own use.
//
// Purpose: what is hot in the log names most records for the first time in its entry, and a key is
// most of what an operation takes there. So each record that the snapshot has gets a number, and
// entries of the log say that instead. Numbers never leave the store.
// Keys: `numbers` has fixed32 row → sealed block key*, of the numbers from row × 32 on; an empty
// block for none. Number 0 means none. `numbers_copy` has the same rows again.
// Invariants: a number is given once, in the transaction that first stores the record with it, and
// always means the same key; rows are never taken away. Nothing else tells what a row says, so each
// stands twice, written together and on pages of their own, and only a copy whose checksum fits is
// ever written over another. Only so many numbers are given that all rows together are soon read: a
// log that is opened names its records in any order.
// Thread-safety: as the view or writer that is passed in; a ledger is guarded by its owner.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "joinery/codec/limits.hpp"
#include "joinery/history/record_row.hpp"

namespace joinery::history {

/// How many numbers a row has: so many keys are read where one is wanted.
inline constexpr std::uint32_t numbers_in_row = 32;
/// Where the rows stand, each of them in all.
inline constexpr std::array number_areas{area::numbers, area::numbers_copy};

inline bool has_number_rows(area where) noexcept {
  return where == area::numbers || where == area::numbers_copy;
}

/// Puts a row, and its copy.
template <storage_writer W>
void put_row(W& to, std::uint32_t row, bytes_view content) {
  for (const auto where : number_areas) put_sealed(to, where, index_key(row), content);
}

/// What a row says in one of its places; nothing when it is damaged or missing there.
template <storage_view V>
std::optional<bytes_view> row_in(V& from, area where, std::uint32_t row) {
  constexpr std::size_t most_bytes = 8 + numbers_in_row * (codec::max_key + 2);
  const auto key = index_key(row);
  const auto value = from.get(where, key);
  if (!value || value->size() > most_bytes) return std::nullopt;
  return codec::unsealed(static_cast<std::uint8_t>(where), key, *value);
}
/// What a row says: the longest copy of those that are whole, since rows only grow. Nothing when
/// none is, or one says what the other does not.
template <storage_view V>
std::optional<bytes_view> read_row(V& from, std::uint32_t row) {
  auto longer = row_in(from, area::numbers, row);
  auto shorter = row_in(from, area::numbers_copy, row);
  if (!longer || (shorter && shorter->size() > longer->size())) std::swap(longer, shorter);
  if (shorter && !longer->starts_with(*shorter)) return std::nullopt;
  return longer;
}

/// Whether a row says the same in all its places.
template <storage_view V>
bool is_whole_row(V& from, std::uint32_t row) {
  const auto one = row_in(from, area::numbers, row);
  return one && one == row_in(from, area::numbers_copy, row);
}

/// Writes a row where it is damaged, missing or behind, if another place says it. True when it did.
template <storage_writer W>
bool mend_row(W& to, std::uint32_t row) {
  const auto whole = read_row(to, row);
  if (!whole) return false;
  const bytes content{*whole};  // what is written takes views away
  bool mended = false;
  for (const auto where : number_areas) {
    if (row_in(to, where, row) == content) continue;
    put_sealed(to, where, index_key(row), content);
    mended = true;
  }
  return mended;
}

/// Finds keys by their numbers; each row is read once. What it gives is valid as long as this and
/// the view's transaction, until something is written in that.
template <storage_view V>
class keys_by_number {
 public:
  /// `closely`: whether only rows are believed whose checksums fit. Whoever checks what becomes of
  /// the keys may do without until that is wrong: it takes less.
  explicit keys_by_number(V& from, bool closely = false) noexcept
      : from_(from), closely_(closely) {}

  /// Nothing when no row says it.
  std::optional<bytes_view> operator()(std::uint32_t number) {
    if (number >= most_numbers) return std::nullopt;
    byte_reader in{content_of(number / numbers_in_row)};
    for (auto before = number % numbers_in_row; before > 0; --before) in.block();
    const auto key = in.block();
    if (!in.ok() || key.empty()) return std::nullopt;
    return key;
  }

  /// Reads rows anew, closely from now on. False when it did before.
  bool look_closely() {
    if (closely_) return false;
    rows_.clear();
    return closely_ = true;
  }

 private:
  bytes_view content_of(std::uint32_t row) {
    if (row >= rows_.size()) rows_.resize(row + std::size_t{1});
    auto& content = rows_[row];
    if (content) return *content;
    if (!closely_)
      if (const auto value = from_.get(area::numbers, index_key(row)))
        return *(content = codec::unexamined(*value));
    return *(content = read_row(from_, row).value_or(bytes_view{}));
  }

  V& from_;
  bool closely_;
  std::vector<std::optional<bytes_view>> rows_;  ///< those that were looked up
};

/// Tells which numbers may be written: what an entry names by a number whose row is lost, or says
/// another key, could never be read.
class proven_numbers {
 public:
  /// `number`, when its row says that it is this key's; else 0. A row is looked at once, unless it
  /// seems to say something else.
  template <storage_view V>
  std::uint32_t proven(V& from, std::uint32_t number, bytes_view key) {
    if (number == 0 || number >= most_numbers) return 0;
    const auto print = print_of(key);
    if (number < prints_.size() && prints_[number] == print) return number;
    look_at(from, number / numbers_in_row);
    return prints_[number] == print ? number : 0;
  }
  /// Rows may be lost: each is to be looked at again.
  void doubt() { prints_.clear(); }

 private:
  static std::uint32_t print_of(bytes_view key) {
    return static_cast<std::uint32_t>(codec::checksum(key)) | 1;
  }
  template <storage_view V>
  void look_at(V& from, std::uint32_t row) {
    const std::size_t first = row * numbers_in_row, end = first + numbers_in_row;
    if (prints_.size() < end) prints_.resize(end);
    byte_reader in{read_row(from, row).value_or(bytes_view{})};
    for (auto n = first; n < end; ++n) {
      const auto key = in.block();
      prints_[n] = in.ok() && !key.empty() ? print_of(key) : 0;
    }
  }

  std::vector<std::uint32_t> prints_;  ///< of the keys in rows that were looked at, by number
};

/// Gives numbers to records.
class number_ledger {
 public:
  /// Takes up where the storage is. A last row that cannot be read counts as full.
  template <storage_view V>
  void load(V& from) {
    *this = {};
    std::optional<std::uint32_t> last;
    for (const auto where : number_areas)
      from.scan_back(where, index_key(most_numbers / numbers_in_row), [&](bytes_view key, auto) {
        if (key.size() != index_key(0).size()) return true;  // of a forged store
        last = std::max(last.value_or(0), index_of(key));
        return false;
      });
    if (!last) return;
    const auto row = *last;
    const auto says = read_row(from, row).value_or(bytes_view{});
    byte_reader in{says};
    std::uint32_t count = 0;
    for (; count < numbers_in_row && in.ok() && !in.at_end(); ++count) in.block();
    const bool open = in.finished() && count > 0 && count < numbers_in_row;
    next_ = row * numbers_in_row + (open ? count : numbers_in_row);
    row_ = open ? says : bytes_view{};
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
      put_row(to, (next_ - 1) / numbers_in_row, row_);
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

 private:
  std::uint32_t next_ = 1;
  bytes row_ = bytes(1, '\0');  ///< what the row of the last number says: at first that 0 is none
};

}  // namespace joinery::history
