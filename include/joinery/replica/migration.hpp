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

#include "joinery/replica/draft.hpp"
#include "joinery/replica/engine.hpp"
#include "joinery/schema/migration.hpp"

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

template <class Table, class Engine>
class table_migrator final : private draft_source {
 public:
  table_migrator(Engine& engine, migration_report& report)
      : engine_(engine),
        report_(report),
        stamp_(engine.next_own_stamp()),
        context_(engine.seen()) {}

  result<> run() {
    bytes from;
    for (;;) {
      stamp_ = engine_.next_own_stamp();
      context_ = engine_.seen();
      context_.raise(stamp_.first);
      auto more = collect(from);
      if (!more) return more.error();
      auto done = engine_.commit(changes_);
      if (!done) return done.error();
      report_.records += records_;
      changes_.clear();
      records_ = 0;
      if (!*more) return {};
    }
  }

 private:
  using record_type = typename Table::record_type;
  static constexpr std::size_t max_records = 256;
  static constexpr std::size_t max_bytes = 256u << 10;

  // Gathers the changes of the next records; false at the table's end.
  result<bool> collect(bytes& from) {
    bool more = false;
    std::size_t size = 0;
    auto walked = engine_.for_each(Table::name, from, [&](bytes_view key, bytes_view packed) {
      if (records_ >= max_records || size >= max_bytes) {
        from = key;
        more = true;
        return false;
      }
      if (!crdt::read_cell(packed).alive()) return true;
      packed_ = packed;
      const auto before = size;
      Table::template for_each_option<schema::migration_option>(
          [&]<class Migration>(const Migration&) { size += fill<Migration>(key); });
      records_ += size > before ? 1 : 0;
      return true;
    });
    if (!walked) return walked.error();
    return more;
  }

  // Gives about how many bytes of changes it makes.
  template <class Migration>
  std::size_t fill(bytes_view key) {
    constexpr auto name = Migration::template name<record_type>();
    constexpr auto was = Migration::template former_name<record_type>();
    using now_type = typename Migration::template new_type<record_type>;
    draft record{*this, Table::name, Table::rule, bytes{key}, draft::amends};
    if (record.state(was, Migration::old_type::type()).empty()) return 0;
    const bytes before{record.state(name, now_type::type())};
    if (!is_open<now_type>(record, name, before)) return 0;
    try {
      typename Migration::old_type old;
      old.bind(record, was);
      record_type bound{};
      schema::bind(bound, record);
      Migration::run(old, Migration::member(bound));
    } catch (const failure& f) {
      ++report_.failed;
      if (!report_.first_error) report_.first_error = f.error();
      return 0;
    }
    if (record.ops().empty() || shows_already<now_type>(record, name, before)) return 0;
    if (needs_mark<now_type>())
      record.change(migrated_field, marks::type(), marks::insert(std::string{name}));
    std::size_t size = key.size();
    for (auto& op : record.ops()) {
      size += op.delta.size() + 8;
      changes_.add(Table::name, key, std::move(op));
    }
    return size;
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
  static bool is_open(draft& record, std::string_view name, bytes_view before) {
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
  static bool shows_already(draft& record, std::string_view name, bytes_view before) {
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

  bytes_view committed(std::string_view, bytes_view) override { return packed_; }
  state::part_source* parts() override { return parts_in(engine_); }
  const state::name_table& names() const override { return engine_.names(); }
  const causal::roster& replicas() const override { return engine_.replicas(); }
  causal::stamp stamp() const override { return {stamp_.first, stamp_.second, context_}; }

  Engine& engine_;
  migration_report& report_;
  std::pair<causal::dot, causal::hlc> stamp_;
  causal::version context_;
  bytes packed_;  // of the record that is looked at
  codec::changeset_writer changes_;
  std::size_t records_ = 0;  // in `changes_`
};

/// Runs the migrations of all tables, and notes that they are done when none failed.
template <class Engine, class... Tables>
result<migration_report> run_migrations(Engine& engine, const tables<Tables...>*) {
  migration_report report;
  result<> outcome;
  const auto run = [&]<class Table>(const Table*) {
    if constexpr (Table::template has_option<schema::migration_option>) {
      if (!outcome) return;
      if constexpr (Table::is_local)
        outcome = table_migrator<Table, typename Engine::local_side>{engine.local(), report}.run();
      else
        outcome = table_migrator<Table, Engine>{engine, report}.run();
    }
  };
  (run(static_cast<const Tables*>(nullptr)), ...);
  if (!outcome) return outcome.error();
  if (report.failed == 0) {
    if (auto noted = engine.note_migrated(); !noted) return noted.error();
    if (auto noted = engine.local().note_migrated(); !noted) return noted.error();
  }
  return report;
}

}  // namespace detail
}  // namespace joinery
