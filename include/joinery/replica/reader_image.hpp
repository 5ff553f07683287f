// reader_image: the state of a replica at one version, to be read by other threads.
//
// Purpose: a pinned image of the storage, the records that were dirty at that moment, what was
// pending of the log, and the version, names and ids that belong to them.
// Invariants: shows one version, parts of records included, until it is ended, and then gives its
// error: never something else. Records that are missing from the image because they were damaged
// are `quarantined`, not absent.
// Thread-safety: any number of threads may read; their reads of the storage take turns.
#pragma once

#include <memory>
#include <mutex>

#include "joinery/replica/cold_reader.hpp"
#include "joinery/replica/image_tail.hpp"
#include "joinery/replica/local_tables.hpp"
#include "joinery/state/canonical.hpp"
#include "joinery/state/conflicts.hpp"
#include "joinery/state/overlay.hpp"

namespace joinery::detail {

template <history::storage S>
class reader_image final : public state::part_source {
 public:
  using pinned = typename S::pinned;

  reader_image(pinned image, std::shared_ptr<const state::overlay> newer,
               std::shared_ptr<const directory> indexes, causal::version seen,
               std::uint64_t position, std::uint64_t made_ms, damage known, joined_snapshot join,
               const shared_tail& tail, local_view local = {})
      : image_(std::move(image)),
        newer_(std::move(newer)),
        late_(tail ? std::make_shared<image_tail>(tail) : nullptr),
        indexes_(std::move(indexes)),
        seen_(std::move(seen)),
        position_(position),
        made_ms_(made_ms),
        known_(std::move(known)),
        join_(std::move(join)),
        local_(std::move(local)) {}
  reader_image(const reader_image&) = delete;
  reader_image& operator=(const reader_image&) = delete;

  [[nodiscard]] const causal::version& seen() const noexcept { return seen_; }
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  /// For local_reader.hpp.
  [[nodiscard]] const local_view& local() const noexcept { return local_; }
  [[nodiscard]] std::uint64_t made_ms() const noexcept { return made_ms_; }
  [[nodiscard]] const std::shared_ptr<const directory>& indexes() const noexcept {
    return indexes_;
  }

  result<shared_bytes> record(std::string_view table, bytes_view key) {
    const auto index = indexes_->names.find(table);
    if (index) return at(*index, key);
    if (auto newer = newer_records(); !newer) return newer.error();
    return shared_bytes{};
  }

  /// `each(key, packed) -> bool`, in key order, dead records among them. No lock is
  /// held while `each` runs.
  template <class F>
  result<> for_each(std::string_view table, bytes_view from, F&& each) {
    const auto index = indexes_->names.find(table);
    if (!index) {
      const auto newer = newer_records();
      return newer ? result<>{} : result<>{newer.error()};
    }
    return walk(*index, from, each);
  }

  result<crypto::digest> digest() {
    crypto::hasher hash;
    auto done = state::canonical_state(
        indexes_->replicas, seen_, indexes_->names,
        [this](auto table, auto&& each) { return this->walk(table, {}, each); },
        [this](const auto& of, auto&& each) { return this->walk_parts(of, {}, each); },
        [&](bytes_view piece) { hash.add(piece); });
    if (!done) return done.error();
    return hash.finish();
  }

  result<std::vector<state::conflict>> conflicts() {
    return state::all_conflicts(
        indexes_->names, indexes_->replicas,
        [this](auto table, auto&& each) { return this->walk(table, {}, each); },
        [this](const auto& of, auto&& each) { return this->walk_parts(of, {}, each); });
  }

  shared_bytes part(const state::part_group& of, bytes_view element) override {
    return at(state::parts_of(of.table), state::part_key(of, element)).value();
  }
  void for_each_part(const state::part_group& of, bytes_view element,
                     const visitor& each) override {
    walk_parts(of, element, each).value();
  }

  /// A read of the storage's image (cold_reader).
  template <class Body>
  result<> read(Body&& body) {
    const std::lock_guard lock(mutex_);
    if (ended_) return *ended_;
    return image_->read(body);
  }

  /// Lets the image and the records go; reads give `why` from now on.
  void end(const error& why) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = why;
    image_.reset();
    newer_.reset();
    late_.reset();
  }

 private:
  result<shared_bytes> at(state::name_index table, bytes_view key) {
    auto newer = newer_records();
    if (!newer) return newer.error();
    const auto& [records, late] = *newer;
    if (const auto* hot = records->find(table, key)) return *hot;
    cold_reader cold{*this, join_, &known_};
    if (late) {
      auto folded = late->find(cold, *records, table, key);
      if (!folded) return folded.error();
      if (*folded) return std::move(**folded);
    }
    auto stored = cold.load(table, key);
    if (!stored) return stored.error();
    return *stored ? shared_bytes{std::move((*stored)->packed)} : shared_bytes{};
  }

  template <class F>
  result<> walk_parts(const state::part_group& of, bytes_view element, F&& each) {
    const auto prefix = state::parts_prefix(of);
    return walk(state::parts_of(of.table), state::part_key(of, element),
                [&](bytes_view key, bytes_view part) {
                  return key.starts_with(prefix) && each(key.substr(prefix.size()), part);
                });
  }

  template <class F>
  result<> walk(state::name_index table, bytes_view from, F&& each) {
    auto newer = newer_records();
    if (!newer) return newer.error();
    if (known_.missing_from(table, from))
      return damage::quarantined(std::string{indexes_->names[state::table_of(table)]});
    auto records = std::move(newer->records);
    cold_reader cold{*this, join_, &known_};
    if (newer->late) {
      auto all = newer->late->all(cold, *records);
      if (!all) return all.error();
      records = std::move(*all);
    }
    return state::walk_records(
        [&](auto t, auto key, auto limits) { return records->newer(t, key, limits); }, cold, table,
        from, each);
  }

  struct layers {
    std::shared_ptr<const state::overlay> records;
    std::shared_ptr<image_tail> late;  // null where nothing was pending
  };
  result<layers> newer_records() {
    const std::lock_guard lock(mutex_);
    if (ended_) return *ended_;
    return layers{newer_, late_};
  }

  std::mutex mutex_;  // guards these four
  std::optional<pinned> image_;
  std::shared_ptr<const state::overlay> newer_;
  std::shared_ptr<image_tail> late_;
  std::optional<error> ended_;

  std::shared_ptr<const directory> indexes_;
  causal::version seen_;
  std::uint64_t position_;
  std::uint64_t made_ms_;
  damage known_;  // in the image; what reads meet is noted under the lock, and concerns nobody
  joined_snapshot join_;  // whose records were not all in `records` at that moment
  local_view local_;
};

}  // namespace joinery::detail
