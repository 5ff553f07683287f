// kind and shape: which CRDT a packed state is.
//
// Purpose: `kind` names the merge rule of one level; `shape` stacks kinds for maps (a map of maps
// of counters), so that a replica merges fields that its program has never heard of.
// Invariants: the numbers are part of the format. The innermost kind is never `map`; at most four
// levels.
// Thread-safety: values.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace joinery::crdt {

enum class kind : std::uint8_t {
  lww = 1,
  mv = 2,
  or_set = 3,
  pn_counter = 4,
  g_counter = 5,
  tally = 6,
  max_of = 7,
  min_of = 8,
  flag = 9,
  map = 10,
};

constexpr std::string_view name_of(kind k) noexcept {
  constexpr std::string_view names[] = {"?",          "lww",       "mv",    "or_set",
                                        "pn_counter", "g_counter", "tally", "max_of",
                                        "min_of",     "flag",      "map"};
  const auto at = static_cast<std::size_t>(k);
  return at < std::size(names) ? names[at] : names[0];
}

/// The rank of writes that yield to every write of a person or program: those of migrations.
/// Ranks that a schema declares are 0 or more.
inline constexpr std::int64_t yielding_rank = -1;

/// Kinds from the outside in, one byte each, the outermost lowest; 0 ends it.
class shape {
 public:
  static constexpr int max_levels = 4;

  constexpr shape() = default;
  constexpr shape(kind k) noexcept : code_(static_cast<std::uint32_t>(k)) {}
  /// `map` of `inner`. Precondition: `inner.levels() < max_levels`.
  static constexpr shape map_of(shape inner) noexcept {
    return from_code(inner.code_ << 8 | static_cast<std::uint32_t>(kind::map));
  }
  static constexpr shape from_code(std::uint32_t code) noexcept {
    shape s;
    s.code_ = code;
    return s;
  }

  [[nodiscard]] constexpr std::uint32_t code() const noexcept { return code_; }
  [[nodiscard]] constexpr kind outer() const noexcept { return static_cast<kind>(code_ & 0xFF); }
  [[nodiscard]] constexpr shape inner() const noexcept { return from_code(code_ >> 8); }
  [[nodiscard]] constexpr int levels() const noexcept {
    int n = 0;
    for (auto c = code_; c != 0; c >>= 8) ++n;
    return n;
  }
  /// Whether this is a shape that this version of joinery can merge.
  [[nodiscard]] constexpr bool valid() const noexcept {
    auto s = *this;
    while (s.outer() == kind::map) s = s.inner();
    return s.code_ >= 1 && s.code_ <= 9;
  }
  /// Whether a kind in it is one that only a newer joinery can know.
  [[nodiscard]] constexpr bool newer() const noexcept {
    auto s = *this;
    while (s.outer() == kind::map) s = s.inner();
    return s.outer() > kind::map;
  }
  friend constexpr auto operator<=>(const shape&, const shape&) = default;

 private:
  std::uint32_t code_ = 0;
};

}  // namespace joinery::crdt
