// log_repair: puts a damaged entry of the log back.
//
// Purpose: the chain digests beside the log prove that bytes from elsewhere are the very ones that
// stood there. An entry is put back once all its changesets have come.
// Invariants: nothing is put into the log that its chain does not prove; positions never change.
// What has come of an entry is kept in memory, within `most_bytes` of it.
// Thread-safety: none; called by the replica's owner.
#pragma once

#include "joinery/history/floor.hpp"
#include "joinery/replica/damage.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

/// What becomes of a changeset that was given for one that is damaged.
enum class given_back {
  refused,  ///< it is another one, or none is damaged
  kept,     ///< until those that prove it, or the rest of its entry, have come, or prove it wrong
  mended,   ///< its entry is whole again
};

/// A damaged entry of the log: what the dots tell of it, and what has come back.
class lost_entry {
 public:
  static constexpr std::size_t most_bytes = 2 * codec::max_changeset;

  lost_entry(std::uint64_t first, std::uint64_t end) : first_(first), end_(end) {}
  [[nodiscard]] bool holds(std::uint64_t position) const noexcept {
    return position >= first_ && position < end_;
  }
  /// A run that is in it; or nothing, for one that cannot be read.
  void add(const std::optional<history::dot_run>& read) {
    // Where the log ends cannot be told then.
    lacking_ = lacking_ || (!read && end_ == ~std::uint64_t{0}) ||
               (read && lost_.size() + read->count > history::most_in_entry);
    if (!read || lacking_) return;
    const auto& run = *read;
    run.for_each([&](causal::dot at, std::uint64_t position) {
      lost_[position] = {at, runs_.size(), {}};
    });
    runs_.push_back(run);
  }

  /// Calls `each(dot)` for what has not come, by position, until it returns false.
  template <class F>
  bool each_wanted(F&& each) const {
    return std::all_of(lost_.begin(), lost_.end(),
                       [&](const auto& l) { return l.second.data || each(l.second.at); });
  }

  /// Takes what was given for the changeset `at`. Errors: those of the storage, checksum.
  template <history::storage_view V>
  result<given_back> take(V& view, causal::dot at, bytes_view data) {
    const auto run = std::find_if(runs_.begin(), runs_.end(), [&](const auto& r) {
      return r.first.replica == at.replica && r.first.seq <= at.seq && at.seq <= r.last();
    });
    if (run == runs_.end()) return given_back::refused;
    auto& lost = lost_.at(run->position_of(at.seq));
    if (lost.data && *lost.data == data) return given_back::kept;
    // What came before is as little proven.
    size_ += data.size() - (lost.data ? lost.data->size() : 0);
    lost.data = bytes{data};
    const auto proven = proves(view, *run);
    if (proven && *proven && size_ <= most_bytes)
      return whole() ? given_back::mended : given_back::kept;
    forget(*run);
    if (!proven) return proven.error();
    // Of several, any may have been the wrong one.
    return run->count == 1 ? given_back::refused : given_back::kept;
  }

  /// Precondition: it is whole.
  template <history::storage_writer W>
  void put(W& to) const {
    std::vector<bytes_view> all;
    for (const auto& [position, lost] : lost_) all.push_back(*lost.data);
    history::put_entry(to, first_, all);
  }

 private:
  struct changeset {
    causal::dot at;
    std::size_t run = 0;
    std::optional<bytes> data;
  };

  /// Whether the run is what its chain says, as far as it has come.
  template <history::storage_view V>
  result<bool> proves(V& view, const history::dot_run& run) {
    bool all = true;
    run.for_each([&](auto, std::uint64_t at) { all = all && lost_.at(at).data; });
    if (!all) return true;
    auto chain = history::chain_before(view, run);
    if (!chain) return chain.error();
    run.for_each([&](auto, std::uint64_t at) {
      if (*chain) *chain = history::chain_next(**chain, *lost_.at(at).data);
    });
    return *chain == run.chain;
  }
  void forget(const history::dot_run& run) {
    run.for_each([&](auto, std::uint64_t at) {
      auto& data = lost_.at(at).data;
      size_ -= data ? data->size() : 0;
      data.reset();
    });
  }
  [[nodiscard]] bool whole() const {
    if (lacking_) return false;
    auto next = first_;
    for (const auto& [position, lost] : lost_)
      if (position != next++ || !lost.data) return false;
    return end_ == ~std::uint64_t{0} || next == end_;
  }

  std::uint64_t first_;
  std::uint64_t end_;     ///< below which it ends
  bool lacking_ = false;  ///< what the dots tell is not all
  std::vector<history::dot_run> runs_;
  std::map<std::uint64_t, changeset> lost_;  ///< by position
  std::size_t size_ = 0;                     ///< of what has come
};
using lost_entries = std::map<std::uint64_t, lost_entry>;

/// Adds those entries, by their first positions, that are not among `known` yet, and drops others.
template <history::storage S>
result<> look_up_lost(S& storage, const std::set<std::uint64_t>& firsts, lost_entries& known) {
  std::erase_if(known, [&](const auto& k) { return !firsts.contains(k.first); });
  if (known.size() == firsts.size()) return {};
  lost_entries fresh;
  auto read = storage.read([&](auto& view) -> result<> {
    fresh.clear();
    history::log_floor floor;
    auto stored = history::get_sealed(view, history::area::meta, "floor");
    if (stored && *stored)
      if (auto there = history::read_floor(**stored)) floor = std::move(*there);
    for (const auto first : firsts) {
      if (known.contains(first)) continue;
      auto end = ~std::uint64_t{0};
      view.scan(history::area::log, history::position_key(first + 1), [&](bytes_view key, auto) {
        end = history::position_of(key);
        return false;
      });
      for (const auto join : floor.joins)
        if (join > first) end = std::min(end, join);
      fresh.emplace(first, lost_entry{first, end});
    }
    view.scan(history::area::dots, {}, [&](bytes_view key, bytes_view value) {
      const auto run = history::read_run(key, value);
      if (!run) {
        for (auto& [first, entry] : fresh) entry.add(std::nullopt);
        return true;
      }
      const auto after = fresh.upper_bound(run->position);
      if (after != fresh.begin())
        if (auto& entry = std::prev(after)->second; entry.holds(run->end)) entry.add(*run);
      return true;
    });
    return {};
  });
  if (read) known.merge(std::move(fresh));
  return read;
}

/// The last changeset of each origin, by the dots alone: for a log that cannot be read throughout.
template <history::storage_view V>
result<std::vector<history::head>> heads_of_dots(V& view, const causal::roster& replicas) {
  std::vector<history::head> out;
  result<> outcome;
  view.scan(history::area::dots, {}, [&](bytes_view key, bytes_view value) {
    const auto run = history::read_run(key, value);
    if (!run || run->first.replica >= replicas.size()) {
      outcome = run ? error{errc::malformed, "a dot of no replica", "dots", "restore the store"}
                    : run.error();
      return false;
    }
    const auto& id = replicas[run->first.replica];
    if (out.empty() || out.back().origin != id) out.push_back({id, 0, {}});
    out.back().seq = run->last();
    out.back().chain = run->chain;
    return true;
  });
  if (!outcome) return outcome.error();
  return out;
}

}  // namespace joinery::detail
