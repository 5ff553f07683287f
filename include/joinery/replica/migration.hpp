// Migrations at work: fields that a program declares to take over from former ones are filled.
//
// Purpose: walks the tables that declare migrations and fills, in living records, the new field
// from the old one, as ordinary changesets of bounded size. A broken-off run is simply run again.
// Invariants: a field is filled only while nothing but migrations wrote to it (a register), or
// while no migration did and it is unset (all others): so replicas that migrate at once converge,
// and what was written by hand stays. The changes are amendments of the lowest rank: they bring
// back no deleted record and hide no value that was written by hand.
// Thread-safety: none; guarded by its replica.
#pragma once

#include "joinery/replica/ports.hpp"
#include "joinery/schema/migration.hpp"
#include "joinery/schema/schema.hpp"

namespace joinery {

/// What a run of the migrations did.
struct migration_report {
  std::size_t records = 0;           ///< that were changed
  std::size_t failed = 0;            ///< fields whose conversion threw a `failure`
  std::optional<error> first_error;  ///< why the first of them failed
};

namespace detail {

/// In a record: the fields that were filled by a migration and may be empty again.
inline constexpr std::string_view migrated_field = "joinery.migrated";

template <class Table>
class table_migrator {
 public:
  table_migrator(tables_port& tables, migration_report& report)
      : tables_(tables), report_(report) {}

  result<> run() {
    const auto changed = tables_.amend(
        {Table::name, Table::rule, Table::rank, Table::is_local}, [&](migrated_record& record) {
          Table::template for_each_option<schema::migration_option>(
              [&]<class Migration>(const Migration&) { fill<Migration>(record); });
        });
    if (!changed) return changed.error();
    report_.records += *changed;
    return {};
  }

 private:
  using record_type = typename Table::record_type;

  template <class Migration>
  void fill(migrated_record& of) {
    constexpr auto name = Migration::template name<record_type>();
    constexpr auto was = Migration::template former_name<record_type>();
    using now_type = typename Migration::template new_type<record_type>;
    auto& record = of.fresh_draft();
    if (record.state(was, Migration::old_type::type()).empty()) return;
    const bytes before{record.state(name, now_type::type())};
    if (!is_open<now_type>(record, name, before)) return;
    try {
      typename Migration::old_type old;
      old.bind(record, was);
      record_type bound{};
      schema::bind(bound, record);
      Migration::run(old, Migration::member(bound));
    } catch (const failure& f) {
      ++report_.failed;
      if (!report_.first_error) report_.first_error = f.error();
      return;
    }
    if (!of.changed() || shows_already<now_type>(record, name, before)) return;
    if (needs_mark<now_type>())
      record.change(migrated_field, marks::type(), marks::insert(std::string{name}));
    of.keep();
  }

  using marks = crdt::or_set<std::string>;

  template <class Now>
  static constexpr bool is_register() {
    return Now::type() == crdt::kind::lww || Now::type() == crdt::kind::mv;
  }
  // Whether what a migration made can be taken away without a trace.
  template <class Now>
  static constexpr bool needs_mark() {
    return Now::type() == crdt::kind::or_set || Now::type() == crdt::kind::flag;
  }
  // Whether a migration may write: nobody else has.
  template <class Now>
  static bool is_open(draft_record& record, std::string_view name, bytes_view before) {
    if constexpr (is_register<Now>()) {
      const auto writes = crdt::detail::read_writes(before);
      return std::all_of(writes.begin(), writes.end(),
                         [](const auto& w) { return w.rank <= crdt::yielding_rank; });
    } else if constexpr (needs_mark<Now>()) {
      const crdt::or_set<std::string, bytes_view> done{record.state(migrated_field, marks::type())};
      return before.empty() && !done.contains(std::string{name});
    } else {
      return before.empty();
    }
  }
  // Whether a register holds nothing but what would be written.
  template <class Now>
  static bool shows_already(draft_record& record, std::string_view name, bytes_view before) {
    if constexpr (is_register<Now>()) {
      const auto writes = crdt::detail::read_writes(before);
      const auto made = crdt::detail::read_writes(record.state(name, Now::type()));
      return !writes.empty() && made.size() == 1 &&
             std::all_of(writes.begin(), writes.end(),
                         [&](const auto& w) { return w.value == made[0].value; });
    } else {
      return false;
    }
  }

  tables_port& tables_;
  migration_report& report_;
};

/// Runs the migrations of all tables, and notes that they are done when none failed.
template <class... Tables>
result<migration_report> run_migrations(engine_port& engine, const tables<Tables...>*) {
  migration_report report;
  result<> outcome;
  const auto run = [&]<class Table>(const Table*) {
    if constexpr (Table::template has_option<schema::migration_option>) {
      if (!outcome) return;
      outcome = table_migrator<Table>{engine.tables(Table::is_local), report}.run();
    }
  };
  (run(static_cast<const Tables*>(nullptr)), ...);
  if (!outcome) return outcome.error();
  if (report.failed == 0) {
    for (const bool local : {false, true})
      if (auto noted = engine.tables(local).note_migrated(); !noted) return noted.error();
  }
  return report;
}

}  // namespace detail
}  // namespace joinery
