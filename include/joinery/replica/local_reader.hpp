// local_reader: the local tables as a reader sees them.
//
// Purpose: reads the local records of a reader's image, with the methods of the image itself.
// Invariants: shows the commits that the image shows, and no part of a later one.
// Thread-safety: as the image.
#pragma once

#include "joinery/replica/local_cold_reader.hpp"
#include "joinery/replica/reader_image.hpp"

namespace joinery::detail {

template <class Image>
class local_reader {
 public:
  explicit local_reader(Image& image) noexcept : image_(image) {}

  [[nodiscard]] const std::shared_ptr<const directory>& indexes() const noexcept {
    return image_.local().indexes;
  }

  result<shared_bytes> record(std::string_view table, bytes_view key) {
    const auto index = indexes()->names.find(table);
    if (auto there = look(); !there) return there.error();
    if (!index) return shared_bytes{};
    const auto& newer = image_.local().newer;
    if (const auto* hidden = newer ? newer->find(*index, key) : nullptr) return *hidden;
    local_cold_reader cold{image_};
    auto stored = cold.load(*index, key);
    if (!stored) return stored.error();
    return *stored ? shared_bytes{std::move((*stored)->packed)} : shared_bytes{};
  }

  template <class F>
  result<> for_each(std::string_view table, bytes_view from, F&& each) {
    const auto index = indexes()->names.find(table);
    if (!index) return look();
    const auto& newer = image_.local().newer;
    local_cold_reader cold{image_};
    return state::walk_records(
        [&](auto t, auto key, auto limits) {
          return newer ? newer->newer(t, key, limits) : state::newer_batch{};
        },
        cold, *index, from, each);
  }

 private:
  // Whether the image has been ended.
  result<> look() {
    return image_.read([](auto&) -> result<> { return {}; });
  }

  Image& image_;
};

}  // namespace joinery::detail
