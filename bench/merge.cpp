// Merge throughput over fitness-W: one replica integrates what the three others wrote, in memory,
// on one thread; encoded changesets in, state and change events out, with every check of the real
// path. The limit is the skeleton's, which decodes, looks up and compares the same operations and
// checks nothing.
// Lines: merge merge-unwatched merge-snapshots merge-floor merge-1M merge/records: merge/replicas:
#include "fitness_engine.hpp"
#include "skeleton.hpp"

namespace {

using namespace bench;

std::uint64_t merged_by(const fitness_workload& w) {
  return std::uint64_t{w.total} - w.total / w.replica_count;
}

/// Counts what an engine tells of changes.
struct watcher {
  std::size_t records = 0;
  joinery::subscription subscription;

  explicit watcher(memory_engine& e)
      : subscription(e.watch({std::string{fitness_table}, {}, {}, false},
                             [this](const auto& batch) { records += batch.records.size(); })) {}
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;
};

/// Operations per second of an engine that has the base and what replica 1 wrote.
double merge_once(memory_engine& e, const fitness_workload& w, bool watched) {
  std::optional<watcher> events;
  if (watched) events.emplace(e);
  const auto took = seconds_of_core([&] {
    for (std::uint32_t r = 1; r < w.replica_count; ++r) feed(e, w.changesets[r]);
  });
  if (watched) check(events->records > merged_by(w) / 2, "changes are told");
  return static_cast<double>(merged_by(w)) / took;
}

/// Operations per second of the skeleton, over the same operations in the same frames.
double skeleton_once(const fitness_workload& w) {
  static std::map<const fitness_workload*, std::vector<std::string>> frames_of;
  auto& frames = frames_of[&w];
  if (frames.empty())
    for (std::uint32_t r = 1; r < w.replica_count; ++r)
      for (std::size_t i = 0; i < w.ops[r].size(); ++i) {
        if (i % (ops_of_changeset * changesets_of_frame) == 0) frames.emplace_back();
        skeleton::append(frames.back(), w.keys[w.ops[r][i].record], w.ops[r][i], 1 + i);
      }
  skeleton s{w.records};
  std::size_t ops = 0;
  const auto took = seconds_of_core([&] {
    for (const auto& f : frames) ops += s.merge(f);
  });
  check(ops == merged_by(w), "the skeleton took everything in");
  std::uint64_t xp = 0, expected = 0;
  for (std::uint32_t r = 0; r < w.records; ++r) xp += s.xp(r);
  for (std::uint32_t r = 1; r < w.replica_count; ++r)
    for (const auto& op : w.ops[r]) expected += op.what == fitness_op::inc ? op.argument : 0;
  check(xp == expected, "the skeleton's XP");
  return static_cast<double>(ops) / took;
}

/// Over so many records that a base for each repetition takes too long: repetitions go on where the
/// last one ended, and what came out is checked after the last one.
class long_merge {
 public:
  explicit long_merge(std::uint32_t records)
      : w_(fitness(records, parts * 100'000)), e_(with_base(w_)) {
    feed(e_, w_.changesets[0]);
  }

  sample next() {
    check(part_ < parts, "no more repetitions than there are operations for");
    sample s;
    const auto merged = merged_by(w_) / parts;
    watcher events{e_};
    s.seconds = seconds_of_core([&] {
      for (std::uint32_t r = 1; r < w_.replica_count; ++r) {
        const std::span<const bytes> all{w_.changesets[r]};
        feed(e_, all.subspan(part_ * all.size() / parts, all.size() / parts));
      }
    });
    check(events.records > merged / 2, "changes are told");
    s.joinery = static_cast<double>(merged) / s.seconds;
    s.limit = median_of(3, [&] { return skeleton_once(w_); });
    if (++part_ == parts) {
      verify_fitness(e_, w_);
      auto backward = with_base(w_);
      for (auto r = w_.replica_count; r > 0; --r) feed(backward, w_.changesets[r - 1]);
      verify_equal(e_, backward);
    }
    return s;
  }

 private:
  static constexpr std::size_t parts = 5;
  const fitness_workload& w_;
  memory_engine e_;
  std::size_t part_ = 0;
};

/// Every order of arrival gives the same state, and the right one.
void verify(const fitness_workload& w) {
  auto forward = with_base(w);
  for (std::uint32_t r = 0; r < w.replica_count; ++r) feed(forward, w.changesets[r]);
  verify_fitness(forward, w);
  auto backward = with_base(w);
  for (auto r = w.replica_count; r > 0; --r) feed(backward, w.changesets[r - 1]);
  verify_equal(forward, backward);
}

sample merge(const fitness_workload& w, bool watched,
             const joinery::replica_options& options = without_snapshots()) {
  static std::map<const fitness_workload*, bool> verified;
  if (!std::exchange(verified[&w], true)) verify(w);
  auto e = with_base(w, options);
  feed(e, w.changesets[0]);
  sample s;
  s.joinery = merge_once(e, w, watched);
  s.limit = median_of(9, [&] { return skeleton_once(w); });  // the first finds cold caches
  s.seconds = static_cast<double>(merged_by(w)) / s.joinery;
  s.more["bytes_per_op"] = static_cast<double>(w.wire_bytes) / w.total;
  return s;
}

/// What no state is needed for: changesets are taken apart, with all limits, and chained.
sample merge_floor(const fitness_workload& w) {
  std::size_t ops = 0;
  joinery::codec::changeset taken;
  std::vector<joinery::crypto::digest> chains;
  for (std::uint32_t r = 0; r < w.replica_count; ++r)
    chains.push_back(
        joinery::history::chain_start(without_snapshots().space, fitness_writer(r + 1)));
  const auto took = seconds_of_core([&] {
    for (std::uint32_t r = 1; r < w.replica_count; ++r)
      for (const auto& data : w.changesets[r]) {
        joinery::codec::decode_changeset(data, taken).value();
        chains[r] = joinery::history::chain_next(chains[r], data);
        ops += taken.ops.size();
      }
  });
  check(ops == merged_by(w), "every operation was taken apart");
  auto e = with_base(w);
  for (std::uint32_t r = 1; r < w.replica_count; ++r) feed(e, w.changesets[r]);
  std::size_t same = 0;
  for (const auto& h : e.heads())
    same += static_cast<std::size_t>(std::ranges::count(chains, h.chain));
  check(same == w.replica_count - 1, "the engine's chains");
  sample s;
  s.joinery = static_cast<double>(ops) / took;
  s.limit = median_of(9, [&] { return skeleton_once(w); });
  s.seconds = took;
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  const auto small = [](bool watched) { return merge(fitness(10'000), watched); };
  line("merge", {"op/s", measure::ratio_at_least, 0.33}, [=] { return small(true); });
  line("merge-unwatched", {"op/s"}, [=] { return small(false); });
  line("merge-snapshots", {"op/s"}, [] { return merge(fitness(10'000), true, with_snapshots()); });
  line("merge-floor", {"op/s"}, [] { return merge_floor(fitness(10'000)); });
  line("merge/records:100000", {"op/s"}, [] { return merge(fitness(100'000), true); });
  line("merge-1M", {"op/s", measure::at_least, 4e6}, [] {
    static long_merge m{1'000'000};
    return m.next();
  });
  // As many operations in all, from more and more writers: 1024 write ten transactions each.
  for (const std::uint32_t replicas : {2u, 16u, 128u, 1024u})
    line("merge/replicas:" + std::to_string(replicas), {"op/s"},
         [=] { return merge(fitness(10'000, 102'400, replicas), true); });
  return run(argc, argv);
}
