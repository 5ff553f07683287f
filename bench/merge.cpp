// Merge throughput over fitness-W(100 000, 4): one replica integrates what the three others wrote,
// in memory, one thread; encoded changesets in, state out, with every check of the real path.
// Beside it the limit that the same machine reaches in the same run when nothing is checked: decode
// the same bytes and copy each delta into a table. Each run verifies the workload's checksum, equal
// digests and the count of tags that are left.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <unordered_map>

#include "fitness_w.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/engine.hpp"
#include "joinery/replica/space_name.hpp"

namespace {

using namespace joinery;
using engine_t = engine<history::memory_storage>;
using crdt::cell_action;

constexpr std::uint32_t total_ops = 100'000;
constexpr std::uint32_t replica_count = 4;
constexpr std::uint32_t checksum = 4'252'528'642;
constexpr std::size_t tags_left = 49'845;
constexpr std::size_t batch_changesets = 100;  // of 10 operations each

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "the benchmark's own check failed: %s\n", what);
  std::exit(1);
}

std::string key_of(std::uint32_t record) {
  std::string key(16, '\0');
  for (std::size_t i = 0; i < 4; ++i) key[15 - i] = static_cast<char>(record >> (8 * i));
  return key;
}
constexpr std::string_view field_names[] = {"name", "city", "club", "notes", "age", "weight"};

codec::changeset_writer::op set_op(std::uint32_t field, const bench::fitness_value& v) {
  return {
      cell_action::update, 1, field_names[field], crdt::kind::lww,
      field < 4 ? crdt::lww<std::string>::set(v.text) : crdt::lww<std::uint32_t>::set(v.number)};
}
codec::changeset_writer::op tag_op(std::uint32_t tag, bool insert) {
  using tags = crdt::or_set<std::uint32_t>;
  return {cell_action::update, 1, "tags", crdt::kind::or_set,
          insert ? tags::insert(tag) : tags::erase(tag)};
}

engine_t open_engine() {
  replica_options options;
  options.space = space_named("fitness-W");
  options.cache_bytes = std::size_t{1} << 32;
  return engine_t::open(history::memory_storage{}, options).value();
}

struct workload {
  std::vector<std::vector<bytes>> changesets;  // the base's, then each replica's
  std::size_t wire_bytes = 0;

  workload() {
    const auto base = bench::fitness_base();
    auto writer = open_engine();
    changesets.resize(1);
    for (std::uint32_t r = 0; r < base.size(); r += 100) {
      codec::changeset_writer tx;
      for (std::uint32_t i = r; i < r + 100; ++i) {
        tx.add("athletes", key_of(i), {cell_action::create, 1, {}, {}, {}});
        for (std::uint32_t f = 0; f < bench::fitness_fields; ++f)
          tx.add("athletes", key_of(i), set_op(f, base[i].values[f]));
        for (const auto tag : base[i].tags) tx.add("athletes", key_of(i), tag_op(tag, true));
      }
      writer.commit(tx).value();
    }
    collect(writer, changesets[0]);

    bench::fitness_checksum sum;
    for (std::uint32_t r = 0; r < replica_count; ++r) {
      const auto ops = bench::fitness_ops(base, total_ops, replica_count, r);
      for (const auto& op : ops) sum.add(op);
      auto replica = with_base();
      for (std::size_t i = 0; i < ops.size(); i += 10) {
        codec::changeset_writer tx;
        for (std::size_t j = i; j < i + 10; ++j) add(tx, ops[j]);
        replica.commit(tx).value();
      }
      collect(replica, changesets.emplace_back());
      for (const auto& c : changesets.back()) wire_bytes += c.size();
    }
    if (sum.value() != checksum) fail("the workload's checksum");
  }

  engine_t with_base() const {
    auto e = open_engine();
    feed(e, changesets[0]);
    return e;
  }
  static void feed(engine_t& e, const std::vector<bytes>& changes) {
    std::vector<bytes_view> batch;
    for (std::size_t i = 0; i < changes.size(); i += batch_changesets) {
      batch.clear();
      for (auto j = i; j < std::min(i + batch_changesets, changes.size()); ++j)
        batch.emplace_back(changes[j]);
      e.ingest(batch).value();
    }
  }

 private:
  static void add(codec::changeset_writer& tx, const bench::fitness_op& op) {
    using enum bench::fitness_op::kind;
    switch (op.what) {
      case set: return tx.add("athletes", key_of(op.record), set_op(op.argument, op.value));
      case inc:
        return tx.add("athletes", key_of(op.record),
                      {cell_action::update, 1, "xp", crdt::kind::pn_counter,
                       crdt::pn_counter::add(op.argument)});
      case bench::fitness_op::add:
        return tx.add("athletes", key_of(op.record), tag_op(op.argument, true));
      case remove: return tx.add("athletes", key_of(op.record), tag_op(op.argument, false));
    }
  }
  static void collect(engine_t& e, std::vector<bytes>& out) {
    e.read_log(1, [&](std::uint64_t, const replica_id& by, std::uint64_t, bytes_view data) {
       if (by == e.self()) out.emplace_back(data);
       return true;
     }).value();
  }
};

const workload& the_workload() {
  static const workload w;
  return w;
}

std::size_t count_tags(engine_t& e) {
  std::size_t n = 0;
  e.for_each("athletes", {}, [&](bytes_view, bytes_view packed) {
     const auto name = e.names().find("tags");
     n += crdt::or_set<std::uint32_t, bytes_view>{state::field_state(crdt::read_cell(packed).value,
                                                                     {*name, crdt::kind::or_set})}
              .size();
     return true;
   }).value();
  return n;
}

// Every order of arrival must give the same state; checked once, outside the timing.
void verify(const workload& w) {
  auto forward = w.with_base();
  for (std::uint32_t r = 1; r <= replica_count; ++r) workload::feed(forward, w.changesets[r]);
  auto backward = w.with_base();
  for (std::uint32_t r = replica_count; r >= 1; --r) workload::feed(backward, w.changesets[r]);
  if (forward.digest().value() != backward.digest().value()) fail("equal digests");
  if (count_tags(forward) != tags_left) fail("the tags that are left");
}

void merge(benchmark::State& state) {
  const auto& w = the_workload();
  static bool verified = false;
  if (!verified) verify(w);
  verified = true;
  std::size_t ops = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto e = std::make_unique<engine_t>(w.with_base());
    state.ResumeTiming();
    for (std::uint32_t r = 2; r <= replica_count; ++r) {
      workload::feed(*e, w.changesets[r]);
      ops += total_ops / replica_count;
    }
    state.PauseTiming();
    e.reset();
    state.ResumeTiming();
  }
  state.counters["op/s"] =
      benchmark::Counter(static_cast<double>(ops), benchmark::Counter::kIsRate);
  state.counters["bytes/op"] = static_cast<double>(w.wire_bytes) / total_ops;
}
BENCHMARK(merge)->Unit(benchmark::kMillisecond);

void limit_decode_and_copy(benchmark::State& state) {
  const auto& w = the_workload();
  std::size_t ops = 0;
  for (auto _ : state) {
    std::unordered_map<std::string, std::array<bytes, 8>> table;
    for (std::uint32_t r = 2; r <= replica_count; ++r)
      for (const auto& data : w.changesets[r]) {
        const auto parsed = codec::decode_changeset(data);
        for (const auto& op : parsed->ops) {
          auto& record = table[std::string{parsed->records[op.record].key}];
          record[op.field % record.size()] = op.delta;
        }
        ops += parsed->ops.size();
      }
    benchmark::DoNotOptimize(table);
  }
  state.counters["op/s"] =
      benchmark::Counter(static_cast<double>(ops), benchmark::Counter::kIsRate);
}
BENCHMARK(limit_decode_and_copy)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
