// mv<T>: a multi-value register.
//
// Purpose: shows every causally maximal value, for fields whose conflicts a person resolves
// ("manual").
// Invariants: those of the register (detail/register_rules.hpp).
// Thread-safety: as a `std::string`.
#pragma once

#include <set>

#include "joinery/crdt/detail/register_rules.hpp"
#include "joinery/crdt/packed.hpp"
#include "joinery/crdt/value.hpp"

namespace joinery::crdt {

template <value T, class B = bytes>
class mv : public packed<detail::register_rules<kind::mv>, B> {
 public:
  using packed<detail::register_rules<kind::mv>, B>::packed;
  using value_type = T;

  /// Replaces every value that the writer has seen.
  [[nodiscard]] static bytes set(const T& v, std::int64_t rank = 0) {
    bytes d;
    byte_writer{d}.zigzag(rank);
    encode_value_to(d, v);
    return d;
  }
  /// All values in force, ascending, each once; those of another type are left out.
  [[nodiscard]] std::vector<T> get() const {
    std::set<bytes_view> distinct;
    for (const auto& w : detail::read_writes(this->state_)) distinct.insert(w.value);
    std::vector<T> out;
    for (const auto v : distinct)
      if (auto decoded = decode_value<T>(v)) out.push_back(std::move(*decoded));
    return out;
  }
  [[nodiscard]] bool in_conflict() const { return detail::in_conflict(this->state_); }
};

}  // namespace joinery::crdt
