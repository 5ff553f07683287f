// What it costs to keep things: received batches of 1000 operations, each of them synced to LMDB
// before the next; with snapshots in the background, and what of them a reader or a writer feels;
// and how many bytes the log takes in the file. The limit is LMDB itself, to which the same bytes
// are appended, one value for each batch, with sync; for snapshots, records rewritten at random.
// Lines: durable durable/records: durable-threads snapshot snapshot-pause-writer
// Lines: snapshot-pause-reader snapshot-rewriting/records: disk-hot
#include <atomic>
#include <mutex>
#include <thread>

#include "durable_engine.hpp"

namespace {

using namespace bench;

/// A closed store with the base, made once, and copied for each use.
std::string fresh_store(const fitness_workload& w) {
  static std::map<std::uint32_t, std::string> made;
  auto& of_base = made[w.records];
  if (of_base.empty()) {
    of_base = data_folder("base-" + std::to_string(w.records));
    store_base(of_base, w);
  }
  const auto folder = data_folder("store");
  std::filesystem::copy(of_base, folder, std::filesystem::copy_options::recursive);
  return folder;
}

/// What replicas 1 to 3 wrote, as 75 frames.
std::vector<std::span<const bytes>> frames_of(const fitness_workload& w) {
  std::vector<std::span<const bytes>> out;
  for (std::uint32_t r = 1; r < w.replica_count; ++r) {
    const std::span<const bytes> all{w.changesets[r]};
    for (std::size_t i = 0; i < all.size(); i += changesets_of_frame)
      out.push_back(all.subspan(i, std::min(changesets_of_frame, all.size() - i)));
  }
  return out;
}

std::uint64_t operations(const fitness_workload& w) {
  return std::uint64_t{w.total} - w.total / w.replica_count;
}

/// LMDB's seconds for the same bytes.
double append_raw(const fitness_workload& w) {
  raw_lmdb db{data_folder("raw")};
  std::vector<bytes> values;
  for (const auto& frame : frames_of(w)) {
    auto& value = values.emplace_back();
    for (const auto& c : frame) value += c;
  }
  std::uint64_t number = 0;
  const auto took = seconds([&] {
    for (const auto& v : values) db.write([&](auto& tx) { tx.append(++number, v); });
  });
  std::size_t entries = 0;
  db.read(
      [&](auto& tx) { tx.scan([&](auto, auto v) { entries += v == values[entries] ? 1 : 0; }); });
  check(entries == values.size(), "LMDB has every batch");
  return took;
}

/// What one run of merging gives.
struct merged {
  double seconds = 0;
  std::vector<double> calls;  ///< the seconds of each batch
};

/// All batches, into a store with the base. What is there after the store was opened again is the
/// right state.
template <class F>
merged merge_durably(const fitness_workload& w, joinery::replica_options options, F&& meanwhile) {
  const auto folder = fresh_store(w);
  merged m;
  {
    auto e = open_on_disk(folder, options);
    e.for_each(fitness_table, {}, [](auto, auto) { return true; }).value();  // all are in memory
    feed(e, w.changesets[0]);
    meanwhile(e, [&] {
      m.seconds = seconds([&] {
        for (const auto& frame : frames_of(w))
          m.calls.push_back(seconds([&] { feed(e, frame, frame.size()); }));
      });
    });
  }
  auto again = open_on_disk(folder, without_snapshots());
  verify_fitness(again, w);
  return m;
}
merged merge_durably(const fitness_workload& w, const joinery::replica_options& options) {
  return merge_durably(w, options, [](auto&, auto&& go) { go(); });
}

sample durable(std::uint32_t records) {
  const auto& w = fitness(records);
  const auto m = merge_durably(w, without_snapshots());
  const auto ops = static_cast<double>(operations(w));
  return {m.seconds, ops / m.seconds, ops / append_raw(w)};
}

/// Throughput with snapshots, against throughput without.
sample snapshot(std::uint32_t records) {
  const auto& w = fitness(records);
  const auto ops = static_cast<double>(operations(w));
  const auto without = merge_durably(w, without_snapshots());
  const auto with = merge_durably(w, with_snapshots());
  return {with.seconds, ops / with.seconds, ops / without.seconds};
}

/// The longest batch with snapshots, without what the same batch takes anyway.
sample pause_of_writer() {
  const auto& w = fitness(10'000);
  const auto m = merge_durably(w, with_snapshots());
  auto calls = m.calls;
  std::sort(calls.begin(), calls.end());
  sample s{m.seconds, (calls.back() - calls[calls.size() / 2]) * 1e3};
  s.more["median_batch_ms"] = calls[calls.size() / 2] * 1e3;
  return s;
}

/// The longest that another thread waits for a reader and a record from it.
sample pause_of_reader() {
  const auto& w = fitness(10'000);
  double longest = 0;
  std::size_t reads = 0;
  const auto m = merge_durably(w, with_snapshots(), [&](auto& e, auto&& go) {
    std::atomic<bool> over = false;
    std::thread reading([&] {
      for (std::uint32_t r = 0; !over; r = (r + 7919) % w.records) {
        const auto took = seconds([&] {
          const auto image = e.read_now().value();
          check(!image->record(fitness_table, fitness_key(r)).value().empty(), "a record is read");
        });
        longest = std::max(longest, took);
        ++reads;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
    go();
    over = true;
    reading.join();
  });
  check(reads > 10, "the reader came to read");
  sample s{m.seconds, longest * 1e3};
  s.more["reads"] = static_cast<double>(reads);
  return s;
}

/// Four threads that commit transactions of ten operations, each synced before it returns.
sample threads() {
  constexpr std::uint32_t count = 4, each = 2'500;
  const auto& w = fitness(10'000, count * each, 1);
  const auto folder = fresh_store(w);
  sample s;
  {
    auto e = open_on_disk(folder, without_snapshots());
    std::mutex turn;  // an engine is one thread's at a time
    s.seconds = seconds([&] {
      std::vector<std::thread> all;
      for (std::uint32_t t = 0; t < count; ++t)
        all.emplace_back([&, t] {
          for (std::size_t i = t * each; i < (t + 1) * each; i += ops_of_changeset) {
            joinery::codec::changeset_writer tx;
            for (auto j = i; j < i + ops_of_changeset; ++j)
              add_op(tx, w.keys[w.ops[0][j].record], w.ops[0][j]);
            const std::lock_guard lock(turn);
            e.commit(tx).value();
          }
        });
      for (auto& t : all) t.join();
    });
  }
  auto again = open_on_disk(folder, without_snapshots());
  std::uint64_t expected = 0, xp = 0;  // threads take turns in any order: tags may differ
  for (const auto x : w.xp) expected += x;
  xp = total_xp(again);
  check(xp == expected, "the exact XP of all records");

  raw_lmdb db{data_folder("raw")};
  std::uint64_t number = 0;
  const auto raw = seconds([&] {
    for (const auto& c : w.changesets[0]) db.write([&](auto& tx) { tx.append(++number, c); });
  });
  s.joinery = w.total / s.seconds;
  s.limit = w.total / raw;
  return s;
}

/// A snapshot of random records among so many: records written in a second. LMDB is given records
/// of the same size under the same keys, in transactions of as many as the snapshot's.
sample rewriting(std::uint32_t records) {
  const auto& w = fitness(records);
  const auto folder = fresh_store(w);
  auto options = without_snapshots();
  auto e = open_on_disk(folder, options);
  for (const auto& of_replica : w.changesets) feed(e, of_replica);
  const auto dirty = e.status().dirty_records;
  sample s;
  s.seconds = seconds([&] { e.checkpoint().value(); });
  verify_fitness(e, w);
  s.joinery = static_cast<double>(dirty) / s.seconds;

  raw_lmdb db{data_folder("raw")};
  std::vector<bool> changed(records);
  for (const auto& ops : w.ops)
    for (const auto& op : ops) changed[op.record] = true;
  std::map<bytes, std::string> all;  // ordered, as they are appended
  for (std::uint32_t r = 0; r < records; ++r) all[fitness_key(r)].assign(200, 'x');
  db.write([&](auto& tx) {
    for (const auto& [key, value] : all) tx.put(key, value, MDB_APPEND);
  });
  std::vector<bytes> rewritten;
  for (std::uint32_t r = 0; r < records; ++r)
    if (changed[r]) rewritten.push_back(fitness_key(r));
  std::sort(rewritten.begin(), rewritten.end());
  const std::string value(200, 'y');
  const auto raw = seconds([&] {
    for (std::size_t i = 0; i < rewritten.size(); i += options.snapshot_step_records)
      db.write([&](auto& tx) {
        const auto end = std::min(i + options.snapshot_step_records, rewritten.size());
        for (auto j = i; j < end; ++j) tx.put(rewritten[j], value);
      });
  });
  s.limit = static_cast<double>(rewritten.size()) / raw;
  s.more["records"] = static_cast<double>(dirty);
  return s;
}

/// Bytes of the file that the log takes, for each operation.
sample disk_hot() {
  const auto& w = fitness(10'000);
  const auto folder = fresh_store(w);
  auto e = open_on_disk(folder, without_snapshots());
  const auto before = e.storage().status().value().used_bytes;
  sample s;
  s.seconds = seconds([&] {
    for (const auto& of_replica : w.changesets) feed(e, of_replica);
  });
  verify_fitness(e, w);
  s.joinery = static_cast<double>(e.storage().status().value().used_bytes - before) / w.total;
  s.more["changeset_bytes_per_op"] = static_cast<double>(w.wire_bytes) / w.total;
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  line("durable", {"op/s", measure::ratio_at_least, 0.7}, [] { return durable(10'000); });
  for (const std::uint32_t records : {100'000u, 1'000'000u})
    line("durable/records:" + std::to_string(records), {"op/s"}, [=] { return durable(records); });
  line("durable-threads", {"op/s"}, threads);
  line("snapshot", {"op/s", measure::ratio_at_least, 0.75}, [] { return snapshot(10'000); });
  line("snapshot-pause-writer", {"ms", measure::at_most, 5}, pause_of_writer);
  line("snapshot-pause-reader", {"ms", measure::at_most, 5}, pause_of_reader);
  for (const std::uint32_t records : {10'000u, 100'000u, 1'000'000u})
    line("snapshot-rewriting/records:" + std::to_string(records), {"record/s"},
         [=] { return rewriting(records); });
  line("disk-hot", {"B/op", measure::at_most, 14}, disk_hot);
  return run(argc, argv);
}
