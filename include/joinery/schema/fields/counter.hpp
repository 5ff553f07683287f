// pn_counter and g_counter as fields: `p.xp += 50`.
//
// Purpose: counters in a record.
// Invariants: those of joinery/crdt/counter.hpp; every write is a change of its own.
// Thread-safety: as the record that it belongs to.
#pragma once

#include "joinery/crdt/counter.hpp"
#include "joinery/schema/field.hpp"

namespace joinery {

namespace schema {

template <crdt::kind Kind>
class counter_field : public field {
 public:
  static constexpr crdt::shape type() { return Kind; }
  static std::string values() { return ""; }

  /// Adds `amount`. Throws `failure`: overflow when this replica's total would leave 64 bits,
  /// invalid_argument for a negative amount to a g_counter.
  void add(std::int64_t amount) {
    auto delta = crdt::counter<Kind>::add(amount);
    if (!view().can_add(access().self(), amount))
      throw failure({errc::overflow, "a counter's total would leave 64 bits", where(),
                     "add a smaller amount"});
    access().change(name(), type(), std::move(delta));
  }
  counter_field& operator+=(std::int64_t amount) { return add(amount), *this; }

  /// The sum, cut to 64 bits where it must be.
  [[nodiscard]] std::int64_t get() const { return view().get().value; }
  [[nodiscard]] std::int64_t operator*() const { return get(); }
  /// Whether `get` had to cut.
  [[nodiscard]] bool clamped() const { return view().get().clamped; }

 private:
  [[nodiscard]] crdt::counter<Kind, bytes_view> view() const {
    return crdt::counter<Kind, bytes_view>{access().state(name(), type())};
  }
};

}  // namespace schema

/// Counts up and down.
class pn_counter : public schema::counter_field<crdt::kind::pn_counter> {
 public:
  pn_counter& operator-=(std::int64_t amount) {
    if (amount == std::numeric_limits<std::int64_t>::min())
      throw failure({errc::overflow, "an amount that has no negative", where(), "split it"});
    return add(-amount), *this;
  }
};

/// Counts up only.
class g_counter : public schema::counter_field<crdt::kind::g_counter> {};

}  // namespace joinery
