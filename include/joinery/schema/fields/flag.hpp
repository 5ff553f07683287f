// flag as a field: `p.shares_with_coach = true`.
//
// Purpose: a boolean in which enabling wins over a concurrent disabling.
// Invariants: those of joinery/crdt/flag.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/flag.hpp"
#include "joinery/schema/field.hpp"

namespace joinery {

class flag : public schema::field {
 public:
  static constexpr crdt::shape type() { return crdt::kind::flag; }
  static std::string values() { return ""; }

  flag() = default;
  flag(const flag&) = default;
  flag& operator=(const flag&) = delete;
  flag& operator=(bool enabled) {
    access().change(name(), type(), crdt::flag::set(enabled));
    return *this;
  }

  [[nodiscard]] bool get() const { return !access().state(name(), type()).empty(); }
  [[nodiscard]] bool operator*() const { return get(); }
};

}  // namespace joinery
