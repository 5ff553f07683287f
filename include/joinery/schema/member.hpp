// Member pointers to fields: from what a table option names to the field's name.
//
// Purpose: `&workout::title`, or `within<&workout::recorded, &recorded_facts::distance_m>` for a
// field in a nested struct, as the argument of a table option.
// Invariants: everything is known at compile time.
// Thread-safety: compile-time only.
#pragma once

#include "joinery/schema/schema.hpp"

namespace joinery {

namespace schema {

/// A way through nested structs to a field.
template <auto... Steps>
struct member_path {};

namespace detail {

template <class Record, auto... Steps>
  requires requires(Record& record) { (record.*....*Steps); }
constexpr auto& follow(Record& record, member_path<Steps...>) { return (record.*....*Steps); }

template <auto Member>
struct path_of {
  using type = member_path<Member>;
};
template <auto... Steps, member_path<Steps...> Path>
struct path_of<Path> {
  using type = member_path<Steps...>;
};

}  // namespace detail

/// What `Member` (a member pointer or a path) leads to in `record`.
template <auto Member, class Record>
  requires requires(Record& r) { detail::follow(r, typename detail::path_of<Member>::type{}); }
constexpr auto& member_of(Record& record) {
  return detail::follow(record, typename detail::path_of<Member>::type{});
}

template <auto Member, class Record>
concept leads_to_field = requires(Record& record) {
  requires field_type<std::remove_cvref_t<decltype(member_of<Member>(record))>>;
};

template <auto Member, class Record>
using member_type = std::remove_cvref_t<decltype(member_of<Member>(std::declval<Record&>()))>;

/// The field's name.
template <auto Member, class Record>
constexpr std::string_view member_name() {
  Record record{};
  auto& wanted = member_of<Member>(record);
  std::string_view found;
  detail::for_each_field(record, [&]<class F>(std::string_view name, F& f) {
    if constexpr (std::is_same_v<F, std::remove_cvref_t<decltype(wanted)>>)
      if (&f == &wanted) found = name;
  });
  return found;
}

/// Whether the record has a field of this name and shape.
template <class Record>
constexpr bool has_field(std::string_view name, crdt::shape type) {
  Record record{};
  bool found = false;
  detail::for_each_field(record, [&]<class F>(std::string_view each, F&) {
    found = found || (each == name && F::type() == type);
  });
  return found;
}

}  // namespace schema

/// The way to a field in a nested struct, for table options.
template <auto... Steps>
inline constexpr schema::member_path<Steps...> within{};

}  // namespace joinery
