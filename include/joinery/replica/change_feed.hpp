// change_feed: from folded changesets to the callbacks that watch.
//
// Purpose: gathers a batch of changes for each changeset that somebody is interested in, and hands
// the batches out when whatever stored the changesets is over.
// Invariants: a callback gets every batch with something for it that was committed after it began
// to watch, once, in the order of the log, and none while the engine or the storage is in the
// middle of anything. Callbacks may write, watch, and end any watching, their own included: what a
// write of theirs causes comes after the batch in hand. A callback that throws has had its batch;
// the others get theirs.
// Thread-safety: none; guarded by its owner.
#pragma once

#include <algorithm>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

#include "joinery/base/error.hpp"
#include "joinery/replica/spare_records.hpp"
#include "joinery/state/change.hpp"

namespace joinery {

/// Which records a watcher wants to hear of.
struct watch_filter {
  std::string table;           ///< empty: every table
  bytes from;                  ///< keys from here on
  std::optional<bytes> below;  ///< and below this; no bound when absent
  bool local = false;          ///< of tables that never leave the device, or of those of the space

  [[nodiscard]] bool covers(std::string_view of_table, bool of_local) const noexcept {
    return local == of_local && (table.empty() || table == of_table);
  }
  [[nodiscard]] bool covers_all_keys() const noexcept { return from.empty() && !below; }
  [[nodiscard]] bool covers(std::string_view of_table, bytes_view key,
                            bool of_local) const noexcept {
    return covers(of_table, of_local) && key >= from && (!below || key < *below);
  }
};

namespace detail {

class change_feed {
 public:
  using callback = std::function<void(const state::change_batch&)>;

  struct watcher {
    watch_filter filter;
    callback call;
    std::uint64_t since = 0;  // the first batch that it may get
    bool ended = false;
  };

  std::shared_ptr<watcher> add(watch_filter filter, callback call) {
    sweep();
    watchers_.push_back(
        std::make_shared<watcher>(watcher{std::move(filter), std::move(call), next_}));
    return watchers_.back();
  }

  /// No callback of `w` comes after this.
  void end(watcher& w) {
    w.ended = true;
    sweep();
  }

  // --- While a changeset is folded: an observer (state/change.hpp) ---

  [[nodiscard]] state::interest interest_in(std::string_view table) const noexcept {
    auto found = state::interest::none;
    for (const auto& w : watchers_) {
      if (w->ended || !w->filter.covers(table, false)) continue;
      if (w->filter.covers_all_keys()) return state::interest::all;
      found = state::interest::some;
    }
    return found;
  }
  [[nodiscard]] bool wants(std::string_view table, bytes_view key,
                           bool local = false) const noexcept {
    for (const auto& w : watchers_)
      if (!w->ended && w->filter.covers(table, key, local)) return true;
    return false;
  }
  /// The record as it is; what is to change may be a copy, in memory that an earlier change left.
  [[nodiscard]] shared_bytes keep(shared_bytes& record) { return spare_.keep(record); }
  void changed(std::string_view table, bytes_view key, shared_bytes before,
               const shared_bytes& after, bool parts, bool local = false) {
    if (const auto kind = state::visible_change(before, after, parts))
      gathered_.emplace_back(table, key, std::move(before), after, *kind, local);
    else
      spare_.give(before);
  }
  /// Ends the changeset's batch.
  void finish(const change_origin& from) {
    if (gathered_.empty()) return;
    const auto size = gathered_.size();
    const auto awake =
        std::count_if(watchers_.begin(), watchers_.end(), [](const auto& w) { return !w->ended; });
    queue_.push_back({next_++, awake == 1, {from, std::exchange(gathered_, {})}});
    gathered_.reserve(std::min<std::size_t>(size, 64));  // the next is about as long
  }
  /// Tells every watcher to read again.
  void reset(const change_origin& from) {
    if (!watchers_.empty()) queue_.push_back({next_++, false, {from, {}}});
  }

  // --- When all is stored ---

  /// Hands out what waits. Does nothing inside a callback: the call that is at work goes on.
  /// `failed(std::exception_ptr)` is told of what callbacks throw.
  template <class F>
  void deliver(F&& failed) {
    if (delivering_ || queue_.empty()) return;
    delivering_ = true;
    while (!queue_.empty()) {
      auto [number, of_one, batch] = std::move(queue_.front());
      queue_.pop_front();
      // Callbacks add to the list, and nothing leaves it meanwhile.
      for (std::size_t i = 0, n = watchers_.size(); i < n; ++i) {
        const auto w = watchers_[i];
        if (w->ended || w->since > number) continue;
        try {
          hand(*w, batch, of_one);
        } catch (...) {
          failed(std::current_exception());
        }
      }
      for (auto& r : batch.records) spare_.give(r.before);
    }
    delivering_ = false;
    sweep();
  }

 private:
  struct waiting {
    std::uint64_t number;
    bool of_one;  // gathered for one watcher, which gets all of it
    state::change_batch batch;
  };

  static void hand(const watcher& w, const state::change_batch& batch, bool all_covered) {
    const auto covered = [&](const auto& r) { return w.filter.covers(r.table, r.key, r.local); };
    const auto& all = batch.records;
    if (all_covered || std::all_of(all.begin(), all.end(), covered)) return w.call(batch);
    state::change_batch part{batch.from, {}};
    std::copy_if(all.begin(), all.end(), std::back_inserter(part.records), covered);
    if (!part.records.empty()) w.call(part);
  }
  void sweep() {
    if (delivering_) return;
    std::erase_if(watchers_, [](const auto& w) { return w->ended; });
    if (watchers_.empty()) spare_ = {};
  }

  std::vector<std::shared_ptr<watcher>> watchers_;
  std::vector<state::record_change> gathered_;
  std::deque<waiting> queue_;
  spare_records spare_;
  std::uint64_t next_ = 0;
  bool delivering_ = false;
};

}  // namespace detail

/// Ends its watching when it is destroyed. May outlive the replica.
class [[nodiscard]] subscription {
 public:
  subscription() = default;
  subscription(std::weak_ptr<detail::change_feed> feed,
               std::weak_ptr<detail::change_feed::watcher> watcher)
      : feed_(std::move(feed)), watcher_(std::move(watcher)) {}
  subscription(subscription&& other) noexcept { swap(other); }
  subscription& operator=(subscription&& other) noexcept {
    subscription{std::move(other)}.swap(*this);
    return *this;
  }
  ~subscription() { end(); }

  /// No callback comes after this, also when it is called inside one.
  void end() noexcept {
    const auto feed = feed_.lock();
    const auto watcher = watcher_.lock();
    if (feed && watcher) feed->end(*watcher);
    feed_.reset();
    watcher_.reset();
  }
  [[nodiscard]] bool active() const noexcept { return !watcher_.expired(); }

 private:
  void swap(subscription& other) noexcept {
    feed_.swap(other.feed_);
    watcher_.swap(other.watcher_);
  }

  std::weak_ptr<detail::change_feed> feed_;
  std::weak_ptr<detail::change_feed::watcher> watcher_;
};

}  // namespace joinery
