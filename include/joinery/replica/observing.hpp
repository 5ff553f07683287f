// observing: the part of an engine that tells of changes and looks records up by their fields.
//
// Purpose: watching and queries, untyped. A base of `engine`, whose members it uses.
// Invariants: those of the feed (change_feed.hpp) and of the indexes (index_set.hpp).
// Thread-safety: as the engine: one thread at a time.
#pragma once

#include "joinery/replica/change_feed.hpp"
#include "joinery/replica/index_scan.hpp"
#include "joinery/replica/status.hpp"

namespace joinery::detail {

template <class Engine>
class observing {
 public:
  /// Calls `call` with the packed changes to records that `filter` covers, once for each changeset,
  /// after it is stored, until the subscription ends. Callbacks may do anything with the engine but
  /// destroy it. What they throw fails nothing: see `replica_options::watch_failed`.
  subscription watch(watch_filter filter, change_feed::callback call) {
    return {changes_, changes_->add(std::move(filter), std::move(call))};
  }
  /// Tells every watcher that records may have changed in any way. For whoever joins a snapshot,
  /// once it is stored.
  void notify_reset() {
    changes_->reset({self().state_.self, 0, self().state_.clock.highest(), false, true});
    deliver_changes();
  }

  /// Walks the living records that an index lists: `each(value, key, packed) -> bool`, false stops.
  /// `each` may change anything: what comes after is found as it is then. A record stands under
  /// each of its values. Errors: invalid_argument (no such index), and the storage's.
  template <class F>
  result<> scan_index(const index_query& q, F&& each) {
    if (auto done = self().known_whole(); !done) return done;
    return detail::scan_index(self(), self().storage_, self().state_, q, each);
  }

 protected:
  [[nodiscard]] change_feed& feed() noexcept { return *changes_; }
  void deliver_changes() {
    const auto feed = changes_;  // stays while it is at work, whatever callbacks do
    feed->deliver([&](const std::exception_ptr& thrown) {
      watch_failures_ += 1;
      if (self().options_.watch_failed) self().options_.watch_failed(thrown);
    });
  }
  void tell_observing(replica_status& s) const {
    s.watch_failures = watch_failures_;
    s.last_index_error = self().state_.indexes.last_error();
  }

 private:
  Engine& self() noexcept { return static_cast<Engine&>(*this); }
  const Engine& self() const noexcept { return static_cast<const Engine&>(*this); }

  std::shared_ptr<change_feed> changes_ = std::make_shared<change_feed>();
  std::uint64_t watch_failures_ = 0;
};

}  // namespace joinery::detail
