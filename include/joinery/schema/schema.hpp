// schema: a program's tables, from plain structs.
//
// Purpose: a user writes a struct with BOOST_HANA_DEFINE_STRUCT of fields and names its table; this
// room works out the rest at compile time: each field's name, CRDT and value types, and handles
// bound to a packed record.
// Invariants: table names are unique, a struct belongs to one table, and every member is a field or
// a struct of fields (whose names are then "outer.inner"); anything else is an error that says so.
// Limits: a struct has at most 39 members (Boost 1.74); nest structs beyond.
// Thread-safety: compile-time only.
#pragma once

#include <array>
#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/define_struct.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>
#include <boost/hana/string.hpp>
#include <boost/hana/tuple.hpp>

#include "joinery/schema/descriptor.hpp"
#include "joinery/schema/fields.hpp"
#include "joinery/schema/index.hpp"
#include "joinery/schema/table.hpp"

namespace joinery {

namespace schema::detail {

template <char... C>
constexpr std::size_t size_of(boost::hana::string<C...>*) {
  return sizeof...(C);
}

// The names of the members on the way to a field, joined by dots, in static storage.
template <class... Parts>
struct joined_name {
  static constexpr std::size_t size = ((size_of(static_cast<Parts*>(nullptr)) + 1) + ... + 0) - 1;
  static constexpr std::array<char, size + 1> make() {
    std::array<char, size + 1> out{};
    std::size_t at = 0;
    const auto add = [&](const char* part) {
      if (at > 0) out[at++] = '.';
      while (*part != '\0') out[at++] = *part++;
    };
    (add(Parts::c_str()), ...);
    return out;
  }
  static constexpr auto data = make();
  static constexpr std::string_view view{data.data(), size};
  static_assert(size <= max_name_size, "joinery: a field's name is longer than 64 bytes");
};

template <class>
inline constexpr bool never = false;

/// Calls `f(name, member)` for every field of `record`, nested structs included.
template <class... Path, class Record, class F>
constexpr void for_each_field(Record& record, F&& f) {
  namespace hana = boost::hana;
  hana::for_each(hana::accessors<std::remove_const_t<Record>>(), [&](auto accessor) {
    using part = std::remove_cvref_t<decltype(hana::first(accessor))>;
    auto& member = hana::second(accessor)(record);
    using type = std::remove_cvref_t<decltype(member)>;
    if constexpr (field_type<type>)
      f(joined_name<Path..., part>::view, member);
    else if constexpr (hana::Struct<type>::value)
      for_each_field<Path..., part>(member, f);
    else
      static_assert(
          never<type>,
          "joinery: every member of a record must be a field: lww, mv, or_set, pn_counter, "
          "g_counter, tally, max_of, min_of, flag, map, or a struct of these");
  });
}

template <class... Tables>
constexpr bool distinct_names() {
  const std::array<std::string_view, sizeof...(Tables)> names{Tables::name...};
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (names[i] == names[j]) return false;
  return true;
}

template <class Record, class... Tables>
constexpr std::size_t tables_with() {
  return (std::size_t{0} + ... + (std::is_same_v<Record, typename Tables::record_type> ? 1 : 0));
}

}  // namespace schema::detail

namespace schema {

/// Binds every field of `record` to `access`.
template <class Record>
void bind(Record& record, record_access& access) {
  detail::for_each_field(record, [&](std::string_view name, auto& f) { f.bind(access, name); });
}

template <class Table>
table_descriptor describe() {
  table_descriptor t{std::string{Table::name}, Table::rule, {}, Table::rank};
  typename Table::record_type record;
  detail::for_each_field(record, [&]<class F>(std::string_view name, F&) {
    t.fields.push_back({std::string{name}, F::type(), F::values(), {}});
  });
  Table::template for_each_option<table_option>([&]<class O>(const O&) {
    if constexpr (requires { O::template describe<typename Table::record_type>(t); })
      O::template describe<typename Table::record_type>(t);
  });
  return t;
}

}  // namespace schema

/// The tables of a program.
template <class... Tables>
struct tables {
  static_assert(sizeof...(Tables) > 0, "joinery: a schema needs at least one table");
  static_assert(((!Tables::name.empty() && Tables::name.size() <= schema::max_name_size) && ...),
                "joinery: a table's name has 1 to 64 bytes");
  static_assert((!schema::is_system_table(Tables::name) && ...),
                "joinery: names of tables that begin with 'joinery.' are the engine's own");
  static_assert(schema::detail::distinct_names<Tables...>(),
                "joinery: two tables have the same name");
  static_assert(((schema::detail::tables_with<typename Tables::record_type, Tables...>() == 1) &&
                 ...),
                "joinery: a struct belongs to exactly one table");
  static_assert((boost::hana::Struct<typename Tables::record_type>::value && ...),
                "joinery: a record must be declared with BOOST_HANA_DEFINE_STRUCT");
  static_assert((Tables::options_fit() && ...),
                "joinery: an option of a table does not suit its record");

  /// The indexes that this program keeps; they are its own affair and no part of the space. Those
  /// of tables that are shared, or of those that are local.
  static std::vector<schema::index_descriptor> indexes(bool local = false) {
    std::vector<schema::index_descriptor> out;
    const auto add = [&]<class Table>(const Table*) {
      if (Table::is_local == local) schema::describe_indexes<Table>(out);
    };
    (add(static_cast<const Tables*>(nullptr)), ...);
    return out;
  }

  /// The tables that belong to the space, or those that never leave the device.
  static schema::descriptor describe(bool local = false) {
    schema::descriptor out;
    const auto add = [&]<class Table>(const Table*) {
      if (Table::is_local == local) out.tables.push_back(schema::describe<Table>());
    };
    (add(static_cast<const Tables*>(nullptr)), ...);
    return out;
  }

  /// The table of `Record`.
  template <class Record>
  struct find {
    static_assert(schema::detail::tables_with<Record, Tables...>() == 1,
                  "joinery: this struct is the record of no table of the schema");
    static constexpr std::size_t index() {
      std::size_t at = 0;
      static_cast<void>(
          ((std::is_same_v<Record, typename Tables::record_type> || (++at, false)) || ...));
      return at;
    }
    /// Whether the table keeps the index that `Path` leads to.
    template <auto... Path>
    static constexpr bool has_index =
        ((std::is_same_v<Record, typename Tables::record_type> &&
          Tables::template has_option<schema::index_option<Path...>>) ||
         ...);
    static constexpr bool is_local =
        std::array<bool, sizeof...(Tables)>{Tables::is_local...}[index()];
    static constexpr std::string_view name =
        std::array<std::string_view, sizeof...(Tables)>{Tables::name...}[index()];
    static constexpr schema::delete_rule rule =
        std::array<schema::delete_rule, sizeof...(Tables)>{Tables::rule...}[index()];
    static constexpr std::int64_t rank =
        std::array<std::int64_t, sizeof...(Tables)>{Tables::rank...}[index()];
  };
};

}  // namespace joinery
