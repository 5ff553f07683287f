// An image of `memory_storage` that stays as it was.
//
// Purpose: what a pinned image shows: the present tables, and before them what the commits since it
// was pinned have taken the place of. It costs what changed meanwhile, never a copy of everything.
// Invariants: `before` has, of each entry that was changed since, the value at the moment of
// pinning.
// Thread-safety: as the image: whoever touches this holds its turn.
#pragma once

#include <functional>

#include "joinery/history/detail/memory_image.hpp"

namespace joinery::history::detail {

/// Models `storage_view`.
class memory_pinned_view {
 public:
  memory_pinned_view(memory_image& image, const memory_image::pin& pinned)
      : image_(image), pinned_(pinned) {}
  memory_pinned_view(const memory_pinned_view&) = delete;
  memory_pinned_view& operator=(const memory_pinned_view&) = delete;

  std::optional<bytes_view> get(area a, bytes_view key) {
    const auto& before = pinned_.at(a);
    if (const auto was = before.find(key); was != before.end())
      return was->second ? std::optional<bytes_view>{*was->second} : std::nullopt;
    const auto& table = image_.at(a);
    const auto found = table.find(key);
    if (found == table.end()) return std::nullopt;
    return found->second;
  }

  template <class Each>
  void scan(area a, bytes_view from, Each&& each) {
    const auto& before = pinned_.at(a);
    const auto& table = image_.at(a);
    auto was = before.lower_bound(from);
    auto is = table.lower_bound(from);
    while (was != before.end() || is != table.end()) {
      const bool changed = was != before.end() && (is == table.end() || was->first <= is->first);
      if (!changed) {
        if (!std::invoke(each, bytes_view{is->first}, bytes_view{is->second})) return;
        ++is;
        continue;
      }
      if (is != table.end() && is->first == was->first) ++is;
      if (was->second && !std::invoke(each, bytes_view{was->first}, bytes_view{*was->second}))
        return;
      ++was;
    }
  }

  template <class Each>
  void scan_back(area a, bytes_view below, Each&& each) {
    const auto& before = pinned_.at(a);
    const auto& table = image_.at(a);
    back(before, before.lower_bound(below), table, table.lower_bound(below), each);
  }

  std::optional<std::pair<bytes_view, bytes_view>> last(area a) {
    const auto& before = pinned_.at(a);
    const auto& table = image_.at(a);
    std::optional<std::pair<bytes_view, bytes_view>> found;
    back(before, before.end(), table, table.end(), [&](bytes_view key, bytes_view value) {
      found.emplace(key, value);
      return false;
    });
    return found;
  }

  /// A view only reads.
  [[nodiscard]] static std::optional<error> fault() { return std::nullopt; }

 private:
  // Visits what stands before `was` and `is`, the greatest first: the former where both have a key.
  template <class Before, class Was, class Table, class Is, class Each>
  static void back(const Before& before, Was was, const Table& table, Is is, Each&& each) {
    while (was != before.begin() || is != table.begin()) {
      const bool changed = was != before.begin() &&
                           (is == table.begin() || std::prev(was)->first >= std::prev(is)->first);
      if (!changed) {
        --is;
        if (!std::invoke(each, bytes_view{is->first}, bytes_view{is->second})) return;
        continue;
      }
      --was;
      if (is != table.begin() && std::prev(is)->first == was->first) --is;
      if (was->second && !std::invoke(each, bytes_view{was->first}, bytes_view{*was->second}))
        return;
    }
  }

  memory_image& image_;
  const memory_image::pin& pinned_;
};

}  // namespace joinery::history::detail
