// compaction: the part of the log that the snapshot covers takes less room.
//
// Purpose: a commit of a few operations packs badly alone. What lies below the snapshot's position
// is merged twice: single commits into entries of a frame, along with their dots, and those into
// entries of `log_entry_bytes`, in which a record is named once.
// Invariants: a step is bounded: it reads one entry, or stores one merged entry in a transaction of
// its own, in which the merged ones go. Positions never change; an entry that is damaged, or beside
// a position without an entry, is not merged with what is beyond it. What was read and not stored
// is read again after a restart. Merged entries name all records in full.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <array>
#include <map>

#include "joinery/history/floor.hpp"
#include "joinery/replica/options.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

/// Entries that are being merged into one.
class merging {
 public:
  /// The dots are merged as well, or left.
  explicit merging(bool with_dots) : with_dots_(with_dots) {}

  /// Everything below this has been merged, or cannot be.
  [[nodiscard]] std::uint64_t next() const noexcept {
    return entries_.empty() ? next_ : entries_[0];
  }
  /// The entry that was read last.
  [[nodiscard]] std::uint64_t reading_at() const noexcept { return reading_at_; }
  void start_at(std::uint64_t position) {
    forget();
    next_ = position;
  }
  [[nodiscard]] std::uint64_t stored() const noexcept { return stored_; }
  /// Begins anew with the entries that were read.
  void forget() {
    if (!entries_.empty()) next_ = entries_[0];
    entries_.clear();
    packer_.reset();
    read_.clear();
    size_ = 0;
  }

  /// Reads the next entry, up to position `last`, or stores what was read once `most` bytes of
  /// changesets were. True when it did either.
  template <history::storage S>
  result<bool> step(S& storage, const replica_state& state, const history::log_floor& floor,
                    std::uint64_t last, std::size_t most) {
    if (next() <= floor.position) start_at(floor.position + 1);
    if (next_ > last) return false;
    auto found = look(storage, most);
    if (!found) return found.error();
    if (found->first == 0 || found->last > last) return false;
    if (found->fits) return take(storage, state, most);
    if (entries_.size() > 1) return store(storage);  // it cannot grow any more
    start_at(found->fits_later ? found->first : found->last + 1);
    return true;
  }

 private:
  struct seen {
    std::uint64_t first = 0;  ///< 0: there is none
    std::uint64_t last = 0;
    bool fits = false;        ///< among those that were read before
    bool fits_later = false;  ///< but not behind those
  };
  struct changeset {
    causal::dot at;
    std::uint64_t position = 0;
    bytes data;
  };

  // Looks at the next entry without unpacking it.
  template <history::storage S>
  result<seen> look(S& storage, std::size_t most) {
    seen out;
    auto read = storage.read([&](auto& view) -> result<> {
      out = {};
      view.scan(history::area::log, history::position_key(next_), [&](bytes_view key, auto value) {
        out.first = out.last = history::position_of(key);
        const auto content = history::open_sealed(history::area::log, key, value);
        const auto count = content ? history::entry_count(*content) : content.error();
        if (!count) return false;
        out.last = out.first + *count - 1;
        out.fits_later = with_dots_ ? value.size() < most / 4 : !history::has_many_frames(*content);
        out.fits = out.fits_later && (entries_.empty() || out.first == next_);
        return false;
      });
      return {};
    });
    if (!read) return read.error();
    return out;
  }

  // Takes the next entry in, or leaves it for the next one when it is too much.
  template <history::storage S>
  result<bool> take(S& storage, const replica_state& state, std::size_t most) {
    std::vector<changeset> all;
    std::uint64_t first = 0;
    std::size_t size = 0;
    history::log_reader reader;
    auto read = storage.read([&](auto& view) -> result<> {
      all.clear();
      size = 0;
      result<> outcome;
      view.scan(history::area::log, history::position_key(next_), [&](bytes_view key, auto value) {
        first = history::position_of(key);
        const auto visit = [&](std::uint64_t at, bytes_view data) {
          const auto name = codec::peek_dot(data);
          const auto by = name ? state.replicas.find(name->first) : std::nullopt;
          if (by) all.push_back({{*by, name->second}, at, bytes{data}});
          size += data.size();
          return by.has_value() && size <= most + codec::max_changeset;  // a forged one never ends
        };
        auto done = reader.visit(view, first, value, first, visit);
        if (!done) outcome = done.error();
        if (done && !*done) outcome = history::unreadable_entry();
        return false;
      });
      return outcome;
    });
    reading_at_ = first;
    if (!read) return read.error();
    if (!entries_.empty() && (size_ + size > most || read_count() + all.size() > most_count))
      return store(storage);
    if (!with_dots_ && !packer_) packer_ = std::make_unique<history::entry_packer>();
    for (auto& c : all) {
      if (packer_)
        packer_->add(c.data);
      else
        read_.push_back(std::move(c));
    }
    entries_.push_back(first);
    next_ = first + all.size();
    size_ += size;
    return true;
  }

  [[nodiscard]] std::uint64_t read_count() const noexcept {
    return packer_ ? packer_->count() : read_.size();
  }
  static constexpr std::uint64_t most_count = history::most_in_entry / 2;

  // One transaction: the merged entry in, the others out.
  template <history::storage S>
  result<bool> store(S& storage) {
    const auto first = entries_[0];
    if (entries_.size() > 1) {
      const auto packed = packer_ ? packer_->finish() : bytes{};
      auto stored = storage.write([&](auto& writer) -> result<> {
        for (std::size_t n = 1; n < entries_.size(); ++n)
          writer.erase(history::area::log, history::position_key(entries_[n]));
        if (packer_)
          history::put_sealed(writer, history::area::log, history::position_key(first), packed);
        else
          store_with_dots(writer, first);
        return {};
      });
      if (!stored) return forget(), stored.error();
      ++stored_;
    }
    start_at(next_);
    return true;
  }
  template <history::storage_writer W>
  void store_with_dots(W& writer, std::uint64_t first) {
    std::vector<bytes_view> data;
    for (const auto& c : read_) data.push_back(c.data);
    history::put_entry(writer, first, data);
    std::map<causal::replica_index, history::dot_run> runs;  // of each origin, as far as it goes on
    for (const auto& c : read_) {
      const auto run = history::find_run(writer, c.at);
      if (!run || !*run || (*run)->first != c.at) continue;  // once for each; damaged ones stay
      auto [at, fresh] = runs.try_emplace(c.at.replica, **run);
      auto& merged = at->second;
      if (fresh) continue;
      if (merged.last() + 1 != c.at.seq) {
        history::put_run(writer, merged);
        merged = **run;
        continue;
      }
      merged.extend(**run);
      writer.erase(history::area::dots, history::dot_key(c.at));
    }
    for (const auto& [by, merged] : runs) history::put_run(writer, merged);
  }

  bool with_dots_;
  std::uint64_t next_ = 1;              ///< the position after the entries that were read
  std::vector<std::uint64_t> entries_;  ///< that were read: their first positions
  std::unique_ptr<history::entry_packer> packer_;
  std::vector<changeset> read_;
  std::size_t size_ = 0;          ///< bytes of the changesets that were read
  std::uint64_t stored_ = 0;      ///< merged entries
  std::uint64_t reading_at_ = 0;  ///< the entry that was read last
};

class compaction {
 public:
  /// Entries of the log were written anew, or are damaged.
  void log_changed() {
    small_.forget();
    large_.forget();
  }

  /// The entries that were read last, which may be damaged if that failed.
  [[nodiscard]] std::array<std::uint64_t, 2> reading_at() const noexcept {
    return {small_.reading_at(), large_.reading_at()};
  }
  /// How often the log was changed.
  [[nodiscard]] std::uint64_t stored() const noexcept { return small_.stored() + large_.stored(); }

  /// A small step, where the log is worth packing. `covered`: the position that the stored snapshot
  /// stands for. True when there is more to do at once. Errors: those of the storage.
  template <history::storage S>
  result<bool> step(S& storage, const replica_state& state, const history::log_floor& floor,
                    std::uint64_t covered, const replica_options& limits) {
    // A log of a few large entries could not be trimmed well.
    const auto most = static_cast<std::size_t>(
        std::min<std::uint64_t>(limits.log_entry_bytes, limits.retain_log_bytes / 16));
    if (!history::packs_log(storage) || most == 0) return false;
    const auto small = std::min(history::frame_bytes, most / 4);
    auto done = small_.step(storage, state, floor, covered, small);
    if (!done || *done || limits.cache_bytes < packing_takes) return done;
    return large_.step(storage, state, floor, std::min(small_.next() - 1, covered), most);
  }

 private:
  static constexpr std::size_t packing_takes = 8u << 20;  ///< bytes of memory, at most, about

  merging small_{true};
  merging large_{false};
};

}  // namespace joinery::detail
