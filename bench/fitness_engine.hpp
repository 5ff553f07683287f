// fitness-W for engines: the base and the replicas' operations as encoded changesets, made once;
// engines fed with them; and what comes out held against the model and against other engines.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "fitness_model.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/engine.hpp"
#include "joinery/replica/space_name.hpp"
#include "report.hpp"

namespace bench {

using joinery::bytes;
using joinery::bytes_view;
using memory_engine = joinery::engine<joinery::history::memory_storage>;

inline constexpr std::string_view fitness_table = "athletes";
inline constexpr std::size_t ops_of_changeset = 10;
inline constexpr std::size_t changesets_of_frame = 100;  // 1000 operations

// --- Operations as an engine takes them ---

inline joinery::codec::changeset_writer::op set_op(std::uint32_t field, const fitness_value& v) {
  using namespace joinery::crdt;
  static constexpr std::string_view names[] = {"name", "city", "club", "notes", "age", "weight"};
  return {cell_action::update, 1, names[field], kind::lww,
          field < 4 ? lww<std::string>::set(v.text) : lww<std::uint32_t>::set(v.number)};
}
inline joinery::codec::changeset_writer::op tag_op(std::uint32_t tag, bool insert) {
  using namespace joinery::crdt;
  using tags = or_set<std::uint32_t>;
  return {cell_action::update, 1, "tags", kind::or_set,
          insert ? tags::insert(tag) : tags::erase(tag)};
}
inline joinery::codec::changeset_writer::op packed_op(const fitness_op& op) {
  using namespace joinery::crdt;
  switch (op.what) {
    case fitness_op::set: return set_op(op.argument, op.value);
    case fitness_op::inc:
      return {cell_action::update, 1, "xp", kind::pn_counter, pn_counter::add(op.argument)};
    case fitness_op::add: return tag_op(op.argument, true);
    case fitness_op::remove: break;
  }
  return tag_op(op.argument, false);
}
inline void add_op(joinery::codec::changeset_writer& tx, bytes_view key, const fitness_op& op) {
  tx.add(fitness_table, key, packed_op(op));
}
inline void add_record(joinery::codec::changeset_writer& tx, bytes_view key,
                       const fitness_base_record& r) {
  tx.add(fitness_table, key, {joinery::crdt::cell_action::create, 1, {}, {}, {}});
  for (std::uint32_t f = 0; f < fitness_fields; ++f)
    tx.add(fitness_table, key, set_op(f, r.values[f]));
  for (const auto tag : r.tags) tx.add(fitness_table, key, tag_op(tag, true));
}

// --- The workload ---

/// Replica 0 wrote the base, the others the operations.
inline joinery::replica_id fitness_writer(std::uint32_t number) {
  return *joinery::replica_id::from_bytes(fitness_key(~number));
}

struct fitness_workload {
  std::uint32_t records;
  std::uint32_t total;
  std::uint32_t replica_count;
  std::vector<fitness_base_record> base;
  std::vector<bytes> keys;
  std::vector<std::vector<fitness_op>> ops;    ///< of each replica
  std::vector<bytes> base_changesets;          ///< of 100 records each
  std::vector<std::vector<bytes>> changesets;  ///< of each replica
  std::size_t wire_bytes = 0;                  ///< of the replicas' changesets
  std::size_t tags_left = 0;
  std::vector<std::uint64_t> xp;  ///< of each record

  fitness_workload(std::uint32_t records_, std::uint32_t total_, std::uint32_t replicas_)
      : records(records_), total(total_), replica_count(replicas_), base(fitness_base(records_)) {
    for (std::uint32_t r = 0; r < records; ++r) keys.push_back(fitness_key(r));
    for (std::uint32_t r = 0; r < records; r += 100) {
      joinery::codec::changeset_writer tx;
      for (auto i = r; i < std::min(r + 100, records); ++i) add_record(tx, keys[i], base[i]);
      base_changesets.push_back(encode(tx, 0, base_changesets.size() + 1));
    }
    fitness_model model{base};
    fitness_checksum sum;
    for (std::uint32_t r = 0; r < replica_count; ++r) {
      const auto& mine = ops.emplace_back(fitness_ops(base, total, replica_count, r));
      for (const auto& op : mine) sum.add(op);
      model.merge(mine);
      auto& encoded = changesets.emplace_back();
      for (std::size_t i = 0; i < mine.size(); i += ops_of_changeset) {
        joinery::codec::changeset_writer tx;
        for (auto j = i; j < std::min(i + ops_of_changeset, mine.size()); ++j)
          add_op(tx, keys[mine[j].record], mine[j]);
        encoded.push_back(encode(tx, r + 1, encoded.size() + 1));
        wire_bytes += encoded.back().size();
      }
    }
    tags_left = model.tags_left();
    xp = std::move(model.xp);
    if (records == fitness_records && total == 100'000 && replica_count == 4) {
      check(sum.value() == fitness_checksum_of_100k_by_4, "the workload's checksum");
      check(tags_left == fitness_tags_of_100k_by_4, "the model's count of tags");
    }
  }

 private:
  // As its writer's engine would: it had the base, and nothing of the others.
  [[nodiscard]] bytes encode(const joinery::codec::changeset_writer& tx, std::uint32_t writer,
                             std::uint64_t seq) const {
    constexpr std::uint64_t new_year_2026 = 1'767'225'600'000;
    const auto written_ms = new_year_2026 + (writer == 0 ? 0 : 3'600'000) + seq;
    std::vector<joinery::codec::seen_increase> seen;
    if (writer > 0 && seq == 1) seen.push_back({fitness_writer(0), base_changesets.size()});
    return tx.encode(fitness_writer(writer), seq, written_ms << 16, seen);
  }
};

/// Workloads that this program has made: each is made once.
inline const fitness_workload& fitness(std::uint32_t records, std::uint32_t total = 100'000,
                                       std::uint32_t replicas = 4) {
  static std::map<std::array<std::uint32_t, 3>, std::unique_ptr<fitness_workload>> made;
  auto& w = made[{records, total, replicas}];
  if (!w) w = std::make_unique<fitness_workload>(records, total, replicas);
  return *w;
}

// --- Engines ---

/// Options for an engine whose records all stay in memory, and which keeps its log and writes no
/// snapshot by itself: what those cost has lines of its own.
inline joinery::replica_options without_snapshots() {
  joinery::replica_options options;
  options.space = joinery::space_named("fitness-W");
  options.cache_bytes = std::size_t{1} << 36;
  options.snapshot_records = std::size_t{1} << 40;
  options.snapshot_log_bytes = std::size_t{1} << 40;
  options.retain_log_bytes = std::uint64_t{1} << 50;
  return options;
}
inline joinery::replica_options with_snapshots() {
  const joinery::replica_options defaults;
  auto options = without_snapshots();
  options.snapshot_records = defaults.snapshot_records;
  options.snapshot_log_bytes = defaults.snapshot_log_bytes;
  return options;
}
inline memory_engine open_in_memory(joinery::replica_options options = without_snapshots()) {
  return memory_engine::open(joinery::history::memory_storage{}, std::move(options)).value();
}

/// Feeds changesets in frames of so many; each frame is one batch of the engine's.
template <class Engine>
void feed(Engine& e, std::span<const bytes> changes, std::size_t frame = changesets_of_frame) {
  std::vector<bytes_view> batch;
  for (std::size_t i = 0; i < changes.size(); i += frame) {
    const auto part = changes.subspan(i, std::min(frame, changes.size() - i));
    batch.assign(part.begin(), part.end());
    check(e.ingest(batch).value().integrated == batch.size(), "every changeset was taken in");
  }
}
inline memory_engine with_base(const fitness_workload& w,
                               joinery::replica_options options = without_snapshots()) {
  auto e = open_in_memory(std::move(options));
  feed(e, w.base_changesets, 1);
  return e;
}

/// What so many others wrote, a changeset each: a record of their own, with a tag.
inline std::vector<bytes> of_others(std::uint32_t count, std::string_view table) {
  std::vector<bytes> all;
  for (std::uint32_t r = 1; r <= count; ++r) {
    joinery::codec::changeset_writer tx;
    tx.add(table, fitness_key(r), {joinery::crdt::cell_action::create, 1, {}, {}, {}});
    tx.add(table, fitness_key(r), tag_op(r, true));
    all.push_back(tx.encode(fitness_writer(r), 1, std::uint64_t{1'767'225'600'000} << 16, {}));
  }
  return all;
}

// --- What came out ---

inline joinery::bytes_view field_of(const joinery::state::name_table& names, bytes_view packed,
                                    std::string_view name, joinery::crdt::kind kind) {
  const auto known = names.find(name);
  if (!known) return {};
  return joinery::state::field_state(joinery::crdt::read_cell(packed).value, {*known, kind});
}
inline std::uint64_t xp_of(const joinery::state::name_table& names, bytes_view packed) {
  using namespace joinery::crdt;
  const counter<kind::pn_counter, bytes_view> c{field_of(names, packed, "xp", kind::pn_counter)};
  return static_cast<std::uint64_t>(c.get().value);
}
inline std::size_t tags_of(const joinery::state::name_table& names, bytes_view packed) {
  using namespace joinery::crdt;
  return or_set<std::uint32_t, bytes_view>{field_of(names, packed, "tags", kind::or_set)}.size();
}

/// The tags and the XP of all records, read from the engine, against the model's.
template <class Engine>
void verify_fitness(Engine& e, const fitness_workload& w) {
  std::unordered_map<std::string, std::uint64_t> xp;
  std::size_t tags = 0;
  e.for_each(fitness_table, {}, [&](bytes_view key, bytes_view packed) {
     tags += tags_of(e.names(), packed);
     xp.emplace(key, xp_of(e.names(), packed));
     return true;
   }).value();
  check(tags == w.tags_left, "the tags that are left");
  check(xp.size() == w.records, "every record is there");
  for (std::uint32_t r = 0; r < w.records; ++r)
    check(xp.at(w.keys[r]) == w.xp[r], "the exact XP of each record");
}
template <class Engine>
std::uint64_t total_xp(Engine& e) {
  std::uint64_t sum = 0;
  e.for_each(fitness_table, {}, [&](bytes_view, bytes_view packed) {
     sum += xp_of(e.names(), packed);
     return true;
   }).value();
  return sum;
}

template <class A, class B>
void verify_equal(A& a, B& b) {
  check(a.digest().value() == b.digest().value(), "equal digests");
}

}  // namespace bench
