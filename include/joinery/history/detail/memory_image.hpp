// The bytes behind `memory_storage`: what is committed, and what a crash would take back.
//
// Purpose: tables with an undo log for each commit that is not synced yet, so that rolling back,
// crashing and reopening cost what changed and never a copy of everything.
// Invariants: `tables` is the committed image, plus the changes of the running write (whose undo
// log is the writer's); undoing `unsynced` from its end gives the durable image.
// Thread-safety: none of its own; `turn` guards everything, and `owner` is the thread that holds
// it.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "joinery/history/storage_rules.hpp"

namespace joinery::history {

/// What a storage does and can fail at. Of a read it is the beginning that fails.
enum class memory_operation : std::uint8_t { put, erase, commit, sync, read };

}  // namespace joinery::history

namespace joinery::history::detail {

struct memory_image {
  using table = std::map<bytes, bytes, std::less<>>;

  /// One entry as it is to be: a value, or absent.
  struct entry {
    area where;
    bytes key;
    std::optional<bytes> value;
  };
  using entries = std::vector<entry>;

  /// What the commits since an image was pinned have taken the place of.
  struct pin {
    std::array<std::map<bytes, std::optional<bytes>, std::less<>>, area_count> before;
    bool ended = false;
    [[nodiscard]] const auto& at(area a) const { return before[static_cast<std::size_t>(a)]; }
  };

  struct fault {
    memory_operation at;
    std::uint64_t countdown;  // 1 fails the next one
    errc code;
    bool lands;  // a commit that fails, and is nevertheless there after a crash
  };

  explicit memory_image(durability m) : mode(m) {}

  durability mode;
  std::array<table, area_count> tables;
  std::vector<entries> unsynced;  // undo logs, oldest commit first
  std::optional<entries> landed;  // what a commit that failed left on the device
  std::vector<fault> faults;
  std::vector<std::weak_ptr<pin>> pins;
  std::optional<error> poison;
  bool rerun_next_write = false;
  bool packs_log = false;
  bytes place;

  std::mutex turn;
  std::atomic<std::thread::id> owner{};

  table& at(area a) { return tables[static_cast<std::size_t>(a)]; }

  void set(const entry& e) {
    if (e.value) {
      at(e.where).insert_or_assign(e.key, *e.value);
    } else {
      at(e.where).erase(e.key);
    }
  }

  /// Takes the changes of `undo` back, the last one first.
  void roll_back(const entries& undo) {
    for (auto e = undo.rbegin(); e != undo.rend(); ++e) set(*e);
  }

  /// The entries that `undo` would change, as they are now.
  entries present(const entries& undo) {
    entries out;
    for (const auto& e : undo) {
      const auto found = at(e.where).find(e.key);
      out.push_back({e.where, e.key, std::nullopt});
      if (found != at(e.where).end()) out.back().value = found->second;
    }
    return out;
  }

  /// Keeps for every pinned image what a commit with this undo log replaced.
  void keep_for_pins(const entries& undo) {
    std::erase_if(pins, [](const auto& p) { return p.expired(); });
    for (const auto& held : pins) {
      const auto pinned = held.lock();
      if (!pinned) continue;
      for (const auto& e : undo)
        pinned->before[static_cast<std::size_t>(e.where)].try_emplace(e.key, e.value);
    }
  }
  /// No pinned image can be read any more.
  void end_pins() {
    for (const auto& held : pins)
      if (const auto pinned = held.lock()) pinned->ended = true;
    pins.clear();
  }

  /// Counts one operation; the fault that is due at it, if any.
  std::optional<fault> due(memory_operation operation) {
    std::optional<fault> out;
    for (auto& f : faults) {
      if (f.at == operation && f.countdown > 0 && --f.countdown == 0) out = f;
    }
    std::erase_if(faults, [](const fault& f) { return f.countdown == 0; });
    return out;
  }

  error injected(const fault& f, const char* call) const {
    std::string what{"an injected fault of "};
    what += call;
    return {f.code, std::move(what), "", ""};
  }
};

/// Holds the image for one read or write; refuses a thread that holds it already.
class memory_turn {
 public:
  explicit memory_turn(memory_image& image) : image_(image) {
    if (image.owner.load() == std::this_thread::get_id()) return;
    lock_ = std::unique_lock(image.turn);
    image.owner.store(std::this_thread::get_id());
  }
  ~memory_turn() {
    if (lock_) image_.owner.store(std::thread::id{});
  }
  memory_turn(const memory_turn&) = delete;
  memory_turn& operator=(const memory_turn&) = delete;
  [[nodiscard]] bool nested() const noexcept { return !lock_.owns_lock(); }

 private:
  memory_image& image_;
  std::unique_lock<std::mutex> lock_;
};

}  // namespace joinery::history::detail
