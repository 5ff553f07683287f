// field: what all field handles have in common.
//
// Purpose: a member of a user's struct is a handle: it names a CRDT inside a packed record and
// holds none of it.
// Invariants: a handle is bound while the row or transaction that it came from lives; copies are
// bound alike. Assigning one handle to another is not offered: it could mean the binding or the
// value.
// Thread-safety: as the access behind it.
#pragma once

#include <concepts>

#include "joinery/crdt/packed.hpp"
#include "joinery/schema/access.hpp"

namespace joinery::schema {

class field {
 public:
  field() = default;
  field(const field&) = default;
  field& operator=(const field&) = delete;

  /// `name` must outlive the handle.
  void bind(record_access& access, std::string_view name) noexcept {
    access_ = &access;
    name_ = name;
  }

 protected:
  [[nodiscard]] record_access& access() const {
    if (access_ == nullptr)
      throw failure({errc::invalid_argument, "a field of a record that is not open", "",
                     "take the record from a replica or a transaction"});
    return *access_;
  }
  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  [[nodiscard]] std::string where() const {
    return access().where() + " field " + std::string{name_};
  }
  /// Throws a `failure` of type_mismatch.
  [[noreturn]] void mismatch() const {
    throw failure({errc::type_mismatch, "the stored value is of another type", where(),
                   "give the field a new name, or its old type"});
  }

 private:
  record_access* access_ = nullptr;
  std::string_view name_;
};

/// A member that a record may have: a handle with the CRDT that it stands for.
template <class F>
concept field_type = std::derived_from<F, field> && std::default_initializable<F> && requires {
  { F::type() } -> std::same_as<crdt::shape>;
  { F::values() } -> std::convertible_to<std::string>;
};

}  // namespace joinery::schema
