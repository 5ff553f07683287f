// A storage in memory: for tests, for the simulator, and for replicas that need no disk.
//
// Purpose: model `storage` with everything that a disk can do to a program: writes that a crash
// takes back unless they were synced, failing calls, a full device, bodies that run twice, clones,
// and older images put back.
// Invariants: as `storage`. Handles made by `share` show the same bytes; at most one should write
// at a time in the life of a program, as with a store on disk. After a commit or sync that failed
// for any reason but a full device every call returns errc::poisoned until `reopen` or `crash`.
// Thread-safety: reads and writes of any thread take turns. The functions for tests below must not
// overlap them.
#pragma once

#include <memory>

#include "joinery/history/detail/memory_pin.hpp"
#include "joinery/history/detail/memory_view.hpp"

namespace joinery::history {

class memory_storage {
 public:
  explicit memory_storage(durability mode = durability::commit)
      : image_(std::make_shared<detail::memory_image>(mode)) {}
  memory_storage(memory_storage&&) noexcept = default;
  memory_storage& operator=(memory_storage&&) noexcept = default;

  [[nodiscard]] durability mode() const { return image_ ? image_->mode : durability::commit; }
  [[nodiscard]] bool read_only() const { return false; }

  template <class Body>
  result<> write(Body&& body) {
    return in_turn([&]() -> result<> {
      if (std::exchange(image_->rerun_next_write, false)) {
        detail::memory_writer first(*image_);  // rolled back at the end of this scope
        static_cast<void>(run(body, first));
      }
      detail::memory_writer writer(*image_);
      auto outcome = run(body, writer);
      return outcome ? commit(writer) : outcome;
    });
  }

  template <class Body>
  result<> read(Body&& body) {
    return in_turn([&]() -> result<> {
      if (const auto due = image_->due(memory_operation::read))
        return image_->injected(*due, "read");
      detail::memory_view view(*image_);
      return run(body, view);
    });
  }

  /// Whether a commit or sync failed, and nothing is answered any more.
  [[nodiscard]] bool poisoned() const { return image_ && image_->poison.has_value(); }

  /// An image that stays as it is now, whatever is committed later.
  class pinned {
   public:
    template <class Body>
    result<> read(Body&& body) {
      return in_turn(image_.get(), [&]() -> result<> {
        if (pin_->ended)
          return error{errc::closed, "the storage was opened again", "", "pin an image again"};
        if (const auto due = image_->due(memory_operation::read))
          return image_->injected(*due, "read");
        detail::memory_pinned_view view(*image_, *pin_);
        return run(body, view);
      });
    }

   private:
    friend memory_storage;
    pinned(std::shared_ptr<detail::memory_image> image,
           std::shared_ptr<detail::memory_image::pin> pin)
        : image_(std::move(image)), pin_(std::move(pin)) {}
    std::shared_ptr<detail::memory_image> image_;
    std::shared_ptr<detail::memory_image::pin> pin_;
  };
  result<pinned> pin() {
    auto held = std::make_shared<detail::memory_image::pin>();
    auto done = in_turn([&]() -> result<> {
      image_->pins.push_back(held);
      return {};
    });
    if (!done) return done.error();
    return pinned{image_, std::move(held)};
  }

  /// Everything committed so far survives a crash from now on.
  result<> sync() {
    return in_turn([&]() -> result<> {
      if (const auto due = image_->due(memory_operation::sync)) {
        return poison(image_->injected(*due, "sync"));
      }
      image_->unsynced.clear();
      return {};
    });
  }

  /// As a store on disk tells whether it was copied; empty, for unknown, unless a test says more.
  [[nodiscard]] bytes place() const { return image_ ? image_->place : bytes{}; }

  // What tests do to a storage.

  void set_place(bytes place) { image_->place = std::move(place); }

  /// Whether the log is packed, as on a device; in memory it is not worth the work.
  void pack_log(bool on) { image_->packs_log = on; }
  [[nodiscard]] bool packs_log() const { return image_ && image_->packs_log; }

  /// The n-th `operation` from now on (1: the next one) fails with `code`; one fault for each call.
  /// A failed commit that `lands` is invisible, and yet there after a crash: a device may have kept
  /// what it did not confirm.
  void fail_nth(memory_operation operation, std::uint64_t n, errc code, bool lands = false) {
    image_->faults.push_back({operation, n, code, lands});
  }
  void clear_faults() { image_->faults.clear(); }
  /// Whether one is still to come.
  [[nodiscard]] bool has_faults() const { return !image_->faults.empty(); }
  /// The next write runs its body twice and drops what the first run did, as when LMDB's map must
  /// grow.
  void rerun_next_write() { image_->rerun_next_write = true; }

  /// Power loss: the content becomes the durable image, with the first `survivors` commits that
  /// were not synced.
  void crash(std::size_t survivors = 0) {
    auto& image = *image_;
    if (image.landed) {  // it could land only after all before it
      for (const auto& e : *image.landed) image.set(e);
    } else {
      while (image.unsynced.size() > survivors) {
        image.roll_back(image.unsynced.back());
        image.unsynced.pop_back();
      }
    }
    image.unsynced.clear();
    reopen();
  }
  /// The process ended and started again: nothing is lost, and a poisoned storage works again.
  void reopen() {
    image_->poison.reset();
    image_->landed.reset();
    image_->end_pins();
    image_->rerun_next_write = false;
    clear_faults();
  }
  /// How many commits a crash could take back.
  [[nodiscard]] std::size_t unsynced_commits() const { return image_->unsynced.size(); }

  /// Another handle on the same bytes: keep one to crash or inspect what a replica owns.
  [[nodiscard]] memory_storage share() const {
    memory_storage out;
    out.image_ = image_;
    return out;
  }
  /// A clone: the bytes that are committed now, in a storage of their own.
  [[nodiscard]] memory_storage clone() const {
    memory_storage out(image_->mode);
    out.image_->tables = image_->tables;
    return out;
  }
  /// Replaces the content by that of `other`, as one who puts a backup back.
  void put_back(const memory_storage& other) {
    image_->tables = other.image_->tables;
    image_->unsynced.clear();
    reopen();
  }

 private:
  template <class Body, class View>
  static result<> run(Body& body, View& view) {
    result<> outcome;
    try {
      outcome = std::invoke(body, view);
    } catch (const transaction_lost&) {  // there is a fault
    }
    return view.fault() ? result<>(*view.fault()) : outcome;
  }

  template <class Work>
  static result<> in_turn(detail::memory_image* image, Work work) {
    if (image == nullptr) return error{errc::closed, "a storage that was moved away", "", ""};
    const detail::memory_turn turn(*image);
    if (turn.nested()) return nested_use();
    if (image->poison) return *image->poison;
    return work();
  }
  template <class Work>
  result<> in_turn(Work work) {
    return in_turn(image_.get(), std::move(work));
  }

  result<> commit(detail::memory_writer& writer) {
    if (const auto due = image_->due(memory_operation::commit)) {
      const auto failed = image_->injected(*due, "commit");
      if (due->code == errc::full) return failed;
      if (due->lands) image_->landed = image_->present(writer.undo());
      return poison(failed);
    }
    auto undo = writer.keep();
    image_->keep_for_pins(undo);
    if (image_->mode == durability::interval && !undo.empty()) {
      image_->unsynced.push_back(std::move(undo));
    }
    return {};
  }

  error poison(const error& cause) {
    image_->poison = error{errc::poisoned, "an earlier commit or sync failed: " + cause.what, "",
                           "close the storage and open it again"};
    return cause;
  }

  std::shared_ptr<detail::memory_image> image_;
};

static_assert(storage<memory_storage>);
static_assert(storage_view<detail::memory_view> && storage_writer<detail::memory_writer>);

}  // namespace joinery::history
