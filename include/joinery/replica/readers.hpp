// readers: makes reader images, knows those that live, and ends them in time.
//
// Purpose: an image that is kept for long keeps the storage from using freed pages again, so that
// readers have a greatest age; the replica ends them when it is over, and all of them when it
// closes.
// Invariants: an image and its overlay are taken at one moment, under the state's `publication`:
// whatever the storage's records have beyond the overlay is the same in both.
// Thread-safety: all of it.
#pragma once

#include "joinery/replica/reader_image.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

template <history::storage S>
class readers {
 public:
  using image = reader_image<S>;

  readers() = default;
  readers(const readers&) = delete;
  readers& operator=(const readers&) = delete;
  ~readers() {
    end([](const image&) { return true; },
        {errc::closed, "the replica of this reader is closed", "", "open it again"});
  }

  /// `join`: see cold_reader.hpp; guarded by `publication` as the state is, and so is `tail`.
  result<std::shared_ptr<image>> make(S& storage, const replica_state& state,
                                      const joined_snapshot& join, const shared_tail& tail,
                                      std::uint64_t now_ms) {
    const std::lock_guard published(state.publication);
    if (suspended_)
      return error{errc::locked, "the replica is being opened anew, under another id", "",
                   "try again"};
    damage known;
    auto pinned = read_once(storage, [&](auto& view) { known.load(view); });
    if (!pinned) return pinned.error();
    const std::lock_guard lock(mutex_);
    auto out = std::make_shared<image>(std::move(*pinned), newer(state), indexes(state), state.seen,
                                       state.last_position, now_ms, std::move(known), join, tail,
                                       state.local.view());
    std::erase_if(live_, [](const auto& i) { return i.expired(); });
    live_.push_back(out);
    return out;
  }

  /// While the state is replaced by another there are no new readers; those that there are keep
  /// what they have.
  void suspend(const replica_state& state, bool on) {
    const std::lock_guard published(state.publication);
    suspended_ = on;
    newer_.reset();
    indexes_.reset();
  }

  /// Ends those that are older than `most_ms`.
  void end_old(std::uint64_t now_ms, std::uint64_t most_ms) {
    end([&](const image& i) { return age(i, now_ms) > most_ms; },
        {errc::reader_expired, "a reader is older than " + std::to_string(most_ms) + " ms", "",
         "make another one, or raise max_reader_age_ms"});
  }

  /// How many there are, and the age of the oldest.
  [[nodiscard]] std::pair<std::size_t, std::uint64_t> figures(std::uint64_t now_ms) const {
    const std::lock_guard lock(mutex_);
    std::pair<std::size_t, std::uint64_t> out{};
    for (const auto& held : live_) {
      const auto i = held.lock();
      if (!i) continue;
      ++out.first;
      out.second = std::max(out.second, age(*i, now_ms));
    }
    return out;
  }

 private:
  // A storage that has to grow gives up what is pinned, also before anything was read from it.
  template <class F>
  static result<typename S::pinned> read_once(S& storage, F&& read) {
    constexpr int growing_meanwhile = 8;
    for (int tried = 1;; ++tried) {
      auto pinned = storage.pin();
      if (!pinned) return pinned;
      const auto looked = pinned->read([&](auto& view) -> result<> {
        read(view);
        return {};
      });
      if (looked) return pinned;
      if (looked.error().code != errc::reader_expired || tried == growing_meanwhile)
        return looked.error();
    }
  }

  // One that was made before the clock was set back is as old as can be.
  static std::uint64_t age(const image& i, std::uint64_t now_ms) {
    return now_ms < i.made_ms() ? ~std::uint64_t{0} : now_ms - i.made_ms();
  }

  template <class Which>
  void end(Which which, const error& why) {
    const std::lock_guard lock(mutex_);
    std::erase_if(live_, [&](const auto& held) {
      const auto i = held.lock();
      if (!i) return true;
      if (!which(*i)) return false;
      i->end(why);
      return true;
    });
  }

  // Readers of one version share what they hold. It is held weakly here: while nobody reads, the
  // working set is the only owner of its records, and changes them in place.
  std::shared_ptr<const state::overlay> newer(const replica_state& state) {
    auto out = changes_ == state.records.changes() ? newer_.lock() : nullptr;
    if (!out) newer_ = out = std::make_shared<const state::overlay>(state.records);
    changes_ = state.records.changes();
    return out;
  }
  std::shared_ptr<const directory> indexes(const replica_state& state) {
    if (!indexes_ || indexes_->names.size() != state.stored_names ||
        indexes_->replicas.size() != state.stored_replicas)
      indexes_ = std::make_shared<const directory>(directory{
          state.names.first(state.stored_names), state.replicas.first(state.stored_replicas)});
    return indexes_;
  }

  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<image>> live_;
  std::weak_ptr<const state::overlay> newer_;
  std::shared_ptr<const directory> indexes_;
  std::uint64_t changes_ = 0;
  bool suspended_ = false;  // guarded by `replica_state::publication`
};

}  // namespace joinery::detail
