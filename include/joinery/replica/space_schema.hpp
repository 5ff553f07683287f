// The schema of a space: the descriptors that its programs have written into it.
//
// Purpose: each program says with its first change to a table how it reads it, so that others can
// show, check and migrate what they have no structs for. The descriptors are records of the table
// "joinery.schema", under the names of the tables that they describe: ordinary changes, merged,
// digested and forwarded like any others.
// Fields: `rule` lww<int>; `ranks` or_set<int>; `fields` map<text, or_set<(int shape, text
// values)>>, one form for each kind or type that programs give a name; `migrations` map<text,
// or_set<(int shape, text values, text former name, int former shape, text former values)>>.
// Invariants: nothing but adds, so descriptors written on two replicas at once merge; what cannot
// be decoded is passed over.
// Thread-safety: values and pure functions.
#pragma once

#include "joinery/codec/changeset.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/crdt/or_set.hpp"
#include "joinery/schema/descriptor.hpp"
#include "joinery/state/record.hpp"

namespace joinery {

/// The table of the descriptors.
inline constexpr std::string_view schema_table = "joinery.schema";

/// One kind and type that programs give a field.
struct field_form {
  crdt::shape type;
  std::string values;
  friend bool operator==(const field_form&, const field_form&) = default;
};
/// A declared migration to `to` from a field's former form.
struct field_migration {
  field_form to;
  schema::former_field from;
};

struct described_field {
  std::string name;
  std::vector<field_form> forms;  ///< more than one when it was changed
  std::vector<field_migration> migrations;
};

/// What a space says of one of its tables.
struct described_table {
  std::string name;
  std::optional<schema::delete_rule> rule;
  std::vector<std::int64_t> ranks;      ///< with which programs write, ascending
  std::vector<described_field> fields;  ///< ascending by name
};

namespace detail {

using form_value = std::tuple<std::uint32_t, std::string>;
using migration_value =
    std::tuple<std::uint32_t, std::string, std::string, std::uint32_t, std::string>;
using forms_of_fields = crdt::map<std::string, crdt::or_set<form_value>>;
using migrations_of_fields = crdt::map<std::string, crdt::or_set<migration_value>>;
using rule_register = crdt::lww<std::uint32_t>;
using rank_set = crdt::or_set<std::int64_t>;

/// A packed record of `schema_table`, taken apart into its fields. Of a dead one, empty fields.
struct schema_record {
  std::uint64_t incarnation = 1;  ///< that a change names
  rule_register rule;
  rank_set ranks;
  forms_of_fields fields;
  migrations_of_fields migrations;

  schema_record(bytes_view packed, const state::name_table& names) {
    const auto cell = crdt::read_cell(packed);
    incarnation = crdt::incarnation_to_create(cell);
    if (!cell.alive()) return;
    const auto read = [&]<class C>(std::string_view name, C& into) {
      if (const auto index = names.find(name))
        into = C{bytes{state::field_state(cell.value, {*index, C::type()})}};
    };
    read("rule", rule);
    read("ranks", ranks);
    read("fields", fields);
    read("migrations", migrations);
  }
};

/// What the space does not have yet of a program's table, as operations on its descriptor.
inline std::vector<codec::changeset_writer::op> missing_of(const schema::table_descriptor& ours,
                                                           const schema_record& there) {
  std::vector<codec::changeset_writer::op> out;
  const auto add = [&](std::string_view field, crdt::shape type, bytes delta) {
    out.push_back({crdt::cell_action::update, there.incarnation, field, type, std::move(delta)});
  };
  if (there.rule.state().empty())
    add("rule", rule_register::type(), rule_register::set(static_cast<std::uint32_t>(ours.rule)));
  if (!there.ranks.contains(ours.rank)) add("ranks", rank_set::type(), rank_set::insert(ours.rank));
  for (const auto& f : ours.fields) {
    const form_value form{f.type.code(), f.values};
    const auto forms = there.fields.at(f.name);
    if (!forms || !forms->contains(form))
      add("fields", forms_of_fields::type(),
          there.fields.update(f.name, crdt::or_set<form_value>::insert(form)));
    const auto known = there.migrations.at(f.name);
    for (const auto& was : f.formers) {
      const migration_value m{f.type.code(), f.values, was.name, was.type.code(), was.values};
      if (!known || !known->contains(m))
        add("migrations", migrations_of_fields::type(),
            there.migrations.update(f.name, crdt::or_set<migration_value>::insert(m)));
    }
  }
  return out;
}

}  // namespace detail

/// Reads a packed record of `schema_table`.
inline described_table read_described(std::string_view table, bytes_view packed,
                                      const state::name_table& names,
                                      const causal::roster& replicas) {
  const detail::schema_record record{packed, names};
  described_table out{std::string{table}, {}, {}, {}};
  if (const auto rule = record.rule.get(replicas); rule && *rule <= 1)
    out.rule = static_cast<schema::delete_rule>(*rule);
  record.ranks.for_each([&](std::int64_t rank) { out.ranks.push_back(rank); });
  record.fields.for_each([&](std::string name, const auto& forms) {
    described_field f{std::move(name), {}, {}};
    forms.for_each([&](detail::form_value v) {
      f.forms.push_back({crdt::shape::from_code(std::get<0>(v)), std::move(std::get<1>(v))});
    });
    if (const auto migrations = record.migrations.at(f.name))
      migrations->for_each([&](detail::migration_value v) {
        auto& [type, values, from, from_type, from_values] = v;
        f.migrations.push_back(
            {{crdt::shape::from_code(type), std::move(values)},
             {std::move(from), crdt::shape::from_code(from_type), std::move(from_values)}});
      });
    out.fields.push_back(std::move(f));
  });
  return out;
}

/// Everything that a program says otherwise than the space. A form that the program migrates from,
/// or that is recorded as migrated from the program's own, is none: both may live side by side.
inline std::vector<error> contradictions(const schema::table_descriptor& ours,
                                         const described_table& space) {
  std::vector<error> out;
  const auto conflict = [&](std::string where, const std::string& a, const std::string& b) {
    out.push_back({errc::schema_conflict, "this program says " + a + ", the space " + b,
                   std::move(where),
                   "give the changed field a new name, or declare its migration; or update this "
                   "program"});
  };
  if (space.rule && *space.rule != ours.rule)
    conflict(ours.name, schema::text_of(ours.rule), schema::text_of(*space.rule));
  for (const auto& f : ours.fields) {
    const auto there = std::find_if(space.fields.begin(), space.fields.end(),
                                    [&](const described_field& d) { return d.name == f.name; });
    if (there == space.fields.end()) continue;
    const schema::former_field own{f.name, f.type, f.values};
    for (const auto& form : there->forms) {
      if (form == field_form{f.type, f.values}) continue;
      if (schema::migrates(f, {f.name, form.type, form.values, {}})) continue;
      const bool came_from_ours =
          std::any_of(there->migrations.begin(), there->migrations.end(),
                      [&](const field_migration& m) { return m.to == form && m.from == own; });
      if (came_from_ours) continue;
      conflict(ours.name + "." + f.name, schema::text_of(f.type, f.values),
               schema::text_of(form.type, form.values));
    }
  }
  return out;
}

}  // namespace joinery
