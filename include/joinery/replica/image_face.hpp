// image_face: a reader's image, as the façade sees it.
//
// Purpose: the ports of a reader over reader_image.hpp.
// Invariants: those of the image.
// Thread-safety: any number of threads.
#pragma once

#include "joinery/replica/local_reader.hpp"
#include "joinery/replica/row_access.hpp"

namespace joinery::detail {

template <history::storage Storage>
class image_face final : public image_port {
 public:
  using image_type = reader_image<Storage>;

  explicit image_face(std::shared_ptr<image_type> image)
      : image_(std::move(image)), shared_(image_), local_(image_) {}

  reading_port& tables(bool local) override {
    return local ? static_cast<reading_port&>(local_) : shared_;
  }
  [[nodiscard]] const causal::version& seen() const noexcept override { return image_->seen(); }
  [[nodiscard]] const causal::roster& replicas() const noexcept override {
    return image_->indexes()->replicas;
  }
  [[nodiscard]] std::uint64_t position() const noexcept override { return image_->position(); }
  result<crypto::digest> digest() override { return image_->digest(); }
  result<std::vector<state::conflict>> conflicts() override { return image_->conflicts(); }

 private:
  template <bool Local>
  class reading final : public reading_port {
   public:
    explicit reading(const std::shared_ptr<image_type>& image) : image_(image) {}

    std::unique_ptr<row_record> find(std::string_view table, bytes_view key) override {
      auto packed = part().record(table, key).value();
      if (!crdt::read_cell(packed).alive()) return nullptr;
      return std::make_unique<row_access>(row(table, key, std::move(packed)));
    }
    void for_each(std::string_view table, bytes_view from,
                  function_ref<bool(row_record&)> each) override {
      show_living(part(), table, from, each,
                  [&](bytes_view key, bytes_view packed) { return row(table, key, packed); });
    }

   private:
    decltype(auto) part() const {
      if constexpr (Local)
        return local_reader<image_type>{*image_};
      else
        return (*image_);
    }
    template <class Packed>
    row_access row(std::string_view table, bytes_view key, Packed packed) const {
      const auto& indexes = part().indexes();
      // The image only when it may be read again: it keeps the storage from using freed space.
      std::shared_ptr<const void> keeps = indexes;
      if (state::has_large_fields(crdt::read_cell(packed).value)) keeps = image_;
      return {
          table,           key, std::move(packed), indexes->names, indexes->replicas, image_.get(),
          std::move(keeps)};
    }

    std::shared_ptr<image_type> image_;
  };

  std::shared_ptr<image_type> image_;
  reading<false> shared_;
  reading<true> local_;
};

}  // namespace joinery::detail
