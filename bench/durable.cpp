// What it costs to keep things: received batches of 1000 operations, each of them synced to LMDB
// before the next; with snapshots in the background, and what of them a reader or a writer feels;
// and how many bytes the log takes in the file. The limit is LMDB itself, to which the same bytes
// are appended, one value for each batch, with sync; for snapshots, records rewritten at random.
// Lines: durable durable/records: durable-threads snapshot snapshot-pause-writer
// Lines: snapshot-pause-reader snapshot-rewriting/records: disk-hot disk-hot/commits disk-cold
// Lines: disk-cold/commits
#include <atomic>
#include <thread>

#include "durable_engine.hpp"
#include "joinery/replica/engine_face.hpp"
#include "joinery/replica/write_group.hpp"

namespace {

using namespace bench;

/// A closed store with the base, made once, and copied for each use.
std::string fresh_store(const fitness_workload& w, const std::string& name) {
  static std::map<std::uint32_t, std::string> made;
  auto& of_base = made[w.records];
  if (of_base.empty()) {
    of_base = data_folder("base-" + std::to_string(w.records));
    store_base(of_base, w);
  }
  const auto folder = data_folder(name);
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

/// The same bytes, for LMDB: one value for each batch.
class raw_log {
 public:
  explicit raw_log(const fitness_workload& w) : db_(data_folder("raw")) {
    for (const auto& frame : frames_of(w)) {
      auto& value = values_.emplace_back();
      for (const auto& c : frame) value += c;
    }
  }
  /// Appends the next one, with sync.
  void append_next() {
    seconds += bench::seconds(
        [&] { db_.write([&](auto& tx) { tx.append(appended_ + 1, values_[appended_]); }); });
    ++appended_;
  }
  void verify() const {
    std::size_t same = 0;
    db_.read([&](auto& tx) {
      tx.scan([&](auto, auto value) { same += value == values_[same] ? 1 : 0; });
    });
    check(same == values_.size(), "LMDB has every batch");
  }
  double seconds = 0;

 private:
  raw_lmdb db_;
  std::vector<bytes> values_;
  std::size_t appended_ = 0;
};

/// What one run of merging gives.
struct merged {
  double seconds = 0;
  std::vector<double> calls;  ///< the seconds of each batch
};

/// An engine that has the base in memory, and what replica 0 wrote.
lmdb_engine open_store(const fitness_workload& w, const std::string& folder,
                       const joinery::replica_options& options) {
  auto e = open_on_disk(folder, options);
  for (const auto& key : w.keys) e.record(fitness_table, key).value();
  feed(e, w.changesets[0]);
  return e;
}
/// What is there after a store was opened again is the right state.
void verify_store(const fitness_workload& w, const std::string& folder) {
  auto again = open_on_disk(folder, without_snapshots());
  verify_fitness(again, w);
}

/// All batches, into a store with the base. `between()` is called after each: what it takes is not
/// counted. A device is faster at one moment than at another, so that what is to be compared takes
/// turns.
template <class F>
merged merge_durably(const fitness_workload& w, const joinery::replica_options& options,
                     F&& between) {
  const auto folder = fresh_store(w, "store");
  merged m;
  {
    auto e = open_store(w, folder, options);
    for (const auto& frame : frames_of(w)) {
      m.calls.push_back(seconds([&] { feed(e, frame, frame.size()); }));
      m.seconds += m.calls.back();
      between(e);
    }
  }
  verify_store(w, folder);
  return m;
}

sample durable(std::uint32_t records) {
  const auto& w = fitness(records);
  raw_log raw{w};
  const auto m = merge_durably(w, without_snapshots(), [&](auto&) { raw.append_next(); });
  raw.verify();
  const auto ops = static_cast<double>(operations(w));
  return {m.seconds, ops / m.seconds, ops / raw.seconds};
}

/// Throughput with snapshots, against throughput without.
sample snapshot(std::uint32_t records) {
  const auto& w = fitness(records);
  const auto ops = static_cast<double>(operations(w));
  const auto folder = fresh_store(w, "without");
  const auto frames = frames_of(w);
  double without = 0;
  merged with;
  {
    auto other = open_store(w, folder, without_snapshots());
    auto next = frames.begin();
    with = merge_durably(w, with_snapshots(), [&](auto&) {
      without += seconds([&] { feed(other, *next, next->size()); });
      ++next;
    });
  }
  verify_store(w, folder);
  return {with.seconds, ops / with.seconds, ops / without};
}

/// The longest of these without what each of them takes anyway, in milliseconds.
double pause_among(std::vector<double> calls) {
  std::sort(calls.begin(), calls.end());
  return (calls.back() - calls[calls.size() / 2]) * 1e3;
}

/// The longest batch with snapshots, and the longest that LMDB takes for the same bytes.
sample pause_of_writer() {
  const auto& w = fitness(10'000);
  raw_log raw{w};
  std::vector<double> raw_calls;
  const auto m = merge_durably(w, with_snapshots(), [&](auto&) {
    raw_calls.push_back(seconds([&] { raw.append_next(); }));
  });
  raw.verify();
  return {m.seconds, pause_among(m.calls), pause_among(raw_calls)};
}

/// The longest that another thread waits for a reader and a record from it.
sample pause_of_reader() {
  const auto& w = fitness(10'000);
  const auto folder = fresh_store(w, "store");
  double longest = 0;
  std::size_t reads = 0;
  sample s;
  {
    auto e = open_store(w, folder, with_snapshots());
    std::atomic<bool> over = false;
    std::thread reading([&] {
      for (std::uint32_t r = 0; !over; r = (r + 7919) % w.records) {
        const auto took = seconds([&] {
          const auto image = e.read_now().value();
          check(!image->record(fitness_table, w.keys[r]).value().empty(), "a record is read");
        });
        longest = std::max(longest, took);
        ++reads;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
    s.seconds = seconds([&] {
      for (const auto& frame : frames_of(w)) feed(e, frame, frame.size());
    });
    over = true;
    reading.join();
  }
  verify_store(w, folder);
  check(reads > 10, "the reader came to read");
  s.joinery = longest * 1e3;
  s.more["reads"] = static_cast<double>(reads);
  return s;
}

/// Four threads that commit transactions of ten operations, each durable before it returns. The
/// limit commits them one after the other.
sample threads() {
  constexpr std::uint32_t count = 4, each = 2'500;
  const auto& w = fitness(10'000, count * each, 1);
  const auto folder = fresh_store(w, "store");
  sample s;
  {
    using namespace joinery::detail;
    engine_face<joinery::store::lmdb> port{open_on_disk(folder, without_snapshots())};
    write_group together{port};
    const table_place table{fitness_table, joinery::update_wins, 0, false};
    s.seconds = seconds([&] {
      std::vector<std::thread> all;
      for (std::uint32_t t = 0; t < count; ++t)
        all.emplace_back([&, t] {
          for (std::size_t i = t * each; i < (t + 1) * each; i += ops_of_changeset)
            together
                .write([&](drafts_port& drafts) {
                  for (auto j = i; j < i + ops_of_changeset; ++j) {
                    const auto& op = w.ops[0][j];
                    auto made = packed_op(op);
                    drafts.draft_of(table, w.keys[op.record])
                        .change(made.field, made.type, std::move(made.delta));
                  }
                })
                .value();
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
  const auto folder = fresh_store(w, "store");
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

/// Bytes of the file that the log takes, for each operation. `step`: what is written at once.
sample disk_hot(std::size_t step) {
  const auto& w = fitness(10'000);
  const auto folder = fresh_store(w, "store");
  auto e = open_on_disk(folder, without_snapshots(), joinery::history::durability::interval);
  const auto before = e.storage().status().value().used_bytes;
  sample s;
  s.seconds = seconds([&] {
    for (const auto& of_replica : w.changesets) feed(e, of_replica, step);
  });
  verify_fitness(e, w);
  s.joinery = static_cast<double>(e.storage().status().value().used_bytes - before) / w.total;
  s.more["changeset_bytes_per_op"] = static_cast<double>(w.wire_bytes) / w.total;
  return s;
}

/// Bytes of the pages that the log and the dots take in a store that is closed.
double log_pages(const std::string& folder) {
  const auto good = [](int status) { check(status == 0, "LMDB reads the store"); };
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  good(mdb_env_create(&env));
  good(mdb_env_set_maxdbs(env, 16));
  good(mdb_env_open(env, folder.c_str(), MDB_RDONLY | MDB_NOLOCK, 0600));
  good(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn));
  double size = 0;
  for (const auto* name : {"log", "dots"}) {
    MDB_dbi table = 0;
    MDB_stat s{};
    good(mdb_dbi_open(txn, name, name == std::string_view{"log"} ? MDB_INTEGERKEY : 0, &table));
    good(mdb_stat(txn, table, &s));
    size +=
        static_cast<double>(s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages) * s.ms_psize;
  }
  mdb_txn_abort(txn);
  mdb_env_close(env);
  return size;
}

/// Bytes of pages for each operation that the snapshot covers. `step`: what is written at once.
sample disk_cold(std::size_t step) {
  const auto& w = fitness(10'000);
  const auto folder = fresh_store(w, "store");
  {  // the log of the base goes: it is not what is measured
    auto options = without_snapshots();
    options.retain_log_bytes = 0;
    open_on_disk(folder, options).checkpoint().value();
  }
  const auto before = log_pages(folder);
  sample s;
  {
    auto options = without_snapshots();
    options.retain_log_ms = ~std::uint64_t{0};  // what the workload writes has stamps of long ago
    auto e = open_on_disk(folder, options, joinery::history::durability::interval);
    for (const auto& of_replica : w.changesets) feed(e, of_replica, step);
    s.seconds = seconds([&] { e.checkpoint().value(); });
  }
  s.joinery = (log_pages(folder) - before) / w.total;
  verify_store(w, folder);
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
  line("disk-hot", {"B/op", measure::at_most, 14}, [] { return disk_hot(changesets_of_frame); });
  line("disk-hot/commits", {"B/op"}, [] { return disk_hot(1); });
  line("disk-cold", {"B/op", measure::at_most, 9}, [] { return disk_cold(changesets_of_frame); });
  line("disk-cold/commits", {"B/op"}, [] { return disk_cold(1); });
  return run(argc, argv);
}
