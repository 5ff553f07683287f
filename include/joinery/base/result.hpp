// result<T>: a value or an error.
//
// Purpose: what every fallible boundary of joinery returns. `value()` throws `failure` when there
// is none, so that short programs stay short; careful ones test first.
// Invariants: holds exactly one of the two.
// Thread-safety: as its content.
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "joinery/base/error.hpp"

namespace joinery {

template <class T = void>
class [[nodiscard]] result {
 public:
  using value_type = T;
  result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  result(joinery::error e) : content_(std::in_place_index<1>, std::move(e)) {}

  [[nodiscard]] bool has_value() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// The value; throws `failure` with the error when there is none.
  T& value() & { return check(), std::get<0>(content_); }
  const T& value() const& { return check(), std::get<0>(content_); }
  T value() && { return check(), std::get<0>(std::move(content_)); }

  /// Precondition: `has_value()`.
  T& operator*() noexcept { return *std::get_if<0>(&content_); }
  const T& operator*() const noexcept { return *std::get_if<0>(&content_); }
  T* operator->() noexcept { return std::get_if<0>(&content_); }
  const T* operator->() const noexcept { return std::get_if<0>(&content_); }

  /// Precondition: `!has_value()`.
  [[nodiscard]] const joinery::error& error() const noexcept { return *std::get_if<1>(&content_); }

 private:
  void check() const {
    if (!has_value()) throw failure(error());
  }
  std::variant<T, joinery::error> content_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;
  result() = default;
  result(joinery::error e) : error_(std::move(e)) {}

  [[nodiscard]] bool has_value() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  void value() const {
    if (error_) throw failure(*error_);
  }
  [[nodiscard]] const joinery::error& error() const noexcept { return *error_; }

 private:
  std::optional<joinery::error> error_;
};

}  // namespace joinery
