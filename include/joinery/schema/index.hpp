// index: the table option for secondary indexes, from member pointers.
//
// Purpose: `table<"workouts", workout, index<&workout::started_at>>` keeps the table's living
// records ordered by a field. A field of a struct inside the record is reached by one pointer a
// level: `index<&workout::recorded, &recorded_facts::started_at>`.
// Invariants: the field's name is found at compile time; a pointer to anything but a field of the
// table's record does not compile, and says so.
// Thread-safety: compile-time only.
#pragma once

#include <boost/hana/concept/struct.hpp>

#include "joinery/schema/fields.hpp"
#include "joinery/schema/table.hpp"

namespace joinery::schema {

/// An index that a program declares.
struct index_descriptor {
  std::string table;
  std::string field;
  crdt::shape type;
  friend auto operator<=>(const index_descriptor&, const index_descriptor&) = default;
};

/// What a field is ordered and looked up by: its value, each of its elements or keys, or its sum.
template <class Field>
struct index_value;
template <class T>
struct index_value<lww<T>> {
  using type = T;
};
template <class T>
struct index_value<mv<T>> {
  using type = T;
};
template <class T>
struct index_value<or_set<T>> {
  using type = T;
};
template <class K>
struct index_value<tally<K>> {
  using type = K;
};
template <class K, class V>
struct index_value<map<K, V>> {
  using type = K;
};
template <class T>
struct index_value<max_of<T>> {
  using type = T;
};
template <class T>
struct index_value<min_of<T>> {
  using type = T;
};
template <>
struct index_value<pn_counter> {
  using type = std::int64_t;
};
template <>
struct index_value<g_counter> {
  using type = std::int64_t;
};
template <>
struct index_value<flag> {
  using type = bool;
};

namespace detail {

// Defined in schema.hpp, which includes this.
template <class... Path, class Record, class F>
constexpr void for_each_field(Record& record, F&& f);

template <class Pointer>
struct member_of;
template <class Class, class Member>
struct member_of<Member Class::*> {
  using owner = Class;
  using type = Member;
};

/// The field at the end of `First, Rest...` in `Record`; void where the pointers do not fit.
template <class Record, auto First, auto... Rest>
struct member_at {
  using type = void;
};
template <class Record, auto First, auto... Rest>
  requires std::is_member_object_pointer_v<decltype(First)> &&
      std::same_as<typename member_of<std::remove_const_t<decltype(First)>>::owner, Record>
struct member_at<Record, First, Rest...> {
  using here = typename member_of<std::remove_const_t<decltype(First)>>::type;
  using type = typename member_at<here, Rest...>::type;
};
template <class Record, auto Last>
  requires std::is_member_object_pointer_v<decltype(Last)> &&
      std::same_as<typename member_of<std::remove_const_t<decltype(Last)>>::owner, Record>
struct member_at<Record, Last> {
  using type = typename member_of<std::remove_const_t<decltype(Last)>>::type;
};

template <auto First, auto... Rest, class Record>
constexpr const void* address_in(const Record& record) {
  if constexpr (sizeof...(Rest) == 0)
    return &(record.*First);
  else
    return address_in<Rest...>(record.*First);
}

/// The name of the field that `Path` leads to.
template <class Record, auto... Path>
constexpr std::string_view name_of_member() {
  const Record record{};
  const void* const wanted = address_in<Path...>(record);
  std::string_view found;
  for_each_field(record, [&](std::string_view name, const auto& field) {
    if (static_cast<const void*>(&field) == wanted) found = name;
  });
  return found;
}

template <class Record, auto... Path>
constexpr bool leads_to_field() {
  using member = typename member_at<Record, Path...>::type;
  if constexpr (std::is_void_v<member>)
    return false;
  else
    return field_type<member>;
}

}  // namespace detail

/// What all indexes derive from.
struct any_index : table_option {};

template <auto... Path>
struct index_option : any_index {
  template <class Record>
  static constexpr bool fits() {
    static_assert(
        detail::leads_to_field<Record, Path...>(),
        "joinery: an index names a field of its table's record: index<&record::field>, or "
        "index<&record::part, &part_struct::field>");
    return true;
  }
  template <class Record>
  using field = typename detail::member_at<Record, Path...>::type;
  template <class Record>
  static constexpr std::string_view name = detail::name_of_member<Record, Path...>();
};

/// The indexes of a table.
template <class Table>
void describe_indexes(std::vector<index_descriptor>& out) {
  using record = typename Table::record_type;
  Table::template for_each_option<any_index>([&]<class Option>(const Option&) {
    out.push_back({std::string{Table::name}, std::string{Option::template name<record>},
                   Option::template field<record>::type()});
  });
}

}  // namespace joinery::schema

namespace joinery {

/// Table option: records can be found, and are listed in order, by this field.
template <auto... Path>
inline constexpr schema::index_option<Path...> index{};

}  // namespace joinery
