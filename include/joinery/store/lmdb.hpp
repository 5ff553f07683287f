// A storage on disk: LMDB, with what LMDB leaves to its user.
//
// Purpose: model `storage` over one LMDB environment in a directory of its own.
//
// What holds beyond LMDB:
// - One process writes; a second open for writing, or any second open in one process, is
//   errc::locked. Others may open it read_only and see one image until they refresh.
// - The map grows by itself: a write that does not fit runs again in a map of twice the size, so a
//   body may run more than once. Growing waits for running reads to end, growth_patience_ms at
//   most, and ends pinned images (errc::reader_expired).
// - durability::commit syncs each commit. durability::interval is LMDB's MDB_NOMETASYNC: the file
//   is whole after any crash, power loss may take the newest commits back until `sync` returned.
//   The unsafe modes are not offered. On Apple's systems F_FULLFSYNC follows LMDB's own fsync, so
//   that what is acknowledged is on the medium.
// - A full device gives errc::full; the store stays readable and writes again when there is room.
//   Any other failure of a commit or sync poisons it: every later call gives errc::poisoned until
//   it is closed and opened again.
// - The first two pages are judged before LMDB sees them; all pages are examined after a crash,
//   when the file is shorter than it says, and in small stores always. Damage is errc::malformed,
//   with the page.
// - A child of fork that uses its parent's store gets errc::poisoned.
// - On a read-only file system a store opens read_only without any lock. In a directory that this
//   user may not write to, on a writable file system, it does not open: readers must be registered
//   there.
//
// Thread-safety: any number of threads may call `read`, `write`, `pin`, `sync`, `refresh`, `status`
// and `copy_to`, and read from pinned images, each in turns; writes take turns, and so do the reads
// of a read-only store. Reads and writes do not nest: doing so is errc::invalid_argument. Moving,
// closing and destroying must not overlap anything.
#pragma once

#include "joinery/store/detail/lmdb_core.hpp"

namespace joinery::store {

class lmdb {
 public:
  using options = lmdb_options;

  static result<lmdb> open(const options& how) {
    auto core = detail::lmdb_core::open(how);
    if (!core) return core.error();
    return lmdb(std::move(*core));
  }

  lmdb(lmdb&&) noexcept = default;
  lmdb& operator=(lmdb&&) noexcept = default;

  /// Runs `body(storage_writer&) -> result<>` in one transaction: all or nothing.
  template <class Body>
  result<> write(Body&& body) {
    return core_ ? core_->write(body) : moved_away();
  }
  /// Runs `body(storage_view&) -> result<>` over one image.
  template <class Body>
  result<> read(Body&& body) {
    return core_ ? core_->read(body) : moved_away();
  }
  /// An image that stays as it is. While it lives, pages that are freed cannot be used again: do
  /// not keep it long. Must not be read beyond the store's life.
  class pinned {
   public:
    template <class Body>
    result<> read(Body&& body) {
      return image_ ? core_->read(*image_, body) : moved_away();
    }

   private:
    friend lmdb;
    pinned(detail::lmdb_core& core, std::shared_ptr<detail::image_pin> image)
        : core_(&core), image_(std::move(image)) {}
    detail::lmdb_core* core_;
    std::shared_ptr<detail::image_pin> image_;
  };
  result<pinned> pin() {
    if (!core_) return moved_away();
    auto image = core_->keep_image();
    if (!image) return image.error();
    return pinned{*core_, std::move(*image)};
  }

  /// Everything committed so far is on the device afterwards.
  result<> sync() { return core_ ? core_->sync() : moved_away(); }

  [[nodiscard]] history::durability mode() const {
    return core_ ? core_->options().mode : history::durability::commit;
  }
  /// Whether a commit or sync failed, or the process forked: nothing is answered until it is opened
  /// again.
  [[nodiscard]] bool poisoned() const { return core_ && core_->poisoned(); }
  /// Bytes that may still be written to the device.
  [[nodiscard]] std::uint64_t free_bytes() const {
    return core_ ? detail::free_bytes(core_->options().path) : 0;
  }
  /// As the writer's: the log is worth packing.
  [[nodiscard]] static constexpr bool packs_log() noexcept { return true; }
  [[nodiscard]] bool read_only() const { return core_ && core_->options().read_only; }

  /// Lets a read-only store see what was committed since it was opened or refreshed. Waits for
  /// running reads.
  result<> refresh() { return core_ ? core_->refresh() : moved_away(); }

  /// Tells where the bytes lie: another value means that they were copied there. Moving the
  /// directory within its file system keeps it, also over restarts. Empty where files have no
  /// lasting numbers.
  [[nodiscard]] bytes place() const { return core_ ? core_->place() : bytes{}; }

  /// How large, how full, who reads. Works also when the store is poisoned.
  result<lmdb_status> status() const {
    if (!core_) return moved_away();
    return core_->status();
  }

  /// Copies the newest image into a new directory; the only right way to copy a store that is open.
  /// `compact` leaves free pages out. The copy is another store with the same identity: whoever
  /// opens it must know.
  result<> copy_to(const std::string& path, bool compact = false) {
    return core_ ? core_->copy_to(path, compact) : moved_away();
  }

  /// Syncs and closes; the destructor does the same and cannot tell. Afterwards every call gives
  /// errc::closed.
  result<> close() { return core_ ? core_->close() : result<>{}; }

 private:
  explicit lmdb(std::unique_ptr<detail::lmdb_core> core) noexcept : core_(std::move(core)) {}
  static error moved_away() { return {errc::closed, "a store that was moved away", "", ""}; }

  std::unique_ptr<detail::lmdb_core> core_;
};

static_assert(history::storage<lmdb>);
static_assert(history::storage_view<detail::lmdb_view>);
static_assert(history::storage_writer<detail::lmdb_writer>);

}  // namespace joinery::store
