// damage: entries of the store whose checksum does not fit, and what is known of them.
//
// Purpose: a damaged snapshot record moves into `area::quarantine` and counts as missing until it
// was rebuilt; a damaged entry of the log stays in its place, with a mark in quarantine, until a
// peer has given the same bytes again. A record of a local table moves too, and is gone: nobody
// else has it. The list is what the status shows.
// Keys: `quarantine` has u8 area, the entry's key → sealed fixed64 moment, the bytes as they were.
// Invariants: what is missing is never shown as absent: reading it is errc::quarantined. The marks
// survive; what they name is known from their keys alone, so that a mark may be damaged as well.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <map>
#include <set>

#include "joinery/replica/pending_join.hpp"
#include "joinery/replica/status.hpp"

namespace joinery::detail {

class damage {
 public:
  using record_set = std::set<state::record_name, state::record_order>;

  // --- Records of the snapshot ---

  /// A read met this record and its checksum does not fit.
  void met(state::name_index table, bytes_view key) { met_.insert({table, bytes{key}}); }
  [[nodiscard]] bool met_any() const noexcept { return !met_.empty(); }
  [[nodiscard]] const record_set& met_records() const noexcept { return met_; }
  void forget_met() { met_.clear(); }
  /// While a snapshot is being joined, a record without one of its parts counts as met as well:
  /// both halves must be whole. `all`: also of parts that were found before.
  void meet_owners(bool all) {
    auto parts = met_;
    if (all) parts.insert(missing_.begin(), missing_.end());
    for (const auto& p : parts) {
      const auto name =
          state::is_parts(p.table) ? state::read_part_key(p.table, p.key) : std::nullopt;
      if (name) met(name->first.table, name->first.key);
    }
  }

  [[nodiscard]] bool missing(const state::record_name_view& record) const {
    return !missing_.empty() && missing_.contains(record);
  }
  [[nodiscard]] const record_set& missing_records() const noexcept { return missing_; }
  /// Whether a record of `table` with a key from `from` on is missing.
  [[nodiscard]] bool missing_from(state::name_index table, bytes_view from) const {
    const auto at = missing_.lower_bound(state::record_name_view{table, from});
    return at != missing_.end() && at->table == table;
  }
  /// Whether a key of `table` that begins with `prefix` is missing.
  [[nodiscard]] bool missing_within(state::name_index table, bytes_view prefix) const {
    const auto at = missing_.lower_bound(state::record_name_view{table, prefix});
    return at != missing_.end() && at->table == table && at->key.starts_with(prefix);
  }
  void rebuilt(const state::record_name& record) {
    missing_.erase(record);
    forget(history::area::records, history::record_key(record.table, record.key));
    ++repaired_;
  }

  // --- The log ---

  /// The first positions of the damaged entries.
  [[nodiscard]] const std::set<std::uint64_t>& log_entries() const noexcept { return log_; }
  void restored(std::uint64_t first) {
    log_.erase(first);
    forget(history::area::log, history::position_key(first));
    ++repaired_;
  }

  // --- Everything ---

  /// What was lost under this mark has been written anew, or is not wanted any more.
  void given_up(const bytes& mark) { entries_.erase(mark); }

  /// Something was mended as soon as it was found.
  void mended() noexcept { ++repaired_; }

  [[nodiscard]] std::uint64_t repaired() const noexcept { return repaired_; }
  [[nodiscard]] std::size_t count() const noexcept { return entries_.size(); }
  /// Some of what is damaged at present.
  [[nodiscard]] std::vector<damaged_entry> list() const {
    std::vector<damaged_entry> out;
    for (const auto& [key, when_ms] : entries_) {
      if (out.size() == most_listed) break;
      out.push_back({place_of(key), when_ms});
    }
    return out;
  }

  static bytes quarantine_key(history::area where, bytes_view key) {
    bytes out(1, static_cast<char>(where));
    return out += key;
  }

  /// Takes the marks in.
  template <history::storage_view V>
  void load(V& view) {
    view.scan(history::area::quarantine, {}, [&](bytes_view key, bytes_view value) {
      const auto content = history::open_sealed(history::area::quarantine, key, value);
      note(bytes{key}, content ? byte_reader{*content}.fixed64() : 0);
      return true;
    });
  }

  /// Puts an entry's bytes into quarantine; takes a record out of the snapshot, and, while
  /// one is `joining`, what is staged of it. The mark counts
  /// once that is committed: see `note`.
  template <history::storage_writer W>
  static void set_aside(W& to, history::area where, bytes_view key, std::uint64_t now_ms,
                        bool joining = false) {
    const auto value = to.get(where, key);
    bytes content;
    byte_writer w{content};
    w.fixed64(now_ms);
    w.raw(value.value_or(bytes_view{}));
    history::put_sealed(to, history::area::quarantine, quarantine_key(where, key), content);
    if (where == history::area::local) to.erase(where, key);
    if (where != history::area::records) return;
    to.erase(where, key);
    if (joining) to.erase(history::area::staged, staged_key(key));  // half of it is of no use
  }
  /// Notes a mark that is in the storage.
  void note(const bytes& key, std::uint64_t when_ms) {
    entries_[key] = when_ms;
    const auto inner = bytes_view{key}.substr(1);
    if (static_cast<history::area>(key[0]) == history::area::records)
      missing_.insert({history::index_of(inner), bytes{history::after_index(inner)}});
    if (static_cast<history::area>(key[0]) == history::area::log)
      log_.insert(history::position_of(inner));
  }

  /// What a reader of a missing record gets.
  static error quarantined(const std::string& place) {
    return {errc::quarantined, "a record was found damaged and is not there again yet", place,
            "open it for writing, or sync with a replica that has it: it is made anew"};
  }

 private:
  static constexpr std::size_t most_listed = 16;

  static std::string place_of(bytes_view key) {
    const auto where = static_cast<history::area>(key[0]);
    if (where == history::area::log)
      return "log position " + std::to_string(history::position_of(key.substr(1)));
    return history::place_of(where, key.substr(1));
  }
  void forget(history::area where, bytes_view key) { entries_.erase(quarantine_key(where, key)); }

  record_set met_;
  record_set missing_;
  std::set<std::uint64_t> log_;
  std::map<bytes, std::uint64_t> entries_;  // all marks: by key, when
  std::uint64_t repaired_ = 0;
};

}  // namespace joinery::detail
