// table: one table of a schema, and the options that it may carry.
//
// Purpose: `table<"posts", post, delete_wins, rank<2>>` names a table, the struct of its records,
// and, in any order, what else holds for it.
// Invariants: an option is a constant: a delete rule, or of a type derived from `table_option`. One
// that has `template <class Record> static constexpr bool fits()` is asked whether it suits the
// table's record, and says with static_asserts of its own why not; `template <class Record> static
// void describe(table_descriptor&)` adds to the table's descriptor.
// Thread-safety: compile-time only.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "joinery/schema/descriptor.hpp"

namespace joinery {

namespace schema {

/// A string literal as a template argument.
template <std::size_t N>
struct fixed_string {
  char data[N]{};
  constexpr fixed_string(const char (&text)[N]) { std::copy_n(text, N, data); }
  [[nodiscard]] constexpr std::string_view view() const { return {data, N - 1}; }
};

inline constexpr std::size_t max_name_size = 64;

/// Tables that belong to the engine: ordinary records, under names that no schema may use.
constexpr bool is_system_table(std::string_view name) noexcept {
  return name.starts_with("joinery.");
}

/// What the options of a table derive from, all but the delete rule.
struct table_option {};

template <class O>
concept is_table_option =
    std::same_as<std::remove_const_t<O>, delete_rule> || std::derived_from<O, table_option>;

/// Marks a table that stays on the device.
struct local_option : table_option {};

/// The rank that this program's writes to a table's registers carry.
template <std::uint32_t Rank>
struct rank_option : table_option {
  static constexpr std::uint32_t value = Rank;
};

}  // namespace schema

/// Table option: an update that did not see a delete brings the whole record back (the default).
inline constexpr auto update_wins = schema::delete_rule::update_wins;
/// Table option: a deleted record stays deleted, whatever was written to it meanwhile.
inline constexpr auto delete_wins = schema::delete_rule::delete_wins;
/// Table option: of concurrent writes to a register the one of higher rank is shown, before time is
/// asked. 0 unless declared.
template <std::uint32_t Rank>
inline constexpr schema::rank_option<Rank> rank{};
/// Table option: the records stay in this store. No peer ever sees them, nor that there are any.
inline constexpr schema::local_option local_only{};

namespace schema::detail {

template <class Option, class Record>
constexpr bool suits() {
  if constexpr (requires { Option::template fits<Record>(); })
    return Option::template fits<Record>();
  else
    return true;
}

template <class Option>
constexpr delete_rule rule_of(Option option, delete_rule otherwise) {
  if constexpr (std::same_as<Option, delete_rule>)
    return option;
  else
    return otherwise;
}

template <class Option>
struct is_rank : std::false_type {};
template <std::uint32_t Rank>
struct is_rank<rank_option<Rank>> : std::true_type {};

template <class Option>
constexpr std::int64_t rank_of() {
  if constexpr (is_rank<Option>::value)
    return Option::value;
  else
    return 0;
}

}  // namespace schema::detail

/// A table: its name, the struct of its records, and its options.
template <schema::fixed_string Name, class Record, auto... Options>
struct table {
  static_assert(
      (schema::is_table_option<std::remove_const_t<decltype(Options)>> && ...),
      "joinery: a table's options are update_wins or delete_wins, rank<N>, local_only, and "
      "others of this kind");
  static_assert(((std::same_as<std::remove_const_t<decltype(Options)>, schema::delete_rule> ? 1
                                                                                            : 0) +
                 ... + 0) <= 1,
                "joinery: a table has one delete rule");
  static_assert(((schema::detail::is_rank<std::remove_const_t<decltype(Options)>>::value ? 1 : 0) +
                 ... + 0) <= 1,
                "joinery: a table has one rank");

  using record_type = Record;
  static constexpr std::string_view name = Name.view();
  /// Whether its records never leave the device.
  static constexpr bool is_local =
      (std::same_as<std::remove_const_t<decltype(Options)>, schema::local_option> || ...);
  static_assert(!is_local ||
                    !((std::same_as<std::remove_const_t<decltype(Options)>, schema::delete_rule> ||
                       schema::detail::is_rank<std::remove_const_t<decltype(Options)>>::value) ||
                      ...),
                "joinery: a local_only table has no delete rule and no rank: nobody else writes "
                "to it");
  static constexpr schema::delete_rule rule = [] {
    auto found = update_wins;
    ((found = schema::detail::rule_of(Options, found)), ...);
    return found;
  }();
  /// What this program's writes to the registers of the table carry.
  static constexpr std::int64_t rank =
      (std::int64_t{0} + ... + schema::detail::rank_of<std::remove_const_t<decltype(Options)>>());

  /// Calls `f(option)` for every option of the type `Option`, or derived from it, in order.
  template <class Option, class F>
  static constexpr void for_each_option(F&& f) {
    [[maybe_unused]] const auto visit = [&]<class O>(const O& option) {
      if constexpr (std::derived_from<O, Option>) f(option);
    };
    (visit(Options), ...);
  }
  /// Whether the table carries an option of the type `Option`, or derived from it.
  template <class Option>
  static constexpr bool has_option =
      (std::derived_from<std::remove_const_t<decltype(Options)>, Option> || ...);
  /// Whether all options suit the record; those that do not fail to compile and say why.
  static constexpr bool options_fit() {
    return (schema::detail::suits<std::remove_const_t<decltype(Options)>, Record>() && ...);
  }
};

}  // namespace joinery
