// What the body of a read or write of `memory_storage` sees.
//
// Purpose: model `storage_view` and `storage_writer` over a `memory_image`, with an undo log and
// faults.
// Invariants: after a first fault the transaction is lost: changes are ignored and reads throw
// `transaction_lost`, as with LMDB.
// Thread-safety: used by the thread that holds the image's turn.
#pragma once

#include <functional>

#include "joinery/history/detail/memory_image.hpp"

namespace joinery::history::detail {

class memory_view {
 public:
  explicit memory_view(memory_image& image) : image_(image) {}
  memory_view(const memory_view&) = delete;
  memory_view& operator=(const memory_view&) = delete;

  std::optional<bytes_view> get(area a, bytes_view key) {
    require_alive();
    const auto& table = image_.at(a);
    const auto found = table.find(key);
    if (found == table.end()) return std::nullopt;
    return found->second;
  }

  /// `each` may change the storage through the writer; entries put ahead of the scan are visited.
  template <class Each>
  void scan(area a, bytes_view from, Each&& each) {
    require_alive();
    auto& table = image_.at(a);
    bytes here;
    for (auto at = table.lower_bound(from); at != table.end();) {
      const auto before = changes_;
      here = at->first;
      if (!std::invoke(each, bytes_view{at->first}, bytes_view{at->second})) return;
      require_alive();
      at = before == changes_ ? std::next(at) : table.upper_bound(here);
    }
  }

  template <class Each>
  void scan_back(area a, bytes_view below, Each&& each) {
    require_alive();
    const auto& table = image_.at(a);
    for (auto at = table.lower_bound(below); at != table.begin();) {
      --at;
      if (!std::invoke(each, bytes_view{at->first}, bytes_view{at->second})) return;
    }
  }

  std::optional<std::pair<bytes_view, bytes_view>> last(area a) {
    require_alive();
    const auto& table = image_.at(a);
    if (table.empty()) return std::nullopt;
    const auto& [key, value] = *table.rbegin();
    return std::pair<bytes_view, bytes_view>{key, value};
  }

  /// Only a writer has faults.
  [[nodiscard]] static std::optional<error> fault() { return std::nullopt; }

 protected:
  void require_alive() const {
    if (lost_) throw transaction_lost{};
  }

  memory_image& image_;
  bool lost_ = false;
  std::uint64_t changes_ = 0;
};

class memory_writer : public memory_view {
 public:
  using memory_view::memory_view;
  ~memory_writer() {
    if (!done_) image_.roll_back(undo_);
  }

  [[nodiscard]] bool packs_log() const noexcept { return image_.packs_log; }

  // A copy first: `value` may be a view of what is replaced.
  void put(area a, bytes_view key, bytes_view value) { put(a, key, bytes{value}); }
  void put(area a, bytes_view key, const char* value) { put(a, key, bytes{value}); }
  void put(area a, bytes_view key, bytes&& value) {
    if (lost_ || injected(memory_operation::put, "put")) return;
    if (lose(bad_entry(a, key, value))) return;
    auto& table = image_.at(a);
    const bool last = !table.empty() && table.rbegin()->first < key;  // nearly always, of the log
    const auto found = last ? table.end() : table.lower_bound(key);
    const bool present = found != table.end() && found->first == key;
    if (!present && a == area::log && found != table.end()) {
      lose(log_not_appended(key));
      return;
    }
    undo_.push_back({a, bytes{key}, std::nullopt});
    if (present) {
      undo_.back().value = std::exchange(found->second, std::move(value));
    } else {
      table.emplace_hint(found, key, std::move(value));
    }
    ++changes_;
  }

  void erase(area a, bytes_view key) {
    if (lost_ || injected(memory_operation::erase, "erase")) return;
    if (lose(bad_key(a, key))) return;
    auto& table = image_.at(a);
    const auto found = table.find(key);
    if (found == table.end()) return;
    undo_.push_back({a, found->first, std::nullopt});
    undo_.back().value = std::move(found->second);
    table.erase(found);
    ++changes_;
  }

  /// Keeps the changes; gives what undoes them.
  memory_image::entries keep() {
    done_ = true;
    return std::move(undo_);
  }

  [[nodiscard]] const memory_image::entries& undo() const noexcept { return undo_; }
  [[nodiscard]] const std::optional<error>& fault() const noexcept { return fault_; }

 private:
  bool injected(memory_operation operation, const char* call) {
    const auto due = image_.due(operation);
    return due && lose(image_.injected(*due, call));
  }
  bool lose(std::optional<error> why) {
    fault_ = std::move(why);
    return lost_ = fault_.has_value();
  }

  memory_image::entries undo_;
  std::optional<error> fault_;
  bool done_ = false;
};

}  // namespace joinery::history::detail
