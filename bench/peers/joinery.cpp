// joinery's rows of the table of ./dev bench peers: fitness-W(100 000, 4) as an app would write it,
// with a typed replica. Prints a JSON array of rows, as the other engines' programs do:
// joinery_bench_peers [REPETITIONS [DIRECTORY]]
//
// How joinery is used here. A record is a struct of fields: lww for scalars, pn_counter for xp,
// or_set for tags. A transaction of 10 operations is one `replica::write`. Three ways:
// - bulk: replicas in memory. They merge what the others wrote, as the bytes of its changesets, in
//   frames of 1000 operations. Bytes on the wire are those of sessions, both ways, in which each
//   replica gets from others all that it lacks: greetings, acknowledgements and the comparison of
//   digests included; `exchange` is the time of these sessions, both sides' work together. The
//   snapshot is the one that a session serves to an empty replica when the log is gone.
// - 10-op messages: each transaction goes out as it is committed, through a session that is live;
//   local is the work of the writer's side, session included. The merge takes one changeset at a
//   time.
// - on disk: stores in LMDB as they are by default: each commit is synced before it returns, and so
//   is each frame that is merged.
// Times in memory are those that the thread worked, on disk those that passed.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>

#include "bench/fitness_model.hpp"
#include "bench/report.hpp"
#include "joinery/history/memory_storage.hpp"
#include "joinery/joinery.hpp"

namespace peers {

using namespace joinery;
using bench::check;
using bench::seconds;
using bench::seconds_of_core;

struct athlete {
  BOOST_HANA_DEFINE_STRUCT(athlete, (lww<std::string>, name), (lww<std::string>, city),
                           (lww<std::string>, club), (lww<std::string>, notes),
                           (lww<std::uint32_t>, age), (lww<std::uint32_t>, weight),
                           (pn_counter, xp), (or_set<std::uint32_t>, tags));
};
using athletes = tables<table<"athletes", athlete>>;
using history::memory_storage;
using memory_replica = replica<athletes, memory_storage>;

constexpr std::uint32_t total = 100'000;
constexpr std::uint32_t replica_count = 4;
constexpr std::size_t ops_of_transaction = 10;
constexpr std::size_t changesets_of_frame = 100;

/// The key that the other engines have: 16 characters, as random as a real one's.
std::string key_of(std::uint32_t record) {
  std::string key;
  for (auto h : {2 * record + 1, 2 * record + 2}) {
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    h ^= h >> 16;
    for (int shift = 28; shift >= 0; shift -= 4)
      key.push_back("0123456789abcdef"[(h >> shift) & 15]);
  }
  return key;
}

struct workload {
  std::vector<bench::fitness_base_record> base = bench::fitness_base();
  std::vector<std::vector<bench::fitness_op>> ops;
  std::vector<std::string> keys;
  std::size_t tags = 0;
  std::vector<std::uint64_t> xp;
  std::vector<bytes> base_changesets;

  workload() {
    bench::fitness_model model{base};
    bench::fitness_checksum sum;
    for (std::uint32_t r = 0; r < replica_count; ++r) {
      ops.push_back(bench::fitness_ops(base, total, replica_count, r));
      for (const auto& op : ops.back()) sum.add(op);
      model.merge(ops.back());
    }
    check(sum.value() == bench::fitness_checksum_of_100k_by_4, "the workload's checksum");
    tags = model.tags_left();
    check(tags == bench::fitness_tags_of_100k_by_4, "the model's count of tags");
    xp = model.xp;
    for (std::uint32_t r = 0; r < base.size(); ++r) keys.push_back(key_of(r));
  }
};

replica_options options_of_all() {
  replica_options o;
  o.space = space_named("fitness-W");
  o.cache_bytes = std::size_t{1} << 32;
  return o;
}
memory_replica in_memory(const replica_options& o = options_of_all()) {
  return memory_replica::open(memory_storage{}, o).value();
}

// --- What an app does ---

template <class Tx>
void perform(Tx& tx, const workload& w, const bench::fitness_op& op) {
  using enum bench::fitness_op::kind;
  auto a = tx.template edit<athlete>(w.keys[op.record]);
  switch (op.what) {
    case set:
      switch (op.argument) {
        case 0: a.name = op.value.text; return;
        case 1: a.city = op.value.text; return;
        case 2: a.club = op.value.text; return;
        case 3: a.notes = op.value.text; return;
        case 4: a.age = op.value.number; return;
        default: a.weight = op.value.number; return;
      }
    case inc: a.xp += op.argument; return;
    case add: a.tags.insert(op.argument); return;
    case remove: a.tags.erase(op.argument); return;
  }
}

/// Makes all operations of replica `r`, and calls `after` behind each transaction.
template <class Replica>
void perform_all(Replica& db, const workload& w, std::uint32_t r,
                 const std::function<void()>& after) {
  const auto& ops = w.ops[r];
  for (std::size_t i = 0; i < ops.size(); i += ops_of_transaction) {
    db.write([&](auto& tx) {
        for (auto j = i; j < i + ops_of_transaction; ++j) perform(tx, w, ops[j]);
      }).value();
    if (after) after();
  }
}

template <class Replica>
void write_base(Replica& db, const workload& w) {
  for (std::size_t from = 0; from < w.base.size(); from += 100)
    db.write([&](auto& tx) {
        for (auto i = from; i < from + 100; ++i) {
          const auto& record = w.base[i];
          auto a = tx.template create<athlete>(w.keys[i]);
          a.name = record.values[0].text;
          a.city = record.values[1].text;
          a.club = record.values[2].text;
          a.notes = record.values[3].text;
          a.age = record.values[4].number;
          a.weight = record.values[5].number;
          for (const auto tag : record.tags) a.tags.insert(tag);
        }
      }).value();
}

/// Reads every field of every record; gives how many tags there are.
template <class Replica>
std::size_t read_all(Replica& db, const workload& w, std::vector<std::uint64_t>* xp = nullptr) {
  std::size_t tags = 0, size = 0, records = 0;
  for (const auto& key : w.keys) {
    const auto found = db.template find<athlete>(key);
    check(static_cast<bool>(found), "every record is there");
    const athlete& a = *found;
    size += (*a.name).size() + (*a.city).size() + (*a.club).size() + (*a.notes).size();
    size += *a.age + *a.weight;
    a.tags.for_each([&](std::uint32_t tag) { size += tag, ++tags; });
    if (xp != nullptr) xp->push_back(static_cast<std::uint64_t>(*a.xp));
    ++records;
  }
  check(records == w.base.size() && size > 0, "every record was read");
  return tags;
}

/// Held against the model: the tags that are left, the exact XP of each record.
template <class Replica>
void verify(Replica& db, const workload& w) {
  std::vector<std::uint64_t> xp;
  check(read_all(db, w, &xp) == w.tags, "the tags that are left");
  check(xp == w.xp, "the exact XP of each record");
}

template <class A, class B>
void verify_equal(A& a, B& b) {
  check(a.digest().value() == b.digest().value(), "equal digests");
}

template <class Replica>
std::vector<bytes> own_changesets(Replica& db) {
  std::vector<bytes> out;
  auto& e = db.endpoint();
  e.read_log(1, [&](std::uint64_t, const replica_id& by, std::uint64_t, bytes_view data) {
     if (by == e.self()) out.emplace_back(data);
     return true;
   }).value();
  return out;
}

template <class Replica>
void feed(Replica& db, const std::vector<bytes>& changesets, std::size_t frame) {
  std::vector<bytes_view> batch;
  for (std::size_t i = 0; i < changesets.size(); i += frame) {
    const auto end = std::min(i + frame, changesets.size());
    batch.assign(changesets.begin() + static_cast<std::ptrdiff_t>(i),
                 changesets.begin() + static_cast<std::ptrdiff_t>(end));
    check(db.endpoint().ingest(batch).value().integrated == batch.size(), "all was taken in");
  }
}

// --- Two replicas that meet ---

/// A session between two replicas: its bytes, and what each side works.
template <class A, class B>
class meeting {
 public:
  meeting(A& a, B& b) {
    seconds_a += seconds_of_core([&] { a_.emplace(a.endpoint(), sync::session_options{}, 0); });
    seconds_b += seconds_of_core([&] { b_.emplace(b.endpoint(), sync::session_options{}, 0); });
  }

  /// Carries bytes until there are none.
  void run() {
    seconds_a += seconds_of_core([&] { a_->wake(0); });
    for (bool moved = true; moved;) {
      moved = carry(*a_, seconds_a, *b_, seconds_b);
      moved = carry(*b_, seconds_b, *a_, seconds_a) || moved;
    }
  }
  void run_to_the_end() {
    run();
    check(a_->in_sync() && b_->in_sync(), "both sides are in sync");
  }

  double seconds_a = 0, seconds_b = 0;
  std::size_t carried = 0;

 private:
  template <class From, class To>
  bool carry(From& from, double& work_from, To& to, double& work_to) {
    bytes wire;
    work_from += seconds_of_core([&] { wire = from.take_output(); });
    if (wire.empty()) return false;
    carried += wire.size();
    work_to += seconds_of_core([&] { to.receive(wire, 0).value(); });
    return true;
  }

  std::optional<sync::session<typename A::engine_type>> a_;
  std::optional<sync::session<typename B::engine_type>> b_;
};

// --- What is measured ---

/// Figures of each repetition, by name.
using figures = std::map<std::string, std::vector<double>>;

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const auto middle = v.size() / 2;
  return v.size() % 2 == 1 ? v[middle] : (v[middle - 1] + v[middle]) / 2;
}

template <class Replica>
std::vector<std::vector<bytes>> take_changesets(std::vector<Replica>& all) {
  std::vector<std::vector<bytes>> out;
  for (auto& db : all) out.push_back(own_changesets(db));
  return out;
}

constexpr double merged_ops = total * (replica_count - 1);

/// Every replica takes in what every other wrote.
template <class Replica>
void merge(std::vector<Replica>& all, const std::vector<std::vector<bytes>>& changesets,
           std::size_t frame) {
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t step = 1; step < all.size(); ++step)
      feed(all[i], changesets[(i + step) % all.size()], frame);
}

template <class Replica>
void verify_all(std::vector<Replica>& all, const workload& w) {
  verify(all[0], w);
  for (std::size_t r = 1; r < all.size(); ++r) verify_equal(all[0], all[r]);
}

std::vector<memory_replica> with_base(const workload& w) {
  std::vector<memory_replica> all;
  for (std::uint32_t r = 0; r < replica_count; ++r) {
    all.push_back(in_memory());
    feed(all.back(), w.base_changesets, 1);
  }
  return all;
}

/// The snapshot that a replica without a log serves to one that has nothing.
void snapshot(const std::vector<std::vector<bytes>>& changesets, const workload& w,
              memory_replica& whole, figures& f) {
  auto o = options_of_all();
  o.retain_log_bytes = 0;
  auto server = in_memory(o);
  feed(server, w.base_changesets, 1);
  for (const auto& of : changesets) feed(server, of, changesets_of_frame);
  server.endpoint().acknowledged(server.endpoint().heads());
  server.checkpoint().value();
  check(server.status().log_floor + 1 >= server.endpoint().log_end(), "the log is gone");
  auto client = in_memory();
  meeting wire{server, client};
  wire.run_to_the_end();
  f["snapshot_encode_ms"].push_back(wire.seconds_a * 1e3);
  f["snapshot_bytes"].push_back(static_cast<double>(wire.carried));
  const auto first = seconds(
      [&] { check(static_cast<bool>(client.find<athlete>(w.keys.back())), "a record is there"); });
  f["snapshot_open_ms"].push_back((wire.seconds_b + first) * 1e3);
  const auto rest = seconds_of_core([&] { read_all(client, w); });
  f["snapshot_read_ms"].push_back((wire.seconds_b + first + rest) * 1e3);
  verify(client, w);
  verify_equal(client, whole);
}

void bulk(const workload& w, figures& f) {
  std::vector<std::vector<bytes>> changesets;
  {
    auto all = with_base(w);
    const auto local = seconds_of_core([&] {
      for (std::uint32_t r = 0; r < replica_count; ++r) perform_all(all[r], w, r, {});
    });
    f["local"].push_back(total / local);
    changesets = take_changesets(all);

    // Each of these meetings brings both sides what they lack: 300 000 operations in all.
    double time = 0;
    std::size_t carried = 0;
    for (const auto& [i, j] : {std::pair{0, 1}, {2, 3}, {0, 2}, {1, 3}}) {
      meeting wire{all[static_cast<std::size_t>(i)], all[static_cast<std::size_t>(j)]};
      wire.run_to_the_end();
      time += wire.seconds_a + wire.seconds_b;
      carried += wire.carried;
    }
    verify_all(all, w);
    f["exchange"].push_back(merged_ops / time);
    f["wire"].push_back(static_cast<double>(carried) / merged_ops);
  }
  auto all = with_base(w);
  // Whoever wrote a changeset has it already, as in the engines beside.
  for (std::uint32_t r = 0; r < replica_count; ++r)
    feed(all[r], changesets[r], changesets_of_frame);
  const auto merging = seconds_of_core([&] { merge(all, changesets, changesets_of_frame); });
  f["merge"].push_back(merged_ops / merging);
  verify_all(all, w);
  snapshot(changesets, w, all[0], f);
}

void messages(const workload& w, figures& f) {
  auto all = with_base(w);
  double local = 0;
  std::size_t carried = 0;
  for (std::uint32_t r = 0; r < replica_count; ++r) {
    auto reader = in_memory();
    feed(reader, w.base_changesets, 1);
    meeting wire{all[r], reader};
    wire.run_to_the_end();
    const auto greeting = wire.carried;
    const auto reading = wire.seconds_b;
    const auto time = seconds_of_core([&] { perform_all(all[r], w, r, [&] { wire.run(); }); });
    wire.run_to_the_end();
    local += time - (wire.seconds_b - reading);
    carried += wire.carried - greeting;
    verify_equal(all[r], reader);
  }
  f["local"].push_back(total / local);
  f["wire"].push_back(static_cast<double>(carried) / total);
  const auto changesets = take_changesets(all);
  const auto merging = seconds_of_core([&] { merge(all, changesets, 1); });
  f["merge"].push_back(merged_ops / merging);
  verify_all(all, w);
}

using stored = stored_replica<athletes>;

stored on_disk(const std::filesystem::path& path) {
  return open<athletes>({.path = path.string()}, options_of_all()).value();
}

std::filesystem::path directory;

void disk(const workload& w, figures& f) {
  const auto folder = directory / "joinery-peers";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  {
    std::vector<stored> all;
    for (std::uint32_t r = 0; r < replica_count; ++r) {
      all.push_back(on_disk(folder / std::to_string(r)));
      feed(all.back(), w.base_changesets, 1);
    }
    const auto local = seconds([&] {
      for (std::uint32_t r = 0; r < replica_count; ++r) perform_all(all[r], w, r, {});
    });
    f["local"].push_back(total / local);
    const auto changesets = take_changesets(all);
    const auto merging = seconds([&] { merge(all, changesets, changesets_of_frame); });
    f["merge"].push_back(merged_ops / merging);
    verify_all(all, w);
    f["store_close_ms"].push_back(seconds([&] { all[0].checkpoint().value(); }) * 1e3);
  }
  f["store_bytes"].push_back(
      static_cast<double>(std::filesystem::file_size(folder / "0" / "data.mdb")));
  std::optional<stored> again;
  const auto first = seconds([&] {
    again.emplace(on_disk(folder / "0"));
    check(static_cast<bool>(again->find<athlete>(w.keys.back())), "a record is there");
  });
  f["store_open_ms"].push_back(first * 1e3);
  const auto rest = seconds([&] { read_all(*again, w); });
  f["store_read_ms"].push_back((first + rest) * 1e3);
  verify(*again, w);
  again.reset();
  std::filesystem::remove_all(folder);
}

void print(const char* name, std::size_t repetitions, const workload& w, const figures& f,
           bool last) {
  std::printf("  {\"name\": \"%s\", \"repetitions\": %zu, \"observers\": %u, \"tags\": %zu", name,
              repetitions, replica_count, w.tags);
  for (const auto& [figure, values] : f)
    std::printf(", \"%s\": %.10g", figure.c_str(), median(values));
  std::printf("}%s\n", last ? "" : ",");
}

/// Calls `once` so many times, but not again after 75 s; gives how often.
template <class F>
std::size_t repeat(std::size_t repetitions, F&& once) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t done = 1;; ++done) {
    once();
    if (done == repetitions || std::chrono::steady_clock::now() - start > std::chrono::seconds{75})
      return done;
  }
}

int run(std::size_t repetitions) {
  workload w;
  {
    auto writer = in_memory();
    write_base(writer, w);
    w.base_changesets = own_changesets(writer);
  }
  figures all[3];
  const auto in_memory_runs = repeat(repetitions, [&] {
    bulk(w, all[0]);
    messages(w, all[1]);
  });
  const auto on_disk_runs = repeat(repetitions, [&] { disk(w, all[2]); });
  std::printf("[\n");
  print("joinery, bulk", in_memory_runs, w, all[0], false);
  print("joinery, 10-op messages", in_memory_runs, w, all[1], false);
  print("joinery, on disk (LMDB)", on_disk_runs, w, all[2], true);
  std::printf("]\n");
  return 0;
}

}  // namespace peers

int main(int argc, char** argv) {
  peers::directory = argc > 2 ? argv[2] : ".";
  return peers::run(argc > 1 ? std::max(1ul, std::stoul(argv[1])) : 5);
}
