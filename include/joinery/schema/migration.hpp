// migrate: a field that takes over what another kind or type of it held.
//
// Purpose: `migrate<&workout::distance_m, lww<double>, to_metres, "distance_km">` among a table's
// options says that distance_m is what distance_km was, an lww<double>, and how the one becomes the
// other. Without the name, the field had the same name and another kind.
// Invariants: old and new field stand side by side in the record, so a program that knows the old
// one goes on reading and writing it. What a migration makes must come out the same when two
// replicas make it at once: a counter cannot be fed, every other kind can.
// Thread-safety: compile-time only.
#pragma once

#include <concepts>

#include "joinery/schema/member.hpp"

namespace joinery {

namespace schema {

/// What all migrations derive from.
struct migration_option : table_option {};

namespace detail {

constexpr crdt::kind innermost(crdt::shape type) {
  while (type.outer() == crdt::kind::map) type = type.inner();
  return type.outer();
}
constexpr bool counts(crdt::shape type) {
  return innermost(type) == crdt::kind::pn_counter || innermost(type) == crdt::kind::g_counter;
}

/// Calls `each(value)` for the values that a field shows: one of a register or a counter, all of a
/// set or an mv. Not for maps.
template <class Field, class F>
void for_each_value(const Field& field, F&& each) {
  constexpr auto kind = Field::type().outer();
  if constexpr (kind == crdt::kind::or_set || kind == crdt::kind::mv) {
    for (const auto& v : field.get()) each(v);
  } else if constexpr (kind == crdt::kind::max_of || kind == crdt::kind::min_of) {
    if (const auto v = field.get()) each(*v);
  } else {
    each(*field);
  }
}

template <class Field, class Value>
concept takes = requires(Field& field, const Value& v) {
  requires Field::type()
  .outer() == crdt::kind::or_set;
  field.insert(v);
}
|| requires(Field& field, const Value& v) {
  requires Field::type()
  .outer() == crdt::kind::max_of || Field::type().outer() == crdt::kind::min_of;
  field.put(v);
}
|| requires(Field& field, const Value& v) {
  requires Field::type()
  .levels() == 1;
  field = v;
};

template <class Field, class Value>
  requires takes<Field, Value>
void give(Field& field, const Value& v) {
  constexpr auto kind = Field::type().outer();
  if constexpr (kind == crdt::kind::or_set)
    field.insert(v);
  else if constexpr (kind == crdt::kind::max_of || kind == crdt::kind::min_of)
    field.put(v);
  else
    field = v;
}

// Whether F takes a value that an Old shows and gives one that a New takes.
template <class F, class Old, class New>
constexpr bool fits_values() {
  if constexpr (Old::type().outer() == crdt::kind::map) {
    return false;
  } else if constexpr (Old::type().outer() == crdt::kind::or_set ||
                       Old::type().outer() == crdt::kind::mv) {
    return requires(const F& f, const Old& from) {
      requires takes<New, std::remove_cvref_t<decltype(f(*from.get().begin()))>>;
    };
  } else if constexpr (Old::type().outer() == crdt::kind::max_of ||
                       Old::type().outer() == crdt::kind::min_of) {
    return requires(const F& f, const Old& from) {
      requires takes<New, std::remove_cvref_t<decltype(f(*from.get()))>>;
    };
  } else {
    return requires(const F& f, const Old& from) {
      requires takes<New, std::remove_cvref_t<decltype(f(*from))>>;
    };
  }
}

}  // namespace detail

template <auto Member, class Old, auto Convert, fixed_string From>
struct migration : migration_option {
  using old_type = Old;
  template <class Record>
  using new_type = member_type<Member, Record>;

  template <class Record>
  static constexpr std::string_view name() {
    return member_name<Member, Record>();
  }
  template <class Record>
  static constexpr std::string_view former_name() {
    return From.view().empty() ? name<Record>() : From.view();
  }
  template <class Record>
  static constexpr auto& member(Record& record) {
    return member_of<Member>(record);
  }

  template <class Record>
  static constexpr bool fits() {
    if constexpr (!leads_to_field<Member, Record>) {
      static_assert(leads_to_field<Member, Record>,
                    "joinery: a migration leads to a field of the table's record");
    } else if constexpr (!field_type<Old>) {
      static_assert(
          field_type<Old>,
          "joinery: what a migration comes from is a field, such as joinery::lww<double>");
    } else {
      using now = new_type<Record>;
      constexpr auto form = now::type();
      static_assert(!detail::counts(form),
                    "joinery: a migration cannot feed a counter: two replicas that run it would "
                    "count twice; use a tally");
      static_assert(former_name<Record>() != name<Record>() || Old::type() != form,
                    "joinery: a field of the same kind and name cannot change its type: give the "
                    "member a new name, and the old name to migrate");
      static_assert(former_name<Record>().size() <= max_name_size,
                    "joinery: a field's name is longer than 64 bytes");
      static_assert(!has_field<Record>(former_name<Record>(), Old::type()),
                    "joinery: a field that is migrated from is no member of the record any more");
      static_assert(std::invocable<decltype(Convert), const Old&, now&> ||
                        detail::fits_values<decltype(Convert), Old, now>(),
                    "joinery: a migration's function takes the old field's value and gives the "
                    "new one's, or takes the old field and the new one to fill");
    }
    return true;
  }

  template <class Record>
  static void describe(table_descriptor& table) {
    for (auto& f : table.fields)
      if (f.name == name<Record>())
        f.formers.push_back(
            {std::string{former_name<Record>()}, Old::type(), std::string{Old::values()}});
  }

  /// Fills `now` from `old`.
  template <class New>
  static void run(const Old& old, New& now) {
    if constexpr (std::invocable<decltype(Convert), const Old&, New&>)
      Convert(old, now);
    else
      detail::for_each_value(old, [&](const auto& v) { detail::give(now, Convert(v)); });
  }
};

}  // namespace schema

/// Table option: the field `Member` takes over what `Old` held under the name `From`, or under the
/// same name when that is not given. `Convert` is a function or a stateless function object, from
/// an old value to a new one, or from the old field and to the new one (`const Old&, New&`). It
/// must give the same for the same, on every device.
template <auto Member, class Old, auto Convert, schema::fixed_string From = "">
inline constexpr schema::migration<Member, Old, Convert, From> migrate{};

}  // namespace joinery
